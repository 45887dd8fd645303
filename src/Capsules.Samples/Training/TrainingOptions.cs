namespace Capsules.Samples;

/// <summary>Everything that decides how a run goes; saved with it as config.json.</summary>
internal sealed record TrainingOptions
{
    /// <summary>What <c>--dataset</c> names.</summary>
    public string Dataset { get; init; } = DatasetCatalog.Auto;

    /// <summary>Pixels a side that images are scaled to, where the dataset can; null for their own size.</summary>
    public int? ImageSize { get; init; }

    /// <summary>Whether colour images are turned to grey, where the dataset can.</summary>
    public bool Grey { get; init; }

    /// <summary>Pixels a side of the windows that are taken of images; null for whole images.</summary>
    public int? Crop { get; init; }

    /// <summary>What <c>--model</c> names.</summary>
    public string Model { get; init; } = NetworkCatalog.Default;

    /// <summary>Passes over the training images, at least 1.</summary>
    public int Epochs { get; init; } = 10;

    /// <summary>Images in a step, at least 1. The authors' code has 128.</summary>
    public int BatchSize { get; init; } = 100;

    /// <summary>Adam's learning rate in the first step.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>
    /// How the learning rate goes; null: <see cref="Schedule.Official"/> with the official code's preset and no <see cref="Decay"/>,
    /// else <see cref="Schedule.Exponential"/>. The paper gives no number.
    /// </summary>
    public Schedule? Schedule { get; init; }

    /// <summary>With <see cref="Schedule.Exponential"/>, the factor on the learning rate per epoch, in (0, 1]; null: 0.9.</summary>
    public double? Decay { get; init; }

    /// <summary>What the learning rate does not fall below. The 2017 authors' code has 1e-6: tf.maximum(rate, 1e-6).</summary>
    public double LearningRateFloor { get; init; } = 1e-6;

    /// <summary>What makes steps of gradients.</summary>
    public OptimizerKind Optimizer { get; init; }

    /// <summary>The optimizer's weight decay, at least 0; null: 0 for Adam, 0.01 for AdamW.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>The norm, over all parameters, that gradients are scaled down to where they exceed it, above 0; null for no clipping.</summary>
    public double? ClipGradients { get; init; }

    /// <summary>Epochs without a better accuracy on the images of <see cref="Select"/> after which the run ends; 0 for never.</summary>
    public int EarlyStop { get; init; }

    /// <summary>The accuracy on the images of <see cref="Select"/>, in (0, 1], that ends the run; null: none does.</summary>
    public double? StopAt { get; init; }

    /// <summary>Iterations of the routing, at least 0.</summary>
    public int RoutingIterations { get; init; } = 3;

    /// <summary>The weight of the sum of squared reconstruction errors; 0 leaves the decoder out.</summary>
    public double ReconstructionWeight { get; init; } = 0.0005;

    /// <summary>Which published version of network and loss.</summary>
    public Preset Preset { get; init; } = Preset.Paper;

    /// <summary>In what the convolutions compute; resolved, never automatic, so that a resumed run computes alike.</summary>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>The seed of weights, shuffling and augmentation.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>What is done to training images.</summary>
    public Augmentation Augmentation { get; init; } = Augmentation.Shift;

    /// <summary>With <see cref="Augmentation.Shift"/>, training images are shifted by up to so many pixels, at least 0.</summary>
    public int MaxShift { get; init; } = 2;

    /// <summary>Training images held out to choose the best checkpoint by; at most a tenth of them are.</summary>
    public int Validation { get; init; } = 5000;

    /// <summary>By which images the best checkpoint is chosen.</summary>
    public Selection Select { get; init; }

    /// <summary>Training images used in an epoch; null for all.</summary>
    public int? ImagesPerEpoch { get; init; }

    /// <summary>What is wanted of the dataset beside its name.</summary>
    internal DatasetOptions DatasetOptions => new(ImageSize, Grey, Crop);

    /// <summary>The same with nothing left open: what config.json and checkpoints are to say.</summary>
    public TrainingOptions Resolve()
    {
        var schedule = Samples.LearningRate.ScheduleOf(this);
        return this with
        {
            Schedule = schedule,
            Decay = schedule == Samples.Schedule.Exponential ? Decay ?? Samples.LearningRate.DefaultDecay : null,
            WeightDecay = WeightDecay ?? Optimizer.DefaultWeightDecay(),
            Validation = Select == Selection.Test ? 0 : Validation,      // nothing is chosen by them
        };
    }

