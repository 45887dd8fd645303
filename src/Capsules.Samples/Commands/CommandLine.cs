using System.CommandLine;
using System.CommandLine.Invocation;

namespace Capsules.Samples;

/// <summary>The program's commands, and how failures end it.</summary>
internal static class CommandLine
{
    /// <summary>Runs a command line.</summary>
    /// <returns>0; 1 for a failure, told in one message on standard error; 130 after Ctrl-C.</returns>
    public static async Task<int> RunAsync(string[] args, CancellationToken cancellation = default)
    {
        var verbose = new Option<bool>("--verbose") { Description = "Show the stack trace of a failure.", Recursive = true };
        var root = new RootCommand("Capsule networks: train, evaluate and inspect the network of \"Dynamic Routing Between Capsules\" (2017) and others. With no command: a quick start.")
        {
            TrainCommand.Create(),
            EvaluateCommand.Create(),
            PredictCommand.Create(),
            ReconstructCommand.Create(),
            SweepCommand.Create(),
            ExplainCommand.Create(),
            MistakesCommand.Create(),
            AttackCommand.Create(),
            ImportCommand.Create(),
            ExportCommand.Create(),
            ReproduceCommand.Create(),
            DatasetsCommand.Create(),
            InfoCommand.Create(),
            verbose,
        };
        QuickStart.AddTo(root);

        var result = root.Parse(args);
        if (result.Action is ParseErrorAction parseError)
        {
            parseError.ShowHelp = false;      // the error alone, not a page that pushes it off the screen
        }

        try
        {
            // Ctrl-C needs the time of one step and one checkpoint before it ends the process.
            return await result.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TimeSpan.FromMinutes(1),
            }, cancellation);
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Stopped.");
            return TrainingRun.Interrupted;
        }
        catch (Exception failure)
        {
            await Console.Error.WriteLineAsync(failure is UserException ? failure.Message : $"Unexpected failure: {FirstLine(failure.Message)} Run again with --verbose for the details.");
            if (result.GetValue(verbose))
            {
                await Console.Error.WriteLineAsync(failure.ToString());
            }

            return 1;
        }
    }

    // Native messages carry a stack trace of C++ frames below their first line.
    private static string FirstLine(string message) => message.Split('\n', 2)[0].TrimEnd();
}
