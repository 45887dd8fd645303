using Tensorboard;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// What a run tells TensorBoard: loss and learning rate of every step, figures of every epoch, and how the network does on a few
/// images that it is not trained on (where some are held out): lengths of class capsules, coupling coefficients, reconstructions.
/// </summary>
internal sealed class RunEvents(string folder) : IDisposable
{
    private const string OfStep = "step/", OfEpoch = "epoch/";
    private const int Watched = 64, Shown = 16;

    private readonly List<double> _losses = [];
    private EventFile? _file;

    /// <summary>The loss of every step so far, from the first.</summary>
    public IReadOnlyList<double> StepLosses => _losses;

    /// <summary>Opens the event file of a run that has some steps and epochs behind it; later events are forgotten.</summary>
    public void Open(long steps, int epochs)
    {
        _file?.Dispose();
        _losses.Clear();
        _file = EventFile.Open(folder, (tag, step) => step <= (tag.StartsWith(OfEpoch, StringComparison.Ordinal) ? epochs : steps), value =>
        {
            if (value.Tag == $"{OfStep}loss")
            {
                _losses.Add(value.SimpleValue);
            }
        });
    }

    /// <summary>Tells of a step.</summary>
    /// <param name="step">Its number over all epochs, from 1.</param>
    /// <param name="loss">Its loss.</param>
    /// <param name="learningRate">Its learning rate.</param>
    public void Step(long step, double loss, double learningRate)
    {
        _losses.Add(loss);
        _file!.Scalar($"{OfStep}loss", step, loss);
        _file.Scalar($"{OfStep}learning_rate", step, learningRate);
    }

    /// <summary>Tells of an epoch's figures.</summary>
    /// <param name="result">The epoch.</param>
    /// <param name="chosenBy">What the images are called by which checkpoints are chosen.</param>
    public void Epoch(EpochResult result, string chosenBy)
    {
        (string Name, double? Value)[] figures =
        [
            ("loss", result.Loss), ("class_loss", result.ClassLoss), ("train_accuracy", result.TrainAccuracy),
            ($"{chosenBy}_loss", result.ValidationLoss), ($"{chosenBy}_accuracy", result.ValidationAccuracy),
            ("learning_rate", result.LearningRate), ("images_per_second", result.ImagesPerSecond),
        ];
        foreach (var (name, value) in figures)
        {
            if (value is { } number)
            {
                _file!.Scalar(OfEpoch + name, result.Epoch, number);
            }
        }
    }

    /// <summary>Tells how the network does on the first of some images.</summary>
    public void Watch(int epoch, ImageNetwork network, ImageSplit split, ReadOnlySpan<long> indices, Device device)
    {
        using var mode = network.Evaluating();
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var (images, _) = Batches.Take(split, indices[..Math.Min(Watched, indices.Length)], device);
        var output = network.call(images);
        _file!.Histogram($"{OfEpoch}{(network is ClassCapsules ? "capsule_lengths" : "class_scores")}", epoch, Values(network.Scores(output)));
        if (network is ClassCapsules capsules)
        {
            _file.Histogram($"{OfEpoch}couplings", epoch, Values(capsules.Route(images).Result.Coupling!));
        }

        if (network.HasDecoder && split.Objects == 1)
        {
            var shown = images.narrow(0, 0, Math.Min(Shown, images.size(0)));
            Strip(epoch, shown, network.Reconstruct(output).narrow(0, 0, shown.size(0)));
        }
    }

    /// <summary>Writes through to the disk: to be called before a checkpoint is saved.</summary>
    public void Flush() => _file!.Flush();

    public void Dispose() => _file?.Dispose();

    private static float[] Values(Tensor tensor) => tensor.detach().to(float32).cpu().contiguous().data<float>().ToArray();

    // Images above, their reconstructions below.
    private void Strip(int epoch, Tensor images, Tensor reconstructions)
    {
        var strip = new GridPanel([Row(images), Row(reconstructions)], gap: 0);
        using var png = PngFile.Encode(strip, margin: 0);
        _file!.Image($"{OfEpoch}reconstructions", epoch, png.ToArray(), strip.Width, strip.Height);

        static Cell[] Row(Tensor images) => [.. ImagePanel.Of(images, zoom: 1).Select(image => new Cell(image))];
    }
}
