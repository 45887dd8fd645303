namespace Capsules.Samples;

/// <summary>What a resumed run is told of its end; null for what it was started with.</summary>
/// <param name="Epochs">How many epochs it is to have in all.</param>
/// <param name="EarlyStop">Its patience.</param>
/// <param name="StopAt">The accuracy that is enough.</param>
internal sealed record RunEnd(int? Epochs = null, int? EarlyStop = null, double? StopAt = null)
{
    /// <summary>A run's options with this end.</summary>
    public TrainingOptions Of(TrainingOptions options) => options with
    {
        Epochs = Epochs ?? options.Epochs, EarlyStop = EarlyStop ?? options.EarlyStop, StopAt = StopAt ?? options.StopAt,
    };
}
