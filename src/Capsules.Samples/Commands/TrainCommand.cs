using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>train</c>: trains a network, or goes on with a run. Its options stand by groups in TrainOptions.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var (network, images, optimization, machine) = (new NetworkOptions(), new ImageOptions(), new OptimizationOptions(), new MachineOptions());
        OptionGroup[] groups = [network, images, optimization];
        var precision = CommonOptions.Among(
            new Option<string>("--precision")
            {
                Description = "What the convolutions compute in: float32, bfloat16 (weights, squash, routing and optimizer stay float32), tf32 (on a " +
                    "GPU, of 2020 and later: products of operands rounded to 10 bits), or auto, the faster of float32 and bfloat16 on this machine.",
                DefaultValueFactory = _ => PrecisionChoice.Float32,
            }, PrecisionChoice.Names);
        var seeds = CommonOptions.AtLeast(
            new Option<int>("--seeds")
            {
                Description = "Train so many runs one after the other, with --seed, the seed after it, and so on, and show mean and standard deviation " +
                    "beside published results.",
                DefaultValueFactory = _ => 1,
            }, 1);
        var output = CommonOptions.Output();
        var resume = new Option<string?>("--resume")
        {
            Description = "A run folder to go on with, exactly where it stopped. Of the training options only --epochs and --early-stop may be given with it.",
        };

        Option[] ofTheRun = [.. groups.SelectMany(group => group.Options), precision, seeds, output];
        var command = new Command("train", "Train a network, or go on with a run.");
        foreach (var option in (Option[])[.. ofTheRun, .. machine.Options, resume])
        {
            command.Options.Add(option);
        }

        command.SetBackgroundAction(async (result, cancellation) =>
        {
            if (result.GetValue(resume) is { } earlier)
            {
                if (ofTheRun.Except(optimization.OfResumption).FirstOrDefault(result.IsGiven) is { } refused)
                {
                    throw new UserException(
                        $"{refused.Name} is fixed by the run that --resume goes on with. Leave it out, or start a new run without --resume.");
                }

                return SeedPlan.IsIn(earlier)
                    ? await SeedRuns.ResumeAsync(AnsiConsole.Console, earlier, optimization.End(result), machine.Read(result), cancellation)
                    : await TrainingRun.ResumeAsync(AnsiConsole.Console, RunFolder.Open(earlier), optimization.End(result), machine.Read(result), cancellation);
            }

            var kind = network.Kind(result);
            if (ofTheRun.FirstOrDefault(option => kind.WithoutOptions.Contains(option.Name) && result.IsGiven(option)) is { } useless)
            {
                throw new UserException($"{useless.Name} means nothing to --model {kind.Name}. Leave it out.");
            }

            var options = groups.Aggregate(kind.Recipe, (recipe, group) => group.Apply(result, recipe));
            var (place, settings, chosen) = (result.GetValue(output)!, machine.Read(result), result.GetValue(precision)!);
            return result.GetValue(seeds) > 1
                ? await SeedRuns.StartAsync(AnsiConsole.Console, options, result.GetValue(seeds), place, settings, chosen, cancellation)
                : await TrainingRun.StartAsync(AnsiConsole.Console, options, place, settings, chosen, cancellation);
        });
        return command;
    }
}
