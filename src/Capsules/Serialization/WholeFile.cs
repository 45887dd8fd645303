namespace Capsules;

/// <summary>Writes files whole or not at all.</summary>
internal static class WholeFile
{
    /// <summary>Writes beside the file and moves the result over it; on failure the old file stays and nothing else is left.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        var unfinished = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(unfinished, FileMode.CreateNew))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(unfinished, path, overwrite: true);
        }
        catch (ArgumentOutOfRangeException failure) when (IsTooLarge(failure))
        {
            File.Delete(unfinished);
            throw new IOException(failure.Message, failure);
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }
    }

    /// <summary>Whether a write failed because the file would be larger than the file system, or a limit, lets it: .NET blames an argument.</summary>
    public static bool IsTooLarge(Exception failure) => failure is ArgumentOutOfRangeException { ParamName: "value" };
}
