namespace Capsules.Samples;

/// <summary>Exponential decay with a floor, as in the 2017 authors' code.</summary>
internal static class LearningRate
{
    /// <summary>initial * decay^(step / steps per epoch), at least the floor.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="step">The step, counted from 0 over all epochs.</param>
    /// <param name="stepsPerEpoch">Steps in an epoch.</param>
    public static double At(TrainingOptions options, long step, long stepsPerEpoch)
    {
        var perStep = options.Decay is { } decay ? Math.Pow(decay, 1.0 / stepsPerEpoch)
            : options.Preset == Preset.OfficialCode ? Math.Pow(0.96, 1.0 / 2000)
            : Math.Pow(0.9, 1.0 / stepsPerEpoch);
        return Math.Max(options.LearningRate * Math.Pow(perStep, step), Math.Min(options.LearningRateFloor, options.LearningRate));
    }
}
