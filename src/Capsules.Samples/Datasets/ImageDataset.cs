using System.Security.Cryptography;
using System.Text;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>A dataset of labelled images, divided into a part to train on and a part to test on. Owns its tensors.</summary>
internal sealed class ImageDataset : IDisposable
{
    /// <param name="name">The name by which <c>--dataset</c> asks for it.</param>
    /// <param name="source">Where the images come from, in plain words: a folder, or "generated, seed 1".</param>
    /// <param name="classNames">One name for each label, in order.</param>
    /// <param name="train">Images to train on, of the same size as those of <paramref name="test"/>.</param>
    /// <param name="test">Images to test on.</param>
    /// <param name="isOriginal">The images are those of the published dataset, so that results compare with published ones.</param>
    public ImageDataset(
        string name, string source, IReadOnlyList<string> classNames, ImageSplit train, ImageSplit test, bool isOriginal = false)
    {
        IsOriginal = isOriginal;
        Name = name;
        Source = source;
        ClassNames = classNames;
        Train = train;
        Test = test;
    }

    public string Name { get; }

    public string Source { get; }

    public IReadOnlyList<string> ClassNames { get; }

    public ImageSplit Train { get; }

    public ImageSplit Test { get; }

    /// <summary>The size of an image.</summary>
    public ImageShape Shape => Train.Shape;

    public int Classes => ClassNames.Count;

    /// <summary>Whether results compare with published ones.</summary>
    public bool IsOriginal { get; }

    /// <summary>A checksum of all images and labels, and of what is made of them: what makes two datasets the same.</summary>
    public string Fingerprint => field ??= Hash();

    /// <summary>Makes another dataset of this one's tensors, which then belong to it. Where that fails, they are freed.</summary>
    public ImageDataset Remade(Func<ImageDataset, ImageDataset> make)
    {
        try
        {
            return make(this);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Train.Dispose();
        Test.Dispose();
    }

    private string Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var tensor in (Tensor[])[Train.Images, Train.Labels, Test.Images, Test.Labels])
        {
            hash.AppendData(tensor.bytes);
        }

        hash.AppendData(Encoding.UTF8.GetBytes(Train.Recipe + Test.Recipe));

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
