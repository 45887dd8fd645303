using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Capsules.Onnx;
using Spectre.Console;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary><c>export</c>: a run's network as a file for other programs.</summary>
internal static class ExportCommand
{
    private const string Onnx = "onnx", SafetensorsFormat = "safetensors";

    public static Command Create()
    {
        var run = CommonOptions.Run();
        var format = CommonOptions.Among(new Option<string>("--format")
        {
            Description = $"{Onnx}: the whole network, for ONNX Runtime and others; {SafetensorsFormat}: weights and description, which the other commands take in place of a run.",
            DefaultValueFactory = _ => Onnx,
        }, Onnx, SafetensorsFormat);
        var output = new Option<string?>("--output") { Description = "The file. [default: network.onnx or network.safetensors in the run folder; of pretrained in the working folder]" };
        var withoutDecoder = new Option<bool>("--without-decoder") { Description = "Leave the decoder out, which of a small network is the larger part." };
        var command = new Command("export", "Write a trained network to a file that other programs read.") { run, format, output, withoutDecoder };
        command.SetBackgroundAction((result, _) =>
        {
            Session.Open("cpu", threads: 0);
            var (console, kind, withDecoder) = (AnsiConsole.Console, result.GetValue(format)!, !result.GetValue(withoutDecoder));
            var path = RunFolder.BestIn(result.GetValue(run)!);
            var file = Path.GetFullPath(result.GetValue(output) ?? Path.Combine(RunFolder.PlaceBeside(path), $"network.{kind}"));
            if (kind == SafetensorsFormat)
            {
                NetworkFile.Save(result.GetValue(run)!, file, withDecoder);
                console.Say($"{file}: {Size(new FileInfo(file).Length)}, safetensors. Other commands take it in place of a run.");
                return Task.FromResult(0);
            }

            var (checkpoint, network) = Checkpoint.Load(path, CPU);
            using (network)
            {
                WriteOnnx(console, checkpoint, network, withDecoder, file);
            }

            return Task.FromResult(0);
        });
        return command;
    }

    private static void WriteOnnx(IAnsiConsole console, Checkpoint checkpoint, ImageNetwork network, bool withDecoder, string file)
    {
        network.eval();
        try
        {
            var graph = new OnnxGraph();
            var image = checkpoint.Dataset.Image;
            var images = graph.Input("images", image.Channels, image.Height, image.Width);
            network.Export(graph, images, withDecoder);
            graph.Save(file, Metadata(checkpoint));
            console.Say(
                $"{file}: {Size(new FileInfo(file).Length)}, ONNX opset {OnnxGraph.Opset}, float32: {images} in [0, 1] -> " +
                $"{string.Join(", ", graph.Outputs)}. It has not been run; docs/onnx.md shows how to.");
        }
        catch (NotSupportedException failure)
        {
            throw new UserException($"{failure.Message} Its weights alone can be written with --format {SafetensorsFormat}.", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{file} cannot be written: {failure.Message} Give another file with --output.", failure);
        }

        if (checkpoint.Options.Precision != Precision.Float32)
        {
            console.Say($"The network was trained with --precision {checkpoint.Options.Precision.ToString().ToLowerInvariant()}; the file computes in float32.");
        }
    }

    private static Dictionary<string, string> Metadata(Checkpoint checkpoint) => new()
    {
        [OnnxExport.ClassNames] = JsonSerializer.Serialize(checkpoint.Dataset.ClassNames),
        ["model"] = checkpoint.Options.Model,
        ["dataset"] = checkpoint.Dataset.Name,
        ["epochs"] = checkpoint.State.History.Count.ToString(CultureInfo.InvariantCulture),
    };

    private static string Size(long bytes) => bytes < 1_000_000
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:f0} kB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:f1} MB");
}
