using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

/// <summary>Tests of what the commands draw: tensors go with the test, nothing records gradients, files go to a folder of the test's own.</summary>
public abstract class PictureTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly IDisposable _noGradient = no_grad();

    /// <summary>Where files go.</summary>
    protected string Folder => _folder.Path;

    public void Dispose()
    {
        _noGradient.Dispose();
        _scope.Dispose();
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }
}
