using System.CommandLine;

namespace Capsules.Samples;

/// <summary>Options of <c>train</c> on the images: which, what is done to them, and by which a checkpoint is chosen.</summary>
internal sealed class ImageOptions : OptionGroup
{
    private readonly Option<string> _dataset;
    private readonly Option<int?> _imageSize;
    private readonly Option<bool> _grey;
    private readonly Option<int?> _crop;
    private readonly Option<string?> _augmentation;
    private readonly Option<int> _shift;
    private readonly Option<int?> _images;
    private readonly Option<int> _validation;
    private readonly Option<string?> _select;

    public ImageOptions()
    {
        _dataset = Add(CommonOptions.Dataset());
        _imageSize = Add(CommonOptions.ImageSize());
        _grey = Add(CommonOptions.Grey());
        _crop = Add(CommonOptions.Crop());
        _images = Add(CommonOptions.Valid(
            new Option<int?>("--images") { Description = "Training images used in an epoch. [default: all]" }, count => count >= 1, "at least 1"));
        _augmentation = Add(OfEnum<Augmentation>(
            OfModel<string?>("--augmentation", "What is done to training images: shift, as in the 2017 paper; efficient, the rotation, shift, squish and " +
                "erasure of Efficient-CapsNet; light, the brightness and contrast of the 2017 paper's code; none.",
                recipe => Name(recipe.Augmentation), "with --crop none")));
        _shift = Add(CommonOptions.Valid(
            New("--shift", "With --augmentation shift, training images are shifted by up to so many pixels.", Defaults.MaxShift),
            pixels => pixels is >= 0 and <= 1000, "between 0 and 1000"));
        _validation = Add(CommonOptions.AtLeast(
            New("--validation", "Training images held out, at most a tenth: evaluated after each epoch, to choose the best checkpoint by. The test " +
                "images are looked at once, at the end. 0: no evaluation in between, and the last checkpoint is the best.", Defaults.Validation), 0));
        _select = Add(OfEnum<Selection>(new("--select")
        {
            Description = "By which images the best checkpoint is chosen: held-out, or test, which is there to reproduce what others did: all training " +
                "images are trained on, the test images choose, and the figures are too good. [default: held-out]",
        }));
    }

    public override TrainingOptions Apply(ParseResult result, TrainingOptions recipe)
    {
        var kind = DatasetCatalog.Get(result.GetValue(_dataset)!);
        if (kind.Augmentation == Augmentation.None && !result.IsGiven(_augmentation) && result.IsGiven(_shift))
        {
            throw new UserException($"{kind.Name} shifts its objects itself, and --shift has no part in it. Leave it out.");
        }

        var augmentation = Value<Augmentation>(result, _augmentation)
            ?? kind.Augmentation
            ?? (result.IsGiven(_crop) ? Augmentation.None : recipe.Augmentation);
        if (augmentation != Augmentation.Shift && result.IsGiven(_shift))
        {
            throw new UserException($"--shift means nothing with --augmentation {Name(augmentation)}. Leave it out, or give --augmentation shift.");
        }

        var select = Value<Selection>(result, _select) ?? Selection.HeldOut;
        return select == Selection.Test && result.IsGiven(_validation)
            ? throw new UserException("--validation holds images out, and with --select test none are chosen by. Leave one of the two out.")
            : recipe with
            {
                Dataset = result.GetValue(_dataset)!,
                ImageSize = result.GetValue(_imageSize),
                Grey = result.GetValue(_grey),
                Crop = result.GetValue(_crop),
                ImagesPerEpoch = result.GetValue(_images),
                Augmentation = augmentation,
                MaxShift = result.GetValue(_shift),
                Validation = result.GetValue(_validation),
                Select = select,
            };
    }
}
