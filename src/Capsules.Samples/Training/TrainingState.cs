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

    /// <summary>Counts a step.</summary>
    public void Count(StepResult step)
    {
        LossSum += (double)step.Loss * step.Images;
        ClassLossSum += (double)step.ClassLoss * step.Images;
        Right += step.Right;
        Images += step.Images;
        StepInEpoch++;
    }

    /// <summary>Whether a run with these options has nothing left to do.</summary>
    public bool IsAtEnd(TrainingOptions options) => History.Count >= options.Epochs || StopReason(options) is not null;

    /// <summary>Why a run with these options ends before its last epoch, in words; null where it does not.</summary>
    public string? StopReason(TrainingOptions options)
    {
        if (options.EarlyStop > 0 && History.Count - BestEpoch >= options.EarlyStop)
        {
            return $"Stopped early: no better {options.Select.Images()} accuracy in {options.EarlyStop} epochs than epoch {BestEpoch}'s.";
        }

        return options.StopAt is { } enough && History.LastOrDefault()?.ValidationAccuracy >= enough
            ? $"Stopped as told: epoch {History.Count}'s {options.Select.Images()} accuracy has reached {enough:p2}."
            : null;
    }

    /// <summary>Throws unless a run can stand so: the file that it comes from may be damaged.</summary>
    /// <exception cref="InvalidDataException">It cannot.</exception>
    public void CheckValues()
    {
        var isHistory = History is not null && History.All(row => row is not null) && History.Select(row => row.Epoch).SequenceEqual(Enumerable.Range(1, History.Count));
        if (!isHistory || StepInEpoch < 0 || Images < 0 || Right < 0 || BestEpoch < 0 || BestEpoch > History!.Count)
        {
            throw new InvalidDataException("its epochs and steps do not go together");
        }
    }

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
