namespace Capsules.Samples;

/// <summary>Where a run stands, beside its weights: all that resuming needs.</summary>
internal sealed record TrainingState
{
    /// <summary>Finished epochs.</summary>
    public List<EpochResult> History { get; init; } = [];

    /// <summary>Finished steps of the epoch under way.</summary>
    public int StepInEpoch { get; set; }

    /// <summary>The sum of that epoch's losses so far, each weighted by its images.</summary>
    public double LossSum { get; set; }

    /// <summary>The same without reconstruction.</summary>
    public double ClassLossSum { get; set; }

    /// <summary>That epoch's images so far, and how many of them were classified rightly.</summary>
    public long Images { get; set; }

    /// <inheritdoc cref="Images"/>
    public long Right { get; set; }

    /// <summary>Training seconds of that epoch so far.</summary>
    public double Seconds { get; set; }

    /// <summary>The epoch with the best validation accuracy so far (the latest, where none is held out); 0 before the first.</summary>
    public int BestEpoch { get; set; }

    /// <summary>Where it was last computed, as "cpu, 2 threads"; null before the first step, and from checkpoints that do not say.</summary>
    public string? ComputedOn { get; set; }

    /// <summary>Closes the epoch under way and gives its result, which joins the history.</summary>
    public EpochResult CloseEpoch(Evaluation? validation, double learningRate)
    {
        var result = new EpochResult(History.Count + 1, LossSum / Images, (double)Right / Images, validation?.Accuracy, learningRate, Seconds)
        {
            ClassLoss = ClassLossSum / Images,
            ValidationLoss = validation?.Loss,
            ImagesPerSecond = Images / Seconds,
        };
        History.Add(result);
        (StepInEpoch, LossSum, ClassLossSum, Images, Right, Seconds) = (0, 0, 0, 0, 0, 0);
        if (validation is null || BestEpoch == 0 || result.ValidationAccuracy > History[BestEpoch - 1].ValidationAccuracy)
        {
            BestEpoch = result.Epoch;
        }

        return result;
    }
}
