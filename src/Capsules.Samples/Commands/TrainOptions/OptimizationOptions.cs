using System.CommandLine;

namespace Capsules.Samples;

/// <summary>Options of <c>train</c> on steps: how many, of how many images, with which rate and optimizer.</summary>
internal sealed class OptimizationOptions : OptionGroup
{
    /// <summary>The batch of the authors' code, in whose steps its learning rate decays.</summary>
    private const int OfficialBatchSize = 128;

    private readonly Option<int> _epochs, _earlyStop, _seed;
    private readonly Option<int?> _batchSize;
    private readonly Option<double?> _stopAt, _learningRate, _decay, _weightDecay, _clip;
    private readonly Option<string?> _schedule, _optimizer;

    public OptimizationOptions()
    {
        _epochs = Add(CommonOptions.AtLeast(New("--epochs", "Passes over the training images.", Defaults.Epochs), 1));
        _earlyStop = Add(CommonOptions.AtLeast(
            New("--early-stop", "End the run after so many epochs without a better accuracy on the held-out images; 0: never.", Defaults.EarlyStop), 0));
        _stopAt = Add(CommonOptions.Valid(
            new Option<double?>("--stop-at")
            {
                Description = "End the run after the first epoch with so much accuracy on the held-out images, as 0.9923. [default: all epochs are done]",
            }, accuracy => accuracy is > 0 and <= 1, "above 0 and at most 1"));
        _batchSize = Add(CommonOptions.Valid(
            OfModel<int?>("--batch-size", "Images in a step.", recipe => recipe.BatchSize, $"with --preset official {OfficialBatchSize}"),
            size => size >= 1, "at least 1"));
        _learningRate = Add(CommonOptions.Valid(
            OfModel<double?>("--learning-rate", "The learning rate of the first step.", recipe => recipe.LearningRate),
            rate => rate > 0 && double.IsFinite(rate.Value), "above 0"));
        _schedule = Add(OfEnum<Schedule>(new("--schedule")
        {
            Description = "How the learning rate goes: exponential, by --decay; official, by 0.96 per 2000 steps down to 1e-6, as in the authors' code; " +
                "cosine, from the first step to the last; constant. [default: exponential; with --preset official official]",
        }));
        _decay = Add(CommonOptions.Valid(
            OfModel<double?>("--decay", "With --schedule exponential, the factor on the learning rate per epoch, applied at every step.",
                recipe => recipe.Decay ?? LearningRate.DefaultDecay),
            factor => factor is > 0 and <= 1, "above 0 and at most 1"));
        _optimizer = Add(OfEnum<OptimizerKind>(new("--optimizer")
        {
            Description = "adam, with weight decay as an L2 penalty, or adamw, with decoupled weight decay. [default: adam]",
        }));
        _weightDecay = Add(CommonOptions.Valid(
            OfModel<double?>("--weight-decay", "The optimizer's weight decay, on all parameters.", recipe => recipe.WeightDecay ?? 0, "with --optimizer adamw 0.01"),
            decay => decay >= 0 && double.IsFinite(decay.Value), "at least 0"));
        _clip = Add(CommonOptions.Valid(
            new Option<double?>("--clip-gradients") { Description = "Scale gradients down where their norm over all parameters exceeds this. [default: no clipping]" },
            norm => norm > 0 && double.IsFinite(norm.Value), "above 0"));
        _seed = Add(CommonOptions.Seed());
    }

    /// <summary>Options that a resumed run may be given too: they say when it ends, and not how it gets there.</summary>
    public IReadOnlyList<Option> OfResumption => [_epochs, _earlyStop, _stopAt];

    /// <summary>What a resumed run is told of its end: null where nothing is.</summary>
    public RunEnd End(ParseResult result) => new(
        result.IsGiven(_epochs) ? result.GetValue(_epochs) : null, result.IsGiven(_earlyStop) ? result.GetValue(_earlyStop) : null, result.GetValue(_stopAt));

    public override TrainingOptions Apply(ParseResult result, TrainingOptions recipe)
    {
        var (schedule, decay) = (Value<Schedule>(result, _schedule), result.GetValue(_decay));
        if (decay is not null && schedule is not (null or Schedule.Exponential))
        {
            throw new UserException($"--decay means nothing to --schedule {Name(schedule.Value)}. Leave it out.");
        }

        return recipe with
        {
            Epochs = result.GetValue(_epochs),
            EarlyStop = result.GetValue(_earlyStop),
            StopAt = result.GetValue(_stopAt),
            BatchSize = result.GetValue(_batchSize) ?? (recipe.Preset == Preset.OfficialCode ? OfficialBatchSize : recipe.BatchSize),
            LearningRate = result.GetValue(_learningRate) ?? recipe.LearningRate,
            Schedule = schedule ?? recipe.Schedule,
            Decay = decay ?? recipe.Decay,
            Optimizer = Value<OptimizerKind>(result, _optimizer) ?? recipe.Optimizer,
            WeightDecay = result.GetValue(_weightDecay) ?? recipe.WeightDecay,
            ClipGradients = result.GetValue(_clip) ?? recipe.ClipGradients,
            Seed = result.GetValue(_seed),
        };
    }
}
