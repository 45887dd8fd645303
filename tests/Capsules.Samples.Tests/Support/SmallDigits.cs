namespace Capsules.Samples.Tests;

/// <summary>A dataset so small that training the full network on it takes a second.</summary>
internal static class SmallDigits
{
    public static ImageDataset Create(int train = 44, int test = 20) => BuiltInDigits.Create(train, test);

    /// <summary>Two epochs of four steps with four images held out.</summary>
    public static TrainingOptions Options => new() { Dataset = BuiltInDigits.Name, Epochs = 2, BatchSize = 10, Seed = 3 };
}
