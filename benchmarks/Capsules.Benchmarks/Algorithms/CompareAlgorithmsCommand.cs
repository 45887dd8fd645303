using System.CommandLine;
using System.Globalization;

namespace Capsules.Benchmarks;

/// <summary><c>compare-algorithms</c>: a training step of one layer with every routing algorithm, in turn.</summary>
internal static class CompareAlgorithmsCommand
{
    public const string Name = "compare-algorithms";

    public static RootCommand Create()
    {
        var batch = new Option<int>("--batch") { Description = "Samples.", HelpName = "B", DefaultValueFactory = _ => 32 };
        var seconds = new Option<int>("--seconds") { Description = "How long to measure.", HelpName = "S", DefaultValueFactory = _ => 60 };
        var root = new RootCommand("Compares the routing algorithms: forward and backward of the 2017 network's capsule layer.") { batch, seconds };
        foreach (var option in new[] { batch, seconds })
        {
            option.Validators.Add(result =>
            {
                if (result.GetValueOrDefault<int>() < 1)
                {
                    result.AddError($"{option.Name} must be at least 1.");
                }
            });
        }

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
        var machine = Machine.ThisOne();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{machine.Date}, {machine.Processor}, {machine.Vectors}-bit vectors; {machine.System}; {machine.Runtime}; libtorch {machine.Libtorch}; {machine.Threads} threads; Capsules {machine.Version}; default allocator."));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{size.InCapsules} x {size.InDim} -> {size.OutCapsules} x {size.OutDim}, batch {size.Batch}, float32, forward + backward; medians of {rounds.Rival(0).Values.Count} rounds; votes take {size.VoteBytes / 1e6:f0} MB."));
        Console.WriteLine();
        var table = new MarkdownTable("algorithm", "ms", "x the fused kernel", "peak MB");
        for (var i = 0; i < algorithms.Count; i++)
        {
            var median = i == 0 ? rounds.Reference.Median : rounds.Rival(i - 1).Median;
            var peak = PeakMemory.IsAvailable ? (PeakMemory.Of(algorithms[i].Train, 3) / 1e6).ToString("f0", CultureInfo.InvariantCulture) : "-";
            table.Add(
                algorithms[i].Name,
                (1e3 * median).ToString("f1", CultureInfo.InvariantCulture),
                (median / rounds.Reference.Median).ToString("f1", CultureInfo.InvariantCulture),
                peak);
        }

        Console.Write(table);
        foreach (var algorithm in algorithms)
        {
            algorithm.Dispose();
        }
    }
}
