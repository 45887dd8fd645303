namespace Capsules.Samples;

/// <summary>A file could be had from no mirror, or not be kept. The message says what was tried.</summary>
internal sealed class DownloadException(string message, Exception? innerException = null) : Exception(message, innerException);
