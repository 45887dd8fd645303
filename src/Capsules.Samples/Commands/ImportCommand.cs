using System.CommandLine;
using Spectre.Console;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary><c>import</c>: another implementation's weights of the 2017 network on MNIST as a file that the other commands take.</summary>
internal static class ImportCommand
{
    private const string Decoder = "decoder.";

    private static readonly Dictionary<string, (WeightsMapping Mapping, Preset Preset)> Layouts = new()
    {
        ["gram-ai"] = (PeerLayouts.GramAi(), Preset.Paper),
        ["leftthomas"] = (PeerLayouts.Leftthomas(), Preset.Paper),
        ["keras"] = (PeerLayouts.CapsNetKeras(), Preset.Paper),
        ["official"] = (PeerLayouts.OfficialTensorFlow(), Preset.OfficialCode),
    };

    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "The weights: safetensors, or a .pt file that PyTorch wrote of a state dict." };
        var layout = CommonOptions.Among(
            new Option<string>("--layout")
            {
                Description = $"Whose weights they are: {string.Join(", ", Layouts.Keys)} (docs/weights.md).",
                Required = true,
            },
            [.. Layouts.Keys]);
        var output = new Option<string?>("--output")
        {
            Description = $"The file to write. [default: beside the weights, ending in -capsnet{NetworkFile.Extension}]",
        };
        var command = new Command("import", "Take over another implementation's weights of the 2017 network on MNIST, for the commands that look at runs.")
        {
            file, layout, output,
        };
        command.SetBackgroundAction((result, _) =>
        {
            Session.Open("cpu", threads: 0);
            var path = result.GetValue(file)!;
            var target = result.GetValue(output) ?? Path.ChangeExtension(path, null) + $"-capsnet{NetworkFile.Extension}";
            Import(AnsiConsole.Console, path, result.GetValue(layout)!, target);
            return Task.FromResult(0);
        });
        return command;
    }

    private static void Import(IAnsiConsole console, string path, string layout, string target)
    {
        var (mapping, preset) = Layouts[layout];
        var checkpoint = new Checkpoint(
            new TrainingOptions { Dataset = Mnist.Name, Preset = preset },
            new DatasetFacts(Mnist.Name, new ImageShape(1, 28, 28), DigitClasses.Names, Fingerprint: ""),
            new TrainingState());
        using var scope = NewDisposeScope();
        using var network = checkpoint.MakeNetwork();
        var report = Load(network, path, mapping);
        var lacking = report.Missing.Concat(report.Mismatched).ToLookup(name => name.StartsWith(Decoder, StringComparison.Ordinal));
        if (lacking[false].Any())
        {
            throw new UserException(
                $"{path} does not hold the 2017 network on MNIST in the layout {layout} ({report}). Give another --layout, or see docs/weights.md.");
        }

        NetworkFile.Save(checkpoint, network, target, withDecoder: !lacking[true].Any());
        var decoder = lacking[true].Any() ? ", without the decoder, which the file lacks or has in another size" : "";
        console.Say($"{target}: {report.Loaded.Count} tensors{decoder}");
        if (report.Unexpected.Count > 0)
        {
            console.Say($"left out: {string.Join(", ", report.Unexpected)}");
        }
    }

    private static WeightsReport Load(ImageNetwork network, string path, WeightsMapping mapping)
    {
        try
        {
            return Weights.Load(network, path, mapping, strict: false);
        }
        catch (Exception failure) when (failure is InvalidDataException or NotSupportedException)
        {
            throw new UserException(failure.Message, failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path} cannot be read: {failure.Message}", failure);
        }
    }
}
