using Spectre.Console;

namespace Capsules.Samples;

/// <summary>Lines as they are: Spectre's own WriteLine breaks them at 80 columns where there is no terminal, paths included.</summary>
internal static class PlainText
{
    public static void Say(this IAnsiConsole console, string line = "") => console.Profile.Out.Writer.WriteLine(line);
}
