using System.IO.Compression;

namespace Capsules.Samples;

/// <summary>Opens a file that may be packed with gzip. Its first bytes tell, not its name.</summary>
internal static class MaybeGzip
{
    /// <summary>A stream of the file's unpacked bytes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="isPacked">Whether the file is packed.</param>
    /// <param name="storedLength">The bytes of the file as it lies on disk.</param>
    public static Stream OpenRead(string path, out bool isPacked, out long storedLength)
    {
        var file = File.OpenRead(path);
        try
        {
            storedLength = file.Length;
            isPacked = file.ReadByte() == 0x1F && file.ReadByte() == 0x8B;
            file.Position = 0;
        }
        catch
        {
            file.Dispose();
            throw;
        }

        return isPacked ? new GZipStream(file, CompressionMode.Decompress) : file;
    }
}
