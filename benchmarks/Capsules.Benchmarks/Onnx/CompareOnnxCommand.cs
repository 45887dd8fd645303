using System.CommandLine;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary><c>compare-onnx</c>: a network of the sample served by this library and by ONNX Runtime.</summary>
internal static class CompareOnnxCommand
{
    public const string Name = "compare-onnx";

    private const double Tolerance = 1e-5;

    public static RootCommand Create()
    {
        var model = new Option<string>("--model") { Description = "The network: capsnet or efficient.", DefaultValueFactory = _ => NetworkCatalog.Default };
        model.AcceptOnlyFromAmong(NetworkCatalog.Default, "efficient");
        var rounds = CompareNetworkCommand.Count("--rounds", "Rounds; in each, both serve one batch.", 30);
        var threads = new Option<int>("--threads") { Description = "Threads of both; 0 for libtorch's own choice.", DefaultValueFactory = _ => 0 };
        var root = new RootCommand("Compares latency and memory of a network of the sample in this library with the same, exported, in ONNX Runtime.") { model, rounds, threads };
        root.SetAction(result =>
        {
            try
            {
                Run(result.GetValue(model)!, result.GetValue(rounds), result.GetValue(threads));
                return 0;
            }
            catch (InvalidOperationException failure)
            {
                Console.Error.WriteLine(failure.Message);
                return 1;
            }
        });
        return root;
    }

    private static void Run(string model, int rounds, int threads)
    {
        if (threads > 0)
        {
            torch.set_num_threads(threads);
        }

        threads = torch.get_num_threads();
        var folder = Directory.CreateTempSubdirectory("capsules-onnx-");
        try
        {
            var file = Path.Combine(folder.FullName, "network.onnx");
            using var network = new ServedNetwork(model);
            network.Export(file);
            using var session = new OnnxSession(file, threads);
            var table = new MarkdownTable("batch", "Capsules ms", "ONNX Runtime ms", "ratio of medians", "median of paired ratios", "Capsules MB", "ONNX Runtime MB");
            var largest = 0.0;
            foreach (var batch in (int[])[1, 100])
            {
                var (ours, theirs, paired, difference) = Times(network, session, batch, rounds);
                largest = Math.Max(largest, difference);
                var memory = OnnxChild.Memory(file, model, batch, threads);
                table.Add($"{batch}", $"{ours:f2}", $"{theirs:f2}", $"{theirs / ours:f2}", $"{paired:f2}", $"{memory.Torch:f0}", $"{memory.Onnx:f0}");
            }

            Console.WriteLine($"{Machine.ThisOne()}; {model}, {rounds} rounds, a file of {new FileInfo(file).Length / 1e6:f1} MB.");
            Console.WriteLine($"\nMedian latency from images to lengths, without a decoder, both in turn in one process (ONNX Runtime's idle threads do not spin); resident memory of a process of its own after ten batches. Checked before timing: lengths agree, the largest difference was {largest:0.0e-0}.\n");
            Console.Write(table);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (double Ours, double Theirs, double Paired, double Difference) Times(ServedNetwork network, OnnxSession session, int batch, int rounds)
    {
        var random = new Random(7);
        var shape = session.Shape(batch);
        var images = Enumerable.Range(0, (int)shape.Aggregate(1L, (product, size) => product * size))
            .Select(_ => random.Next(5) == 0 ? random.NextSingle() : 0).ToArray();
        var difference = network.Lengths(images, shape).Zip(session.Lengths(images, shape), (ours, theirs) => Math.Abs(ours - theirs))
            .Aggregate(Math.Max);      // NaN where one is, which Max() would pass over
        if (!(difference <= Tolerance))
        {
            throw new InvalidOperationException($"The lengths differ by {difference:g3}, more than {Tolerance:g1}. Nothing is reported.");
        }

        var interleaved = new Interleaved(() => network.Lengths(images, shape));
        interleaved.AddRival(() => session.Lengths(images, shape));
        interleaved.Run(TimeSpan.FromMinutes(10), rounds);
        return (1e3 * interleaved.Reference.Median, 1e3 * interleaved.Rival(0).Median, interleaved.RivalRatios(0).Median, difference);
    }
}
