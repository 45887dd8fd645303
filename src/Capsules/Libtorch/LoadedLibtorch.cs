namespace Capsules;

/// <summary>A libtorch that <see cref="LibtorchLoader"/> has loaded.</summary>
public sealed class LoadedLibtorch
{
    internal LoadedLibtorch(string folder, Version version, string? cuda, string? missing) =>
        (Folder, Version, Cuda, Missing) = (folder, version, cuda, missing);

    /// <summary>The folder that it came from.</summary>
    public string Folder { get; }

    /// <summary>Its version, as it tells it.</summary>
    public Version Version { get; }

    /// <summary>The CUDA version that PyTorch says it was built for, as "13.0"; null where it says none.</summary>
    public string? Cuda { get; }

    /// <summary>
    /// Null; or, in the loader's words, the first function of those that TorchSharp was built against which this libtorch does not have. Calling
    /// such a function ends the process; all others serve.
    /// </summary>
    public string? Missing { get; }
}
