using System.Text;
using Spectre.Console;

namespace Capsules.Samples.Tests;

/// <summary>A console that is no terminal and keeps what is written.</summary>
internal sealed class TestOutput
{
    private readonly StringBuilder _text = new();

    public TestOutput() => Console = AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = AnsiSupport.No,
        Interactive = InteractionSupport.No,
        Out = new AnsiConsoleOutput(new StringWriter(_text)),
    });

    public IAnsiConsole Console { get; }

    public string Text => _text.ToString();
}
