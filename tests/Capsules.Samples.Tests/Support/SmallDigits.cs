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

    /// <summary>The digits at their full size in the four files of MNIST, for what opens a dataset by its name.</summary>
    public static void WriteMnist(TemporaryFolder folder, int train, int test)
    {
        using var digits = BuiltInDigits.Create(train, test);
        foreach (var (file, values, shape) in ((MnistFile, Tensor, uint[])[])
        [
            (MnistFile.TrainImages, digits.Train.Images, [(uint)train, 28, 28]),
            (MnistFile.TrainLabels, digits.Train.Labels, [(uint)train]),
            (MnistFile.TestImages, digits.Test.Images, [(uint)test, 28, 28]),
            (MnistFile.TestLabels, digits.Test.Labels, [(uint)test]),
        ])
        {
            using var bytes = values.to_type(uint8, copy: true);
            folder.Write(file.Name, IdxBytes.Of(shape, bytes.data<byte>().ToArray()));
        }
    }

    /// <summary>Two epochs of four steps with four images held out.</summary>
    public static TrainingOptions Options => new() { Dataset = BuiltInDigits.Name, Epochs = 2, BatchSize = 10, Seed = 3 };
}
