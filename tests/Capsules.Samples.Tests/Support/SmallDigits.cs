using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

/// <summary>A dataset so small that training the full network on it takes a second.</summary>
internal static class SmallDigits
{
    /// <summary>The least size that the 2017 network's two convolutions leave something of: one position of primary capsules.</summary>
    public const int LeastSize = 17;

    /// <param name="train">Images to train on.</param>
    /// <param name="test">Images to test on.</param>
    /// <param name="size">Height and width, at most 28: the middle of the digits.</param>
    /// <param name="seed">Another seed gives other images.</param>
    public static ImageDataset Create(int train = 44, int test = 20, int size = LeastSize, int seed = BuiltInDigits.DefaultSeed)
    {
        var digits = BuiltInDigits.Create(train, test, seed);
        return new ImageDataset(digits.Name, digits.Source, digits.ClassNames, Middle(digits.Train), Middle(digits.Test));

        ImageSplit Middle(ImageSplit split)
        {
            using var scope = NewDisposeScope();
            using var whole = split.Images;
            var border = (whole.size(2) - size) / 2;
            return new ImageSplit(whole.narrow(2, border, size).narrow(3, border, size).contiguous().DetachFromDisposeScope(), split.Labels);
        }
    }

    /// <summary>Writes digits of 28 x 28 pixels into the four files of MNIST, for what opens a dataset by its name.</summary>
    public static void WriteMnist(string folder, ImageDataset digits)
    {
        foreach (var (part, split) in (ReadOnlySpan<(string, ImageSplit)>)[("train", digits.Train), ("t10k", digits.Test)])
        {
            var labels = split.Labels.data<long>().Select(label => (byte)label).ToArray();
            File.WriteAllBytes(Path.Combine(folder, $"{part}-images-idx3-ubyte"), IdxBytes.Of([(uint)split.Count, 28, 28], split.Images.bytes.ToArray()));
            File.WriteAllBytes(Path.Combine(folder, $"{part}-labels-idx1-ubyte"), IdxBytes.Labels(labels));
        }
    }

    /// <summary>Writes a few digits as MNIST's four files, for commands that take a folder.</summary>
    /// <returns>The folder, which <c>--data</c> takes.</returns>
    public static string WriteMnist(TemporaryFolder folder, int train = 60, int test = 30)
    {
        using var digits = BuiltInDigits.Create(train, test);
        var path = Directory.CreateDirectory(folder.PathOf("data")).FullName;
        WriteMnist(path, digits);
        return path;
    }

    /// <summary>Two epochs of four steps with four images held out.</summary>
    public static TrainingOptions Options => new() { Dataset = BuiltInDigits.Name, Epochs = 2, BatchSize = 10, Seed = 3 };
}
