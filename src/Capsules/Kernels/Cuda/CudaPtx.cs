using System.IO.Compression;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>routing.cu as PTX, which the driver translates for its GPU: once for each dtype that the kernels read and write.</summary>
internal static class CudaPtx
{
    /// <summary>The dtypes that there are kernels for.</summary>
    public static IReadOnlyList<ScalarType> Dtypes { get; } = [ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16];

    /// <summary>The text in ASCII, ended by a zero. Its first line tells the hash of the sources it was made from (build.sh).</summary>
    public static byte[] Text(ScalarType dtype)
    {
        var resource = $"Capsules.routing.{dtype.ToString().ToLowerInvariant()}.ptx.gz";
        using var packed = typeof(CudaPtx).Assembly.GetManifestResourceStream(resource)
            ?? throw new NotSupportedException($"This build of Capsules has no {resource} in it.");
        using var unpacked = new GZipStream(packed, CompressionMode.Decompress);
        using var text = new MemoryStream();
        unpacked.CopyTo(text);
        text.WriteByte(0);
        return text.ToArray();
    }
}
