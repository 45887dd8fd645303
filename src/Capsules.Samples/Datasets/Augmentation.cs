using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>What is done to training images before each step.</summary>
internal enum Augmentation
{
    /// <summary>Shifts by a few whole pixels, as in the 2017 paper.</summary>
    Shift,

    /// <summary>Rotation, shift, squish and erasure, as Efficient-CapsNet is trained.</summary>
    Efficient,

    /// <summary>Brightness and contrast, as the 2017 paper's code does with smallNORB and CIFAR-10.</summary>
    Light,

    /// <summary>Nothing.</summary>
    None,
}

/// <summary>Applies what the options of a run say.</summary>
internal static class Augmentations
{
    /// <summary>Augments images (B, C, H, W); the seed is the only source of randomness.</summary>
    public static Tensor Apply(TrainingOptions options, Tensor images, ulong seed) => options.Augmentation switch
    {
        Augmentation.Shift => ShiftAugmentation.Shift(images, options.MaxShift, seed),
        Augmentation.Efficient => EfficientAugmentation.Apply(images, seed),
        Augmentation.Light => LightAugmentation.Apply(images, seed),
        _ => images.alias(),
    };
}
