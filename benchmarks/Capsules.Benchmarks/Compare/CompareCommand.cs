using System.CommandLine;
using System.Text.Json;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary><c>compare</c>: ours and every baseline in one process, in turn.</summary>
internal static class CompareCommand
{
    public const string Name = "compare";

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public static RootCommand Create()
    {
        var cases = new Option<string[]>("--case") { Description = "Measure this case or shape only, for example mnist-100 or mnist. May be repeated.", HelpName = "NAME", AllowMultipleArgumentsPerToken = true };
        var device = DeviceOption();
        var quick = new Option<bool>("--quick") { Description = "Few rounds; without --case, two cases: under a minute." };
        var threads = CommonOptions.AtLeast(new Option<int?>("--threads") { Description = "Threads of libtorch. Default: its own choice.", HelpName = "N" }, 1);
        var tuned = new Option<bool>("--tuned-allocator") { Description = "Let glibc keep freed blocks up to 1 GiB instead of returning them to the system." };
        var json = new Option<FileInfo?>("--json") { Description = "Write everything measured to this file.", HelpName = "FILE" };
        var markdown = new Option<FileInfo?>("--markdown") { Description = "Write the printed report to this file too.", HelpName = "FILE" };
        var roofline = new Option<FileInfo?>("--roofline") { Description = "Draw the cases under the machine's limits into this SVG file.", HelpName = "FILE" };
        var list = new Option<bool>("--list") { Description = "Show the cases and end." };
        var root = new RootCommand("Compares the fused dynamic routing with plain implementations on the same libtorch.") { cases, device, quick, threads, tuned, json, markdown, roofline, list };
        root.SetAction(result =>
        {
            if (result.GetValue(list))
            {
                List();
                return 0;
            }

            try
            {
                if (result.GetValue(tuned) && !Allocator.KeepLargeBlocks())
                {
                    // malloc must know before the first large block; for the whole process, so default and tuned are two runs.
                    throw new InvalidOperationException("--tuned-allocator needs Linux with glibc.");
                }

                var place = Open(result.GetValue(device)!);
                var settings = CompareSettings.Of(result.GetValue(cases) ?? [], result.GetValue(quick), result.GetValue(tuned), place);
                Run(settings, result.GetValue(threads), result.GetValue(json), result.GetValue(markdown), result.GetValue(roofline));
                return 0;
            }
            catch (Exception failure) when (failure is ArgumentException or InvalidOperationException or IOException or UserException)
            {
                Console.Error.WriteLine(failure.Message);
                return 1;
            }
        });
        return root;
    }

    /// <summary>Where to measure: the option that the benchmarks share.</summary>
    public static Option<string> DeviceOption()
    {
        var option = new Option<string>("--device") { Description = "Where to compute: cpu or cuda.", DefaultValueFactory = _ => "cpu" };
        option.AcceptOnlyFromAmong("cpu", "cuda");
        return option;
    }

    /// <summary>Opens a device, on which float32 products are of float32 operands.</summary>
    /// <exception cref="UserException">It is not there.</exception>
    public static torch.Device Open(string name)
    {
        var device = ComputeDevice.Open(name);
        Precision.Float32.Apply(device);
        torch.zeros([1], device: device).Dispose();      // a GPU is in use from the first tensor on
        return device;
    }

    /// <summary>Prints a report, and writes it and what it was made from to the files that were asked for.</summary>
    public static void Publish<T>(T measured, string report, FileInfo? markdown, FileInfo? json)
    {
        Console.Write(report);
        if (markdown is not null)
        {
            File.WriteAllText(markdown.FullName, report);
        }

        if (json is not null)
        {
            File.WriteAllText(json.FullName, JsonSerializer.Serialize(measured, Json) + "\n");
        }
    }

    private static void List()
    {
        foreach (var c in RoutingCase.OfGpu)
        {
            var left = string.Join(", ", Implementation.Baselines.Where(b => RoutingCase.All.Contains(c) && !b.Fits(c)).Select(b => b.Name));
            Console.WriteLine($"{c.Name,-12} {c.InCapsules} x {c.InDim} -> {c.OutCapsules} x {c.OutDim}, batch {c.Batch}{(RoutingCase.All.Contains(c) ? "" : ", with --device cuda")}{(left.Length == 0 ? "" : $"; without {left}, over {Implementation.MostBytes / 1e9:f1} GB")}");
        }
    }

    private static void Run(CompareSettings settings, int? threads, FileInfo? json, FileInfo? markdown, FileInfo? roofline)
    {
        if (threads is { } count)
        {
            torch.set_num_threads(count);
        }

        var reason = CapsulesRouting.FallBackOn(settings.Device);
        if (reason is not null)
        {
            Console.Error.WriteLine($"Without the fused kernel: {reason}");
        }

        using var limits = new MachineLimits(settings.Device);
        var results = new List<CaseResult>();
        foreach (var routingCase in settings.Cases)
        {
            Console.Error.WriteLine($"{routingCase.Name} ({results.Count + 1} of {settings.Cases.Count})");
            results.Add(new CaseComparison(routingCase, limits, settings).Run());
        }

        var comparison = new Comparison(Machine.ThisOne(settings.Device), reason is null, settings.TunedAllocator, results);
        Publish(comparison, MarkdownReport.Of(comparison), markdown, json);
        if (roofline is not null)
        {
            File.WriteAllText(roofline.FullName, RooflineChart.Of(comparison));
        }
    }
}
