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
        var command = new Command("info", "Show versions, back end, devices, data and a network's parameters.") { model };
        command.SetAction(result => Run(AnsiConsole.Console, NetworkCatalog.Get(result.GetValue(model)!)));
        return command;
    }

    private static int Run(IAnsiConsole console, NetworkKind kind)
    {
        Session.Open("cpu", threads: 0);
        var facts = new Table().Border(TableBorder.Rounded).HideHeaders().AddColumns("", "");
        foreach (var (name, value) in Facts())
        {
            facts.AddRow(Markup.Escape(name), Markup.Escape(value));
        }

        console.Write(facts);
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

    private static IEnumerable<(string, string)> Facts()
    {
        yield return ("Capsules", typeof(CapsuleLayer).Assembly.GetName().Version!.ToString(3));
        yield return ("TorchSharp", typeof(torch).Assembly.GetName().Version!.ToString(3));
        yield return ("libtorch", Libtorch.IsCarried ? "carried by this build" : Environment.GetEnvironmentVariable(Libtorch.Variable) ?? "");
        yield return (".NET", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription}");
        var simd = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;
        yield return ("CPU", $"{Environment.ProcessorCount} processors, {torch.get_num_threads()} threads, {simd}-bit vectors");
        yield return ("CUDA", torch.cuda.is_available() ? $"{torch.cuda.device_count()} device(s)" : "none available to this build");
        var folders = DataFolders.OfThisMachine(null);
        yield return ("data", string.Join("\n", new[]
        {
            $"{DataFolders.Variable}: {folders.FromEnvironment ?? "not set"}",
            $"cache: {folders.Cache ?? "none"}",
        }));
    }
}
