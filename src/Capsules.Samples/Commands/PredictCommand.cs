using System.CommandLine;
using Spectre.Console;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary><c>predict</c>: the classes of pictures.</summary>
internal static class PredictCommand
{
    public static Command Create()
    {
        var run = new Argument<string>("run") { Description = "A run folder, of which the best checkpoint is taken, or a checkpoint file." };
        var pictures = new Argument<string[]>("pictures") { Description = "Picture files (PNG, JPEG, ...); each is scaled to the size of the images that the network knows.", Arity = ArgumentArity.OneOrMore };
        var invert = new Option<bool>("--invert") { Description = "Turn dark on light into light on dark, as MNIST's digits are." };
        var device = CommonOptions.Device();
        var threads = CommonOptions.Threads();
        var command = new Command("predict", "Classify pictures with a trained network.") { run, pictures, invert, device, threads };
        command.SetBackgroundAction((result, cancellation) => Task.FromResult(Run(AnsiConsole.Console, result.GetValue(run)!, result.GetValue(pictures)!,
            result.GetValue(invert), result.GetValue(device)!, result.GetValue(threads), cancellation)));
        return command;
    }

    private static int Run(IAnsiConsole console, string run, string[] pictures, bool invert, string device, int threads, CancellationToken cancellation)
    {
        var place = Session.Open(device, threads);
        var (checkpoint, network, _) = Checkpoint.Load(RunFolder.BestIn(run), place);
        using (network)
        {
            network.eval();
            using var inference = inference_mode();      // no gradients, and no decoder runs
            foreach (var chunk in pictures.Chunk(100))
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var images = cat([.. chunk.Select(path => PictureFile.Read(path, checkpoint.Dataset.Image, invert))]).to(place);
                var (scores, classes) = network.Scores(network.call(images)).topk(Math.Min(2, checkpoint.Dataset.ClassNames.Count), dim: 1);
                for (var i = 0; i < chunk.Length; i++)
                {
                    var ranking = Enumerable.Range(0, (int)classes.size(1))
                        .Select(k => $"{checkpoint.Dataset.ClassNames[(int)classes[i, k].item<long>()]} ({scores[i, k].item<float>():f3})");
                    console.Say($"{chunk[i]}: {string.Join(", then ", ranking)}");
                }
            }
        }

        return 0;
    }
}
