namespace Capsules.Samples;

/// <summary>How the learning rate goes over a run.</summary>
internal enum Schedule
{
    /// <summary>A factor per epoch, applied at every step: 0.9 unless <see cref="TrainingOptions.Decay"/> says otherwise, as CapsNet-Keras has it.</summary>
    Exponential,

    /// <summary>0.96 per 2000 steps, whatever an epoch is: the 2017 authors' code.</summary>
    Official,

    /// <summary>Half a cosine from the first step to the floor at the last: Loshchilov, Hutter, "SGDR", 2017, equation 5, without restarts.</summary>
    Cosine,

    /// <summary>The same in every step.</summary>
    Constant,
}

/// <summary>The learning rate of a step. Whatever the schedule, it does not fall below the floor.</summary>
internal static class LearningRate
{
    /// <summary>The factor per epoch of the exponential schedule where none is given.</summary>
    public const double DefaultDecay = 0.9;

    /// <summary>The schedule that options ask for, by name or else by what the preset has.</summary>
    public static Schedule ScheduleOf(TrainingOptions options) => options.Schedule ??
        (options.Decay is null && options.Preset == Preset.OfficialCode ? Schedule.Official : Schedule.Exponential);

    /// <summary>The learning rate of a step.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="step">The step, counted from 0 over all epochs.</param>
    /// <param name="stepsPerEpoch">Steps in an epoch.</param>
    public static double At(TrainingOptions options, long step, long stepsPerEpoch)
    {
        var (initial, floor) = (options.LearningRate, Math.Min(options.LearningRateFloor, options.LearningRate));
        return ScheduleOf(options) switch
        {
            Schedule.Exponential => Math.Max(initial * Math.Pow(Math.Pow(options.Decay ?? DefaultDecay, 1.0 / stepsPerEpoch), step), floor),
            Schedule.Official => Math.Max(initial * Math.Pow(Math.Pow(0.96, 1.0 / 2000), step), floor),
            Schedule.Cosine => floor + (initial - floor) * (1 + Math.Cos(Math.PI * Progress(options, step, stepsPerEpoch))) / 2,
            _ => initial,
        };
    }

    // From 0 in the first step to 1 in the last of the run.
    private static double Progress(TrainingOptions options, long step, long stepsPerEpoch) =>
        Math.Min(1.0 * step / Math.Max(options.Epochs * stepsPerEpoch - 1, 1), 1);
}
