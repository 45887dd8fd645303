using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>train</c>: trains a network, or goes on with a run.</summary>
internal static class TrainCommand
{
    private const string Official = "official";

    /// <summary>The batch of the authors' code, in whose steps its learning rate decays.</summary>
    private const int OfficialBatchSize = 128;

    private static readonly TrainingOptions Defaults = NetworkCatalog.Get(NetworkCatalog.Default).Recipe;

    public static Command Create()
    {
        var model = CommonOptions.Model();
        var dataset = CommonOptions.Dataset();
        var data = CommonOptions.Data();
        var (imageSize, grey) = (CommonOptions.ImageSize(), CommonOptions.Grey());
        var epochs = CommonOptions.AtLeast(New("--epochs", "Passes over the training images.", Defaults.Epochs), 1);
        var batchSize = CommonOptions.Valid(
            OfModel<int?>("--batch-size", "Images in a step.", recipe => recipe.BatchSize, $"with --preset official {OfficialBatchSize}"),
            size => size >= 1, "at least 1");
        var learningRate = CommonOptions.Valid(
            OfModel<double?>("--learning-rate", "Adam's learning rate in the first step.", recipe => recipe.LearningRate),
            rate => rate > 0 && double.IsFinite(rate.Value), "above 0");
        var decay = CommonOptions.Valid(
            new Option<double?>("--decay")
            {
                Description = "The factor on the learning rate per epoch, applied at every step. " +
                    "[default: 0.9; with --model efficient 0.97; with --preset official 0.96 per 2000 steps]",
            },
            factor => factor is > 0 and <= 1, "above 0 and at most 1");
        var weightDecay = CommonOptions.Valid(
            OfModel<double?>("--weight-decay", "The L2 penalty on all parameters.", recipe => recipe.WeightDecay),
            factor => factor >= 0 && double.IsFinite(factor.Value), "at least 0");
        var iterations = CommonOptions.Valid(
            OfModel<int?>("--routing-iterations", "Iterations of the routing; 0, with --model capsnet, couples uniformly.", recipe => recipe.RoutingIterations),
            count => count >= 0, "at least 0");
        var reconstruction = CommonOptions.Valid(
            OfModel<double?>("--reconstruction-weight", "The weight of the sum of squared reconstruction errors; 0 leaves the decoder out.", recipe => recipe.ReconstructionWeight),
            weight => weight >= 0 && double.IsFinite(weight.Value), "at least 0");
        var preset = CommonOptions.Among(
            New("--preset", "Follow the text of the paper or its authors' official code: paper or official.", "paper"), "paper", Official);
        var augmentation = CommonOptions.Among(
            OfModel("--augmentation", "What is done to training images: shift, as in the 2017 paper; efficient, the rotation, shift, squish and erasure of " +
                "Efficient-CapsNet; none.", recipe => $"{recipe.Augmentation}".ToLowerInvariant()),
            [.. Enum.GetNames<Augmentation>().Select(name => name.ToLowerInvariant())]);
        var shift = CommonOptions.Valid(
            New("--shift", "With --augmentation shift, training images are shifted by up to so many pixels.", Defaults.MaxShift), pixels => pixels is >= 0 and <= 1000, "between 0 and 1000");
        var validation = CommonOptions.AtLeast(
            New("--validation", "Training images held out, at most a tenth: evaluated after each epoch, to choose the best checkpoint by. The test " +
                "images are looked at once, at the end. 0: no evaluation in between, and the last checkpoint is the best.", Defaults.Validation), 0);
        var images = CommonOptions.Valid(
            new Option<int?>("--images") { Description = "Training images used in an epoch. [default: all]" }, count => count >= 1, "at least 1");
        var seed = CommonOptions.Seed();
        var precision = CommonOptions.Among(
            New("--precision", "What the convolutions compute in: float32, bfloat16 (weights, squash, routing and optimizer stay float32), or auto, " +
                "the faster of the two on this machine.", PrecisionChoice.Float32), PrecisionChoice.Names);
        var profile = new Option<bool>("--profile") { Description = "Show at the end where the time of a step went, by stage." };
        var device = CommonOptions.Device();
        var threads = CommonOptions.Threads();
        var output = CommonOptions.Output();
        var resume = new Option<string?>("--resume")
        {
            Description = "A run folder to go on with, exactly where it stopped. Of the training options only --epochs may be given with it.",
        };

        Option[] ofTheRun =
        [
            model, dataset, imageSize, grey, batchSize, learningRate, decay, weightDecay, iterations, reconstruction, preset, augmentation, shift,
            validation, images, precision, seed, output,
        ];
        var command = new Command("train", "Train a network, or go on with a run.");
        foreach (var option in (Option[])[.. ofTheRun, data, epochs, device, threads, profile, resume])
        {
            command.Options.Add(option);
        }

        command.SetBackgroundAction(async (result, cancellation) =>
        {
            if (result.GetValue(resume) is { } earlier)
            {
                if (ofTheRun.FirstOrDefault(result.IsGiven) is { } refused)
                {
                    throw new UserException(
                        $"{refused.Name} is fixed by the run that --resume goes on with. Leave it out, or start a new run without --resume.");
                }

                return await TrainingRun.ResumeAsync(
                    AnsiConsole.Console, RunFolder.Open(earlier), result.IsGiven(epochs) ? result.GetValue(epochs) : null,
                    result.GetValue(data), result.GetValue(device)!, result.GetValue(threads), result.GetValue(profile), cancellation);
            }

            var isOfficial = result.GetValue(preset) == Official;
            var kind = NetworkCatalog.Get(result.GetValue(model)!);
            if (ofTheRun.FirstOrDefault(option => kind.WithoutOptions.Contains(option.Name) && result.IsGiven(option)) is { } useless)
            {
                throw new UserException($"{useless.Name} means nothing to --model {kind.Name}. Leave it out.");
            }

            var options = kind.Recipe with
            {
                Dataset = result.GetValue(dataset)!,
                ImageSize = result.GetValue(imageSize),
                Grey = result.GetValue(grey),
                Epochs = result.GetValue(epochs),
                BatchSize = result.GetValue(batchSize) ?? (isOfficial ? OfficialBatchSize : kind.Recipe.BatchSize),
                LearningRate = result.GetValue(learningRate) ?? kind.Recipe.LearningRate,
                Decay = result.GetValue(decay) ?? kind.Recipe.Decay,
                WeightDecay = result.GetValue(weightDecay) ?? kind.Recipe.WeightDecay,
                RoutingIterations = result.GetValue(iterations) ?? kind.Recipe.RoutingIterations,
                ReconstructionWeight = result.GetValue(reconstruction) ?? kind.Recipe.ReconstructionWeight,
                Preset = isOfficial ? Preset.OfficialCode : Preset.Paper,
                Augmentation = result.GetValue(augmentation) is { } chosen ? Enum.Parse<Augmentation>(chosen, ignoreCase: true)
                    : DatasetCatalog.Get(result.GetValue(dataset)!).Augmentation ?? kind.Recipe.Augmentation,
                MaxShift = result.GetValue(shift),
                Validation = result.GetValue(validation),
                ImagesPerEpoch = result.GetValue(images),
                Seed = result.GetValue(seed),
            };
            return await TrainingRun.StartAsync(
                AnsiConsole.Console, options, result.GetValue(data), result.GetValue(output)!,
                result.GetValue(device)!, result.GetValue(threads), result.GetValue(profile), result.GetValue(precision)!, cancellation);
        });
        return command;
    }

    // An option whose default is the recipe's of the model.
    private static Option<T> OfModel<T>(string name, string description, Func<TrainingOptions, T> inRecipe, string? further = null)
    {
        var others = NetworkCatalog.All
            .Where(kind => !kind.WithoutOptions.Contains(name) && !Equals(inRecipe(kind.Recipe), inRecipe(Defaults)))
            .Select(kind => FormattableString.Invariant($"with --model {kind.Name} {inRecipe(kind.Recipe)}"));
        string[] defaults = [FormattableString.Invariant($"{inRecipe(Defaults)}"), .. others, .. further is null ? Array.Empty<string>() : [further]];
        return new(name) { Description = $"{description} [default: {string.Join("; ", defaults)}]" };
    }

    private static Option<T> New<T>(string name, string description, T byDefault) =>
        new(name) { Description = description, DefaultValueFactory = _ => byDefault };
}
