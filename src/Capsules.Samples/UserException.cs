namespace Capsules.Samples;

/// <summary>A failure that the user can mend. The message is one or two sentences that name the cause and the fix.</summary>
/// <remarks>The program prints the message alone on standard error and ends with exit code 1; no stack trace.</remarks>
internal sealed class UserException(string message, Exception? innerException = null) : Exception(OneLine(message), innerException)
{
    private const int MostLetters = 8_000;

    // Messages may quote damaged files, which must not write to the terminal what they like.
    private static string OneLine(string message) => string.Create(Math.Min(message.Length, MostLetters), message, (line, text) =>
    {
        for (var i = 0; i < line.Length; i++)
        {
            line[i] = char.IsControl(text[i]) ? ' ' : text[i];
        }
    });
}
