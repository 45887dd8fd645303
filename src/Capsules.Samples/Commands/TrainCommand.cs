using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>train</c>: trains the 2017 network, or goes on with a run.</summary>
internal static class TrainCommand
{
    private static readonly TrainingOptions Defaults = new();

    public static Command Create()
    {
        var dataset = CommonOptions.Dataset();
        var data = CommonOptions.Data();
        var epochs = CommonOptions.AtLeast(new Option<int>("--epochs") { Description = "Passes over the training images.", DefaultValueFactory = _ => Defaults.Epochs }, 1);
        var batchSize = CommonOptions.AtLeast(new Option<int>("--batch-size") { Description = "Images in a step.", DefaultValueFactory = _ => Defaults.BatchSize }, 1);
        var learningRate = CommonOptions.Valid(new Option<double>("--learning-rate") { Description = "Adam's learning rate in the first step.", DefaultValueFactory = _ => Defaults.LearningRate },
            rate => rate > 0 && double.IsFinite(rate), "above 0");
        var decay = CommonOptions.Valid(new Option<double?>("--decay") { Description = "The factor on the learning rate per epoch, applied at every step. [default: 0.9; with --preset official 0.96 per 2000 steps]" },
            factor => factor is > 0 and <= 1, "above 0 and at most 1");
        var iterations = CommonOptions.AtLeast(new Option<int>("--routing-iterations") { Description = "Iterations of dynamic routing; 0 couples uniformly.", DefaultValueFactory = _ => Defaults.RoutingIterations }, 0);
        var reconstruction = CommonOptions.Valid(new Option<double>("--reconstruction-weight") { Description = "The weight of the sum of squared reconstruction errors; 0 leaves the decoder out.", DefaultValueFactory = _ => Defaults.ReconstructionWeight },
            weight => weight >= 0 && double.IsFinite(weight), "at least 0");
        var preset = CommonOptions.Among(new Option<string>("--preset") { Description = "Follow the text of the paper or its authors' official code: paper or official.", DefaultValueFactory = _ => "paper" }, "paper", "official");
        var shift = CommonOptions.AtLeast(new Option<int>("--shift") { Description = "Training images are shifted by up to so many pixels.", DefaultValueFactory = _ => Defaults.MaxShift }, 0);
        var validation = CommonOptions.AtLeast(new Option<int>("--validation") { Description = "Training images held out to choose the best checkpoint by, at most a tenth; 0 for none.", DefaultValueFactory = _ => Defaults.Validation }, 0);
        var images = CommonOptions.Valid(new Option<int?>("--images") { Description = "Training images used in an epoch. [default: all]" }, count => count >= 1, "at least 1");
        var seed = CommonOptions.Seed();
        var device = CommonOptions.Device();
        var threads = CommonOptions.Threads();
        var output = CommonOptions.Output();
        var resume = new Option<string?>("--resume") { Description = "A run folder to go on with, exactly where it stopped. Of the training options only --epochs may be given with it." };

        Option[] ofTheRun = [dataset, batchSize, learningRate, decay, iterations, reconstruction, preset, shift, validation, images, seed, output];
        var command = new Command("train", "Train the network of \"Dynamic Routing Between Capsules\" (2017), or go on with a run.");
        foreach (var option in (Option[])[dataset, data, epochs, batchSize, learningRate, decay, iterations, reconstruction, preset, shift, validation, images, seed, device, threads, output, resume])
        {
            command.Options.Add(option);
        }

        command.SetBackgroundAction(async (result, cancellation) =>
        {
            if (result.GetValue(resume) is { } earlier)
            {
                if (ofTheRun.FirstOrDefault(result.IsGiven) is { } refused)
                {
                    throw new UserException($"{refused.Name} is fixed by the run that --resume goes on with. Leave it out, or start a new run without --resume.");
                }

                return await TrainingRun.ResumeAsync(AnsiConsole.Console, RunFolder.Open(earlier), result.IsGiven(epochs) ? result.GetValue(epochs) : null,
                    result.GetValue(data), result.GetValue(device)!, result.GetValue(threads), cancellation);
            }

            var options = new TrainingOptions
            {
                Dataset = result.GetValue(dataset)!,
                Epochs = result.GetValue(epochs),
                BatchSize = result.GetValue(batchSize),
                LearningRate = result.GetValue(learningRate),
                Decay = result.GetValue(decay),
                RoutingIterations = result.GetValue(iterations),
                ReconstructionWeight = result.GetValue(reconstruction),
                Preset = result.GetValue(preset) == "official" ? Preset.OfficialCode : Preset.Paper,
                MaxShift = result.GetValue(shift),
                Validation = result.GetValue(validation),
                ImagesPerEpoch = result.GetValue(images),
                Seed = result.GetValue(seed),
            };
            return await TrainingRun.StartAsync(AnsiConsole.Console, options, result.GetValue(data), result.GetValue(output)!,
                result.GetValue(device)!, result.GetValue(threads), cancellation);
        });
        return command;
    }
}
