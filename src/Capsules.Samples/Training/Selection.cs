namespace Capsules.Samples;

/// <summary>By which images the best checkpoint of a run is chosen.</summary>
internal enum Selection
{
    /// <summary>Training images that are held out. The test images are looked at once, at the end.</summary>
    HeldOut,

    /// <summary>The test images themselves, after every epoch: only to reproduce results that were found so. They are too good.</summary>
    Test,
}

/// <summary>What is said of a selection.</summary>
internal static class SelectionExtensions
{
    /// <summary>What the images that a checkpoint is chosen by are called in logs, metrics and plots.</summary>
    public static string Images(this Selection selection) => selection == Selection.Test ? "test" : "validation";

    /// <summary>A warning that goes with every figure; null where none is due.</summary>
    public static string? Warning(this Selection selection) => selection == Selection.Test
        ? "chosen by the test images (--select test): not comparable with held-out selection"
        : null;
}
