using System.CommandLine;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary><c>check-onnx</c>: does ONNX Runtime compute what this library computes, on the test images of trained networks?</summary>
internal static class CheckOnnxCommand
{
    public const string Name = "check-onnx";

    public static RootCommand Create()
    {
        var runs = new Argument<string[]>("run")
        {
            Description = "Run folders, checkpoints or safetensors files of the sample. Default: its pretrained network.",
            DefaultValueFactory = _ => [NetworkFile.Pretrained],
        };
        var images = CompareNetworkCommand.Count("--images", "Test images.", 1000);
        var data = new Option<string?>("--data") { Description = "The folder with the datasets' files. Default: as the sample finds them.", HelpName = "FOLDER" };
        var root = new RootCommand(
            "Runs trained networks on test images in this library and, exported, in ONNX Runtime. " +
            $"Exit code 1 where an output differs by more than {OnnxAgreement.Tolerance:0e-0} or a class is another.") { runs, images, data };
        root.SetAction(async (result, cancellation) =>
        {
            try
            {
                var table = new MarkdownTable(
                    "network", "images", "errors here", "errors in ONNX Runtime", "classes alike", "largest difference", "capsules or logits",
                    "lengths or probabilities", "reconstruction");
                var agree = true;
                foreach (var run in result.GetValue(runs)!)
                {
                    var agreement = await OnnxAgreement.OfAsync(run, result.GetValue(images), result.GetValue(data), cancellation);
                    agree &= agreement.Agrees;
                    table.Add(
                    [
                        agreement.Network, $"{agreement.Images}", $"{agreement.Errors}", $"{agreement.OnnxErrors}",
                        $"{agreement.Alike}", $"{agreement.Differences.Aggregate(Math.Max):0.0e-0}",
                        .. Enumerable.Range(0, 3).Select(i => i < agreement.Differences.Count ? $"{agreement.Differences[i]:0.0e-0}" : "none"),
                    ]);
                }

                Console.Write(table);
                return agree ? 0 : 1;
            }
            catch (Exception failure) when (failure is UserException or NotSupportedException)
            {
                await Console.Error.WriteLineAsync(failure.Message);
                return 1;
            }
        });
        return root;
    }
}
