namespace Capsules.Samples;

/// <summary>A finished epoch: a row of metrics.csv.</summary>
/// <param name="Epoch">Its number, from 1.</param>
/// <param name="Loss">The mean training loss.</param>
/// <param name="TrainAccuracy">The share of (shifted) training images classified rightly while training.</param>
/// <param name="ValidationAccuracy">The share of held-out images; null where none are held out.</param>
/// <param name="LearningRate">The learning rate of the last step.</param>
/// <param name="Seconds">Training time without evaluation.</param>
internal sealed record EpochResult(int Epoch, double Loss, double TrainAccuracy, double? ValidationAccuracy, double LearningRate, double Seconds);
