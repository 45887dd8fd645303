using System.Globalization;
using ScottPlot;

namespace Capsules.Samples;

/// <summary>The plots of a run: loss, accuracy and learning rate over epochs.</summary>
internal static class RunPlots
{
    private static readonly Color Training = Color.FromHex("#1f5fa8"), TrainingClass = Color.FromHex("#3a9d5d"), Chosen = Color.FromHex("#d9480f");
    private static readonly Color WithinEpochs = Color.FromHex("#b9cde6");

    /// <summary>Draws loss.png, accuracy.png and learning-rate.png into a run's folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="title">What was trained on what.</param>
    /// <param name="options">The run's options.</param>
    /// <param name="history">Its finished epochs, at least one.</param>
    /// <param name="stepsInEpoch">Steps in an epoch.</param>
    /// <param name="stepLosses">The loss of every step; empty where they are not kept.</param>
    /// <exception cref="UserException">A file cannot be written.</exception>
    public static void Write(
        string folder, string title, TrainingOptions options, IReadOnlyList<EpochResult> history, int stepsInEpoch, IReadOnlyList<double> stepLosses)
    {
        var (epochs, chosenBy) = (history.Count, options.Select.Images());
        using var loss = new CurvePlot($"Loss: {title}", "loss", isLogarithmic: true);
        loss.Add("training, by step", stepLosses.Select((value, i) => ((i + 1.0) / stepsInEpoch, (double?)value)), WithinEpochs, hasMarkers: false);
        loss.Add("training, mean of the epoch", Curve(history, row => row.Loss), Training);
        if (options.ReconstructionWeight > 0)
        {
            loss.Add("training, without reconstruction", Curve(history, row => row.ClassLoss), TrainingClass);
        }

        loss.Add($"{chosenBy}{(options.ReconstructionWeight > 0 ? ", without reconstruction" : "")}", Curve(history, row => row.ValidationLoss), Chosen);
        loss.Write(Path.Combine(folder, "loss.png"), epochs, value => value.ToString("0.#######", CultureInfo.InvariantCulture));

        using var accuracy = new CurvePlot($"Accuracy: {title}", "accuracy, %");
        accuracy.Add("training, while it learns", Curve(history, row => 100 * row.TrainAccuracy), Training);
        accuracy.Add(chosenBy, Curve(history, row => 100 * row.ValidationAccuracy), Chosen);
        accuracy.Write(Path.Combine(folder, "accuracy.png"), epochs, value => value.ToString("0.###", CultureInfo.InvariantCulture));

        using var rate = new CurvePlot($"Learning rate: {title}", "learning rate");
        var steps = (long)epochs * stepsInEpoch;
        rate.Add($"{LearningRate.ScheduleOf(options)} schedule", Enumerable.Range(0, 401)
            .Select(i => i * (steps - 1) / 400).Distinct()
            .Select(step => ((step + 1.0) / stepsInEpoch, (double?)LearningRate.At(options, step, stepsInEpoch))), Training, hasMarkers: false);
        rate.Write(Path.Combine(folder, "learning-rate.png"), epochs, value => value.ToString("0.#######", CultureInfo.InvariantCulture));
    }

    private static IEnumerable<(double, double?)> Curve(IReadOnlyList<EpochResult> history, Func<EpochResult, double?> value) =>
        history.Select(row => ((double)row.Epoch, value(row)));
}
