using System.CommandLine;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spectre.Console;
using TorchSharp;

namespace Capsules.Samples;

/// <summary><c>info</c>: what the program runs on, and a network's parameters.</summary>
internal static class InfoCommand
{
    public static Command Create()
    {
        var model = CommonOptions.Model();
        var device = CommonOptions.Device();
        var check = new Option<bool>("--check")
        {
            Description = "Compute small things whose results are known, on --device: whether this libtorch does what it is asked for.",
        };
        var command = new Command("info", "Show versions, back end, devices, data and a network's parameters.") { model, device, check };
        command.Refusing(model, with: check).Refusing(device, unless: check);
        command.SetAction(result => result.GetValue(check)
            ? Check(AnsiConsole.Console, result.GetValue(device)!)
            : Run(AnsiConsole.Console, NetworkCatalog.Get(result.GetValue(model)!)));
        return command;
    }

    private static int Run(IAnsiConsole console, NetworkKind kind)
    {
        Session.Open("cpu", threads: 0);
        Show(console);
        using var network = kind.Make(kind.Recipe, new ImageShape(1, 28, 28), 10);
        var parameters = new Table().Border(TableBorder.Rounded).Title($"{Markup.Escape(kind.Title)} for 28 x 28 images").AddColumns("parameter", "shape");
        parameters.AddColumn(new TableColumn("count").RightAligned());
        foreach (var (name, parameter) in network.named_parameters())
        {
            parameters.AddRow(name, $"({string.Join(", ", parameter.shape)})", RunReport.Count(parameter.numel()));
        }

        parameters.AddRow("total", "", RunReport.Count(network.parameters().Sum(p => p.numel())));
        console.Write(parameters);
        return 0;
    }

    // Each line as soon as it is known: what ends the process comes after the last one.
    private static int Check(IAnsiConsole console, string device)
    {
        var place = Session.Open(device, threads: 0);
        Show(console);
        console.Say($"Known answers, on {ComputeDevice.Describe(place)}:");
        var wrong = 0;
        foreach (var (name, reason) in KnownAnswers.Run(place))
        {
            console.Say($"  {(reason is null ? "right" : "WRONG")}  {name}{(reason is null ? "" : $": {reason}")}");
            wrong += reason is null ? 0 : 1;
        }

        return wrong == 0 ? 0 : throw new UserException($"{wrong} of the known answers came out wrong: this libtorch cannot be trusted with TorchSharp.");
    }

    private static void Show(IAnsiConsole console)
    {
        var facts = new Table().Border(TableBorder.Rounded).HideHeaders().AddColumns("", "");
        foreach (var (name, value) in Facts())
        {
            facts.AddRow(Markup.Escape(name), Markup.Escape(value));
        }

        console.Write(facts);
    }

    private static IEnumerable<(string, string)> Facts()
    {
        yield return ("Capsules", typeof(CapsuleLayer).Assembly.GetName().Version!.ToString(3));
        yield return ("TorchSharp", typeof(torch).Assembly.GetName().Version!.ToString(3));
        yield return ("back end", BackEnd.Source);
        yield return ("libtorch", BackEnd.Libtorch);
        yield return (".NET", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription}");
        var simd = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;
        yield return ("CPU", $"{Environment.ProcessorCount} processors, {torch.get_num_threads()} threads, {simd}-bit vectors");
        yield return ("CUDA", BackEnd.Cuda);
        foreach (var (i, gpu) in BackEnd.Gpus.Index())
        {
            yield return ($"GPU {i}", gpu);
        }

        yield return ("routing kernel", BackEnd.RoutingKernel);
        var folders = DataFolders.OfThisMachine(null);
        yield return ("data", string.Join("\n", new[]
        {
            $"{DataFolders.Variable}: {folders.FromEnvironment ?? "not set"}",
            $"cache: {folders.Cache ?? "none"}",
        }));
    }
}
