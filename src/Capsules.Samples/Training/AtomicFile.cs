namespace Capsules.Samples;

/// <summary>Writes files whole or not at all, and says failures in words.</summary>
internal static class AtomicFile
{
    /// <summary>Writes beside the file and moves the result over it; on failure the old file stays and nothing else is left.</summary>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        try
        {
            WholeFile.Write(path, write);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path} cannot be written: {failure.Message} Free the space or give another folder with --output.", failure);
        }
    }

    /// <inheritdoc cref="Write"/>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));
}
