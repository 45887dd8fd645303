using Capsules.Samples;

namespace Capsules.Onnx.Tests;

/// <summary>The real MNIST, where CAPSULES_DATA has it.</summary>
internal static class RealMnist
{
    /// <summary>Its images; the test is skipped where there are none.</summary>
    public static ImageDataset OpenOrSkip()
    {
        var folder = Environment.GetEnvironmentVariable(DataFolders.Variable) is { Length: > 0 } path ? DatasetFolder.Search(Mnist.Files, path) : null;
        Assert.SkipUnless(folder is { IsComplete: true }, "no MNIST here: set CAPSULES_DATA to its folder");
        return Mnist.Load(folder!, _ => { });
    }
}
