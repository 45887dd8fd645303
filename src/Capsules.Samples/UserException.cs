namespace Capsules.Samples;

/// <summary>A failure that the user can mend. The message is one or two sentences that name the cause and the fix.</summary>
/// <remarks>The program prints the message alone on standard error and ends with exit code 1; no stack trace.</remarks>
internal sealed class UserException(string message, Exception? innerException = null) : Exception(message, innerException);
