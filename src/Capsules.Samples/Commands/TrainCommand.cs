using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>train</c>: trains a network, or goes on with a run. Its options stand by groups in TrainOptions.</summary>
internal sealed class TrainCommand
{
    private readonly NetworkOptions _network = new();
    private readonly OptimizationOptions _optimization = new();
    private readonly MachineOptions _machine = new();
    private readonly OptionGroup[] _groups;
    private readonly Option[] _ofTheRun;
    private readonly Option<string> _precision = CommonOptions.Among(
        new Option<string>("--precision")
        {
            Description = "What the convolutions compute in: float32, bfloat16 (weights, squash, routing and optimizer stay float32), tf32 (on a " +
                "GPU, of 2020 and later: products of operands rounded to 10 bits), or auto, the faster of float32 and bfloat16 on this machine.",
            DefaultValueFactory = _ => PrecisionChoice.Float32,
        }, PrecisionChoice.Names);

    private readonly Option<int> _seeds = CommonOptions.AtLeast(
        new Option<int>("--seeds")
        {
            Description = "Train so many runs one after the other, with --seed, the seed after it, and so on, and show mean and standard deviation " +
                "beside published results.",
            DefaultValueFactory = _ => 1,
        }, 1);

    private readonly Option<string> _output = CommonOptions.Output();
    private readonly Option<string?> _resume = new("--resume")
    {
        Description = "A run folder to go on with, exactly where it stopped. Of the training options only --epochs, --early-stop and --stop-at may be given with it.",
    };

    private TrainCommand()
    {
        _groups = [_network, new ImageOptions(), _optimization];
        _ofTheRun = [.. _groups.SelectMany(group => group.Options), _precision, _seeds, _output];
    }

    public static Command Create()
    {
        var options = new TrainCommand();
        var command = options.Make();
        command.SetBackgroundAction(options.RunAsync);
        return command;
    }

    /// <summary>What such options ask for: how the run goes, and what <c>--precision</c> says.</summary>
    /// <exception cref="UserException">They contradict each other.</exception>
    public static (TrainingOptions Options, string Precision) Read(string arguments)
    {
        var options = new TrainCommand();
        var result = options.Make().Parse(arguments);
        return result.Errors.Count == 0
            ? (options.Options(result), result.GetValue(options._precision)!)
            : throw new UserException(result.Errors[0].Message);
    }

    private Command Make()
    {
        var command = new Command("train", "Train a network, or go on with a run.");
        foreach (var option in (Option[])[.. _ofTheRun, .. _machine.Options, _resume])
        {
            command.Options.Add(option);
        }

        return command;
    }

    private async Task<int> RunAsync(ParseResult result, CancellationToken cancellation)
    {
        var (console, machine) = (AnsiConsole.Console, _machine.Read(result));
        if (result.GetValue(_resume) is { } earlier)
        {
            if (_ofTheRun.Except(_optimization.OfResumption).FirstOrDefault(result.IsGiven) is { } refused)
            {
                throw new UserException(
                    $"{refused.Name} is fixed by the run that --resume goes on with. Leave it out, or start a new run without --resume.");
            }

            var end = _optimization.End(result);
            return SeedPlan.IsIn(earlier)
                ? await SeedRuns.ResumeAsync(console, earlier, end, machine, cancellation)
                : await TrainingRun.ResumeAsync(console, RunFolder.Open(earlier), end, machine, cancellation);
        }

        var (options, output, precision, seeds) = (
            Options(result), result.GetValue(_output)!, result.GetValue(_precision)!, result.GetValue(_seeds));
        return seeds > 1
            ? await SeedRuns.StartAsync(
                console, options, seeds, dataset => RunFolder.Create(output, $"{dataset.Name}-{options.Model}-{seeds}-seeds"), machine, precision, cancellation)
            : await TrainingRun.StartAsync(console, options, output, machine, precision, cancellation);
    }

    private TrainingOptions Options(ParseResult result)
    {
        var kind = _network.Kind(result);
        return _ofTheRun.FirstOrDefault(option => kind.WithoutOptions.Contains(option.Name) && result.IsGiven(option)) is { } useless
            ? throw new UserException($"{useless.Name} means nothing to --model {kind.Name}. Leave it out.")
            : _groups.Aggregate(kind.Recipe, (recipe, group) => group.Apply(result, recipe));
    }
}
