using System.CommandLine;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spectre.Console;
using TorchSharp;

namespace Capsules.Samples;

/// <summary><c>info</c>: what the program runs on, and the network's parameters.</summary>
internal static class InfoCommand
{
    public static Command Create()
    {
        var command = new Command("info", "Show versions, back end, devices, data and the network's parameters.");
        command.SetAction(_ => Run(AnsiConsole.Console));
        return command;
    }

    private static int Run(IAnsiConsole console)
    {
        Session.Open("cpu", threads: 0);
        var facts = new Table().Border(TableBorder.Rounded).HideHeaders().AddColumns("", "");
        foreach (var (name, value) in Facts())
        {
            facts.AddRow(Markup.Escape(name), Markup.Escape(value));
        }

        console.Write(facts);
        using var network = new CapsNet(new ImageShape(1, 28, 28), classes: 10);
        var parameters = new Table().Border(TableBorder.Rounded).Title("CapsNet (2017) for 28 x 28 images").AddColumns("parameter", "shape");
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
