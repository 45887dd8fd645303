using System.CommandLine;

namespace Capsules.Samples;

/// <summary>How commands are given their work.</summary>
internal static class BackgroundAction
{
    /// <summary>
    /// Runs the work on another thread. System.CommandLine listens for Ctrl-C only once an action has returned its task, so work
    /// that computes before it first awaits could not be stopped in order.
    /// </summary>
    public static void SetBackgroundAction(this Command command, Func<ParseResult, CancellationToken, Task<int>> work) =>
        command.SetAction((result, cancellation) => Task.Run(() => work(result, cancellation), CancellationToken.None));
}
