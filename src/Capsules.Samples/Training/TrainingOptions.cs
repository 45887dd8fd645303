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

    /// <summary>What <c>--model</c> names.</summary>
    public string Model { get; init; } = NetworkCatalog.Default;

    /// <summary>Passes over the training images, at least 1.</summary>
    public int Epochs { get; init; } = 10;

    /// <summary>Images in a step, at least 1. The authors' code has 128.</summary>
    public int BatchSize { get; init; } = 100;

    /// <summary>Adam's learning rate in the first step.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>
    /// The factor on the learning rate per epoch, applied continuously, in (0, 1]. Null: 0.9 for the paper's preset (which gives
    /// no number; this is CapsNet-Keras's), 0.96 per 2000 steps for the official code's.
    /// </summary>
    public double? Decay { get; init; }

    /// <summary>What the learning rate does not fall below. The 2017 authors' code has 1e-6: tf.maximum(rate, 1e-6).</summary>
    public double LearningRateFloor { get; init; } = 1e-6;

    /// <summary>The L2 penalty on all parameters, whose gradient Adam adds: decay times the parameter; at least 0.</summary>
    public double WeightDecay { get; init; }

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

    /// <summary>Training images used in an epoch; null for all.</summary>
    public int? ImagesPerEpoch { get; init; }

    /// <summary>Throws unless the options fit the images.</summary>
    /// <exception cref="UserException">They do not.</exception>
    public void Check(ImageDataset dataset)
    {
        if (Augmentation != Augmentation.None && dataset.Train.Objects > 1)
        {
            throw new UserException($"{dataset.Name} shifts its objects itself, and its images are not augmented. Give --augmentation none, or leave it out.");
        }

        if (Augmentation == Augmentation.Efficient && Math.Min(dataset.Height, dataset.Width) < EfficientAugmentation.LeastSize)
        {
            throw new UserException(
                $"--augmentation efficient is for images of at least {EfficientAugmentation.LeastSize} x {EfficientAugmentation.LeastSize} pixels, " +
                $"but these are {dataset.Height} x {dataset.Width}. Give another one.");
        }

        if (Augmentation == Augmentation.Shift && MaxShift >= Math.Min(dataset.Height, dataset.Width))
        {
            throw new UserException($"--shift {MaxShift} would move images of {dataset.Height} x {dataset.Width} pixels out of sight. Give a smaller one.");
        }
    }
}