    /// <summary>Throws unless each is one that the command line could have given: the file that they come from may be damaged.</summary>
    /// <exception cref="InvalidDataException">One is not.</exception>
    public void CheckValues()
    {
        (string Name, bool IsValid)[] values =
        [
            (nameof(Dataset), Dataset is not null), (nameof(Model), Model is not null), (nameof(ImageSize), ImageSize is null or >= 1), (nameof(Crop), Crop is null or >= 1),
            (nameof(Epochs), Epochs >= 1), (nameof(BatchSize), BatchSize >= 1), (nameof(LearningRate), LearningRate > 0 && double.IsFinite(LearningRate)),
            (nameof(Schedule), Schedule is not { } schedule || Enum.IsDefined(schedule)), (nameof(Decay), Decay is null or > 0 and <= 1),
            (nameof(LearningRateFloor), LearningRateFloor >= 0 && double.IsFinite(LearningRateFloor)), (nameof(Optimizer), Enum.IsDefined(Optimizer)),
            (nameof(WeightDecay), WeightDecay is null or >= 0 and < double.PositiveInfinity),
            (nameof(ClipGradients), ClipGradients is null or > 0 and < double.PositiveInfinity), (nameof(EarlyStop), EarlyStop >= 0), (nameof(StopAt), StopAt is null or > 0 and <= 1),
            (nameof(RoutingIterations), RoutingIterations >= 0), (nameof(ReconstructionWeight), ReconstructionWeight >= 0 && double.IsFinite(ReconstructionWeight)),
            (nameof(Preset), Enum.IsDefined(Preset)), (nameof(Precision), Enum.IsDefined(Precision)), (nameof(Augmentation), Enum.IsDefined(Augmentation)),
            (nameof(MaxShift), MaxShift >= 0), (nameof(Validation), Validation >= 0), (nameof(Select), Enum.IsDefined(Select)),
            (nameof(ImagesPerEpoch), ImagesPerEpoch is null or >= 1),
        ];
        if (values.FirstOrDefault(value => !value.IsValid).Name is { } wrong)
        {
            throw new InvalidDataException($"its option {wrong} has a value that no run can have");
        }
    }

    /// <summary>Throws unless the options fit each other and the images.</summary>
    /// <exception cref="UserException">They do not.</exception>
    public void Check(ImageDataset dataset)
    {
        if ((EarlyStop > 0 || StopAt is not null) && Select == Selection.HeldOut && Batches.HeldOut(dataset.Train.Count, Validation) == 0)
        {
            throw new UserException($"{(EarlyStop > 0 ? "--early-stop" : "--stop-at")} needs held-out images to stop by, but " + (Validation == 0
                ? "--validation is 0. Hold some out."
                : $"of {dataset.Train.Count} training images none is: at most a tenth are. Leave it out."));
        }

        if (dataset.Train.Objects > 1 && !NetworkCatalog.Get(Model).TakesSeveralObjects)
        {
            var others = string.Join(", ", NetworkCatalog.All.Where(kind => kind.TakesSeveralObjects).Select(kind => kind.Name));
            throw new UserException($"--model {Model} learns one class per image, and those of {dataset.Name} show several. Give one of {others}.");
        }

        if (Augmentation != Augmentation.None && dataset.Train.Objects > 1)
        {
            throw new UserException($"{dataset.Name} shifts its objects itself, and its images are not augmented. Give --augmentation none, or leave it out.");
        }

        var (_, height, width) = dataset.Shape;
        if (Augmentation == Augmentation.Efficient && Math.Min(height, width) < EfficientAugmentation.LeastSize)
        {
            throw new UserException(
                $"--augmentation efficient is for images of at least {EfficientAugmentation.LeastSize} x {EfficientAugmentation.LeastSize} pixels, " +
                $"but these are {height} x {width}. Give another one.");
        }

        if (Augmentation == Augmentation.Shift && MaxShift >= Math.Min(height, width))
        {
            throw new UserException($"--shift {MaxShift} would move images of {height} x {width} pixels out of sight. Give a smaller one.");
        }
    }
}
