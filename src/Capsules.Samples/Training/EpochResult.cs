namespace Capsules.Samples;

/// <summary>A finished epoch: a row of metrics.csv.</summary>
/// <param name="Epoch">Its number, from 1.</param>
/// <param name="Loss">The mean training loss.</param>
/// <param name="TrainAccuracy">The share of (shifted) training images classified rightly while training.</param>
/// <param name="ValidationAccuracy">The share of the images that checkpoints are chosen by (<see cref="Selection"/>); null where there are none.</param>
/// <param name="LearningRate">The learning rate of the last step.</param>
/// <param name="Seconds">Training time without evaluation.</param>
internal sealed record EpochResult(int Epoch, double Loss, double TrainAccuracy, double? ValidationAccuracy, double LearningRate, double Seconds)
{
    /// <summary>The part of <see cref="Loss"/> without reconstruction, which compares with <see cref="ValidationLoss"/>; null in runs of earlier versions.</summary>
    public double? ClassLoss { get; init; }

    /// <summary>The loss, without reconstruction, on the images that checkpoints are chosen by; null where there are none.</summary>
    public double? ValidationLoss { get; init; }

    /// <summary>Training images in a second; null in runs of earlier versions.</summary>
    public double? ImagesPerSecond { get; init; }
}
