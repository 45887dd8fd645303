using System.IO.Compression;

namespace Capsules;

/// <summary>routing.cu as PTX, which the driver translates for its GPU.</summary>
internal static class CudaPtx
{
    private const string Resource = "Capsules.routing.ptx.gz";

    /// <summary>The text in ASCII, ended by a zero. Its first line tells the hash of the sources it was made from (build.sh).</summary>
    public static byte[] Text
    {
        get
        {
            using var packed = typeof(CudaPtx).Assembly.GetManifestResourceStream(Resource)
                ?? throw new InvalidOperationException($"This build of Capsules has no {Resource} in it.");
            using var unpacked = new GZipStream(packed, CompressionMode.Decompress);
            using var text = new MemoryStream();
            unpacked.CopyTo(text);
            text.WriteByte(0);
            return text.ToArray();
        }
    }
}
