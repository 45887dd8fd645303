using System.CommandLine;

namespace Capsules.Benchmarks;

/// <summary><c>compare-algorithms</c>: a training step of one layer with every routing algorithm, in turn.</summary>
internal static class CompareAlgorithmsCommand
{
    public const string Name = "compare-algorithms";

    public static RootCommand Create()
    {
        var batch = CompareNetworkCommand.Count("--batch", "Samples.", 32);
        var seconds = CompareNetworkCommand.Count("--seconds", "How long to measure.", 60);
        var root = new RootCommand("Compares the routing algorithms: forward and backward of the 2017 network's capsule layer.") { batch, seconds };
        root.SetAction(result =>
        {
            Run(RoutingCase.All.First(c => c.Shape == "mnist") with { Batch = result.GetValue(batch) }, TimeSpan.FromSeconds(result.GetValue(seconds)));
            return 0;
        });
        return root;
    }

    private static void Run(RoutingCase size, TimeSpan time)
    {
        var algorithms = Algorithm.All(size);
        var rounds = new Interleaved(algorithms[0].Train);
        foreach (var algorithm in algorithms.Skip(1))
        {
            rounds.AddRival(algorithm.Train);
        }

        rounds.Run(time, mostRounds: int.MaxValue);
        Console.WriteLine($"{Machine.ThisOne()}; default allocator.");
        Console.WriteLine($"{size.InCapsules} x {size.InDim} -> {size.OutCapsules} x {size.OutDim}, batch {size.Batch}, float32, forward + backward; medians of {rounds.Rival(0).Values.Count} rounds; votes take {size.VoteBytes / 1e6:f0} MB.");
        Console.WriteLine();
        var table = new MarkdownTable("algorithm", "ms", "x the fused kernel", "peak MB");
        for (var i = 0; i < algorithms.Count; i++)
        {
            var median = i == 0 ? rounds.Reference.Median : rounds.Rival(i - 1).Median;
            table.Add(
                algorithms[i].Name, $"{1e3 * median:f1}", $"{median / rounds.Reference.Median:f1}",
                PeakMemory.IsAvailable ? $"{PeakMemory.Of(algorithms[i].Train, 3) / 1e6:f0}" : "-");
        }

        Console.Write(table);
        foreach (var algorithm in algorithms)
        {
            algorithm.Dispose();
        }
    }
}
