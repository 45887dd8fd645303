using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

/// <summary>A dataset so small that training the full network on it takes a second.</summary>
internal static class SmallDigits
{
    /// <param name="train">Images to train on.</param>
    /// <param name="test">Images to test on.</param>
    /// <param name="every">Of rows and columns only every so manieth stays: smaller images, for networks that are slow on 28 x 28.</param>
    public static ImageDataset Create(int train = 44, int test = 20, int every = 1)
    {
        var digits = BuiltInDigits.Create(train, test);
        return every == 1 ? digits : new ImageDataset(digits.Name, digits.Source, digits.ClassNames, Thinned(digits.Train), Thinned(digits.Test));

        ImageSplit Thinned(ImageSplit split)
        {
            using var scope = NewDisposeScope();
            var step = TensorIndex.Slice(step: every);
            return new ImageSplit(split.Images[TensorIndex.Colon, TensorIndex.Colon, step, step].contiguous().DetachFromDisposeScope(), split.Labels);
        }
    }

    /// <summary>Writes a few digits as MNIST's four files, for commands that take a folder.</summary>
    /// <returns>The folder, which <c>--data</c> takes.</returns>
    public static string WriteMnist(TemporaryFolder folder, int train = 60, int test = 30)
    {
        using var digits = BuiltInDigits.Create(train, test);
        foreach (var (split, name) in ((ImageSplit, string)[])[(digits.Train, "train"), (digits.Test, "t10k")])
        {
            var labels = split.Labels.data<long>().Select(label => (byte)label).ToArray();
            folder.Write(Path.Combine("data", $"{name}-images-idx3-ubyte"), IdxBytes.Of([(uint)labels.Length, 28, 28], split.Images.bytes.ToArray()));
            folder.Write(Path.Combine("data", $"{name}-labels-idx1-ubyte"), IdxBytes.Labels(labels));
        }

        return folder.PathOf("data");
    }

    /// <summary>Two epochs of four steps with four images held out.</summary>
    public static TrainingOptions Options => new() { Dataset = BuiltInDigits.Name, Epochs = 2, BatchSize = 10, Seed = 3 };
}
