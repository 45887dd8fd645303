using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary>What the commands that look into a trained network have in common: the run, its images, and where pictures go.</summary>
internal static class InspectionCommand
{
    /// <summary>Makes a command that opens a run and its dataset and then does its work.</summary>
    /// <param name="name">The command.</param>
    /// <param name="description">What it does.</param>
    /// <param name="work">Its work, without gradients unless it asks for them.</param>
    /// <param name="options">Its own options.</param>
    /// <param name="takesPairs">Whether it has a use for images of two objects.</param>
    public static Command Create(
        string name, string description, Action<Inspection, ParseResult, CancellationToken> work, IEnumerable<Option> options,
        bool takesPairs = false)
    {
        var run = CommonOptions.Run();
        var dataset = new Option<string?>("--dataset")
        {
            Description = "The images, one of those that train knows. [default: those that the run was trained on]",
        };
        var output = new Option<string?>("--output") { Description = "The folder that pictures are written to. [default: the run folder; of pretrained this folder]" };
        var (data, device, threads) = (CommonOptions.Data(), CommonOptions.Device(), CommonOptions.Threads());
        var command = new Command(name, description) { run };
        foreach (var option in (Option[])[.. options, dataset, data, output, device, threads])
        {
            command.Options.Add(option);
        }

        command.SetBackgroundAction(async (result, cancellation) =>
        {
            var console = AnsiConsole.Console;
            var place = Session.Open(result.GetValue(device)!, result.GetValue(threads));
            var path = RunFolder.BestIn(result.GetValue(run)!);
            var (checkpoint, network) = Checkpoint.Load(path, place);
            ImageDataset images;
            try
            {
                var wanted = result.GetValue(dataset) ?? checkpoint.Dataset.Name;
                images = await TrainingRun.OpenAsync(
                    console, wanted, result.GetValue(data), checkpoint.Dataset.OptionsFor(wanted), cancellation);
                checkpoint.Dataset.RequireKind(images);
            }
            catch
            {
                network.Dispose();
                throw;
            }

            var folder = result.GetValue(output) ?? RunFolder.PlaceBeside(path);
            using var inspection = new Inspection(console, checkpoint, network, images, place, folder);
            if (inspection.HasPairs && !takesPairs)
            {
                throw new UserException($"{name} is for images of one object, and those of {images.Name} show two: reconstruct takes them apart.");
            }

            network.eval();
            using var scope = TorchSharp.torch.NewDisposeScope();
            using var noGradient = TorchSharp.torch.no_grad();
            work(inspection, result, cancellation);
            return 0;
        });
        return command;
    }
}
