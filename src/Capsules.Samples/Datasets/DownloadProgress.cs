namespace Capsules.Samples;

/// <summary>How far the download of one file is.</summary>
/// <param name="File">The file's name.</param>
/// <param name="Done">Bytes received; it starts again from 0 with another mirror.</param>
/// <param name="Total">Bytes to receive, where the mirror says so.</param>
internal readonly record struct DownloadProgress(string File, long Done, long? Total);
