using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary>No command: a first look in two to five minutes on two cores.</summary>
internal static class QuickStart
{
    /// <summary>280 steps, with a learning rate that falls to a tenth on the way: the most accuracy for the time.</summary>
    public static readonly TrainingOptions Options = new() { Epochs = 1, ImagesPerEpoch = 28_000, Decay = 0.1, Validation = 0 };

    /// <summary>Gives the root command its options and its work. The commands are there already.</summary>
    public static void AddTo(RootCommand root)
    {
        var data = CommonOptions.Data();
        var device = CommonOptions.Device();
        var threads = CommonOptions.Threads();
        var output = CommonOptions.Output();
        Option[] options = [data, device, threads, output];
        foreach (var option in options)
        {
            root.Options.Add(option);
        }

        root.RefuseBeforeCommands(options);

        root.SetBackgroundAction((result, cancellation) => RunAsync(AnsiConsole.Console, Options, result.GetValue(data), result.GetValue(output)!,
            result.GetValue(device)!, result.GetValue(threads), cancellation));
    }

    public static async Task<int> RunAsync(
        IAnsiConsole console, TrainingOptions options, string? data, string output, string device, int threads, CancellationToken cancellation)
    {
        console.Write(new Rule("[bold]Capsules: quick start[/]").LeftJustified());
        console.Say("The capsule network of \"Dynamic Routing Between Capsules\" (Sabour, Frosst, Hinton 2017) learns to read digits");
        console.Say("in 280 steps of 100 images: two to five minutes on two cores. Ctrl-C saves and stops.");
        console.Say();
        var code = await TrainingRun.StartAsync(console, options, output, new MachineSettings(device, threads, data), cancellation: cancellation);
        if (code == 0)
        {
            console.Say();
            console.Say("What to try next (after \"dotnet run --project src/Capsules.Samples -c Release --\"):");
            console.Say("  train --epochs 10              a real training run: checkpoints, metrics.csv, resumable");
            console.Say("  train --preset official        as the authors' code does it, where it differs from the paper");
            console.Say("  evaluate <run folder>          the test error of a run");
            console.Say("  info                           versions, devices, the network's parameters");
        }

        return code;
    }
}
