using System.Diagnostics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Trains a network in its run folder, from the start or from where it stopped.</summary>
internal sealed class Trainer : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly ImageDataset _dataset;
    private readonly Device _device;
    private readonly RunFolder _folder;
    private readonly TrainingDisplay _display;
    private readonly TrainingState _state;
    private readonly Adam _optimizer;
    private readonly ReconstructionLoss _reconstructionLoss;
    private readonly DatasetFacts _facts;
    private readonly long[] _heldOut, _training;
    private readonly ImageSplit _trainingSplit, _heldOutSplit;

    private Trainer(
        TrainingOptions options, ImageDataset dataset, Device device, RunFolder folder, TrainingDisplay display, TrainingState state, ImageNetwork network)
    {
        (_options, _dataset, _device, _folder, _display, _state, Network) = (options, dataset, device, folder, display, state, network);
        _optimizer = new FusedAdam(network.parameters(), options.LearningRate, weightDecay: options.WeightDecay);
        _reconstructionLoss = new ReconstructionLoss(options.ReconstructionWeight);
        _facts = DatasetFacts.Of(dataset);
        (_heldOut, _training) = Batches.HoldOut(dataset.Train.Count, options.Validation, options.Seed);
        _trainingSplit = dataset.Train.DrawnFrom(_training);
        _heldOutSplit = _heldOut.Length > 0 ? dataset.Train.DrawnFrom(_heldOut) : dataset.Train;
        _heldOut = Batches.Vary(_heldOut, dataset.Train, options.Seed, epoch: 0);
    }

    /// <summary>The network under training.</summary>
    public ImageNetwork Network { get; }

    /// <summary>The network's name in <see cref="NetworkCatalog"/>.</summary>
    public string Model => _options.Model;

    /// <summary>Measures where the time of steps goes; null (the default) for no measuring.</summary>
    public StageClock? Clock { get; set; }

    /// <summary>Finished epochs.</summary>
    public IReadOnlyList<EpochResult> History => _state.History;

    /// <summary>The epoch of the best checkpoint.</summary>
    public int BestEpoch => _state.BestEpoch;

    private long ImagesInEpoch => Math.Min(_options.ImagesPerEpoch ?? long.MaxValue, _training.Length);

    private int StepsInEpoch => (int)((ImagesInEpoch + _options.BatchSize - 1) / _options.BatchSize);

    /// <summary>Prepares a new run.</summary>
    public static Trainer Start(TrainingOptions options, ImageDataset dataset, Device device, RunFolder folder, TrainingDisplay display)
    {
        manual_seed(options.Seed);      // weights are drawn on the CPU, alike for every device
        var network = new Checkpoint(options, DatasetFacts.Of(dataset), new TrainingState()).MakeNetwork();
        network.to(device);
        return new Trainer(options, dataset, device, folder, display, new TrainingState(), network);
    }

    /// <summary>Prepares to go on with a run.</summary>
    /// <param name="folder">Its folder.</param>
    /// <param name="epochs">How many epochs it is to have in all; null for as many as it was started with.</param>
    /// <param name="dataset">The dataset, which must be the one that it was trained on.</param>
    /// <param name="device">Where to go on.</param>
    /// <param name="display">Where progress is shown.</param>
    public static Trainer Resume(RunFolder folder, int? epochs, ImageDataset dataset, Device device, TrainingDisplay display)
    {
        var (checkpoint, network, restore) = Checkpoint.Load(folder.Last, device);
        checkpoint.Dataset.RequireSame(dataset);
        var options = checkpoint.Options with { Epochs = epochs ?? checkpoint.Options.Epochs };
        var trainer = new Trainer(options, dataset, device, folder, display, checkpoint.State, network);
        restore(trainer._optimizer);
        return trainer;
    }

    /// <summary>Trains the epochs that are left. When cancelled, it saves the run as it stands first.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled; the run can be resumed.</exception>
    /// <exception cref="UserException">The loss is no longer a number, or a file cannot be written.</exception>
    public void Run(CancellationToken cancellation = default)
    {
        _folder.WriteConfig(_options, _dataset, _device);
        while (_state.History.Count < _options.Epochs)
        {
            var epoch = _state.History.Count + 1;
            _display.Track($"epoch {epoch}/{_options.Epochs}", StepsInEpoch, report => TrainEpoch(epoch, report, cancellation));
            CloseEpoch(cancellation);
        }
    }

    /// <summary>Evaluates the network as it stands on the test images.</summary>
    public Evaluation Test(CancellationToken cancellation = default) => Evaluate(_dataset.Test, Batches.InOrder(_dataset.Test.Count), "test", cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        _optimizer.Dispose();
        _reconstructionLoss.Dispose();
        Network.Dispose();
    }

    private void TrainEpoch(int epoch, Action<long, string> report, CancellationToken cancellation)
    {
        var order = Batches.Vary(Batches.Order(_training, _options.Seed, epoch), _trainingSplit, _options.Seed, epoch);
        var images = (int)ImagesInEpoch;
        var (clock, secondsBefore, stepsBefore) = (Stopwatch.StartNew(), _state.Seconds, _state.StepInEpoch);
        Network.train();
        using var feed = new BatchFeed(_state.StepInEpoch, StepsInEpoch, step => Prepare(order, images, epoch, step));
        while (_state.StepInEpoch < StepsInEpoch)
        {
            if (cancellation.IsCancellationRequested)
            {
                Save(_folder.Last);
                cancellation.ThrowIfCancellationRequested();
            }

            using (Clock?.Step())
            {
                Step(feed);
            }

            _state.Seconds = secondsBefore + clock.Elapsed.TotalSeconds;
            report(_state.StepInEpoch, Details(epoch, (_state.StepInEpoch - stepsBefore) / clock.Elapsed.TotalSeconds));
        }
    }

    // What a step sees depends on seed, epoch and step alone, and not on when or where it is prepared.
    private ImageBatch Prepare(long[] order, int images, int epoch, int step)
    {
        using var scope = NewDisposeScope();
        var start = step * _options.BatchSize;
        var indices = order.AsSpan(start, Math.Min(_options.BatchSize, images - start));
        var batch = Batches.Take(_trainingSplit, indices, _device);
        var seed = Batches.AugmentationSeed(_options.Seed, (long)(epoch - 1) * StepsInEpoch + step);
        return (batch with { Images = Augmentations.Apply(_options, batch.Images, seed) }).Select(tensor => tensor.MoveToOuterDisposeScope());
    }

    private void Step(BatchFeed feed)
    {
        using var scope = NewDisposeScope();
        var step = (long)_state.History.Count * StepsInEpoch + _state.StepInEpoch;
        foreach (var group in _optimizer.ParamGroups)
        {
            group.LearningRate = RateAt(step);
        }

        var (images, labels, parts) = feed.Next();
        StageClock.End("input");

        _optimizer.zero_grad();
        StageClock.End("optimizer");
        Network.EpochsBehind = (double)step / StepsInEpoch;
        manual_seed(Batches.DropoutSeed(_options.Seed, step));
        var output = StageClock.End("rest of the network", Network.call(images));
        var reconstruction = Network.HasDecoder ? StageClock.End("decoder", Network.Reconstruct(output, labels)) : null;
        var loss = Network.Loss(output, labels);
        if (reconstruction is not null)
        {
            loss += _reconstructionLoss.call(reconstruction, parts ?? images);      // of several objects each against its own image
        }

        var value = loss.item<float>();
        if (!float.IsFinite(value))
        {
            throw new UserException($"Training has diverged: the loss of step {_state.StepInEpoch + 1} of epoch {_state.History.Count + 1} is {value}. Use a smaller --learning-rate; the checkpoints in {_folder.FullPath} are from before.");
        }

        StageClock.End("losses");
        loss.backward();
        StageClock.EndBackward();
        _optimizer.step();
        StageClock.End("optimizer");

        var count = labels.size(0);
        _state.LossSum += (double)value * count;
        _state.Right += Hits.Count(Network.Scores(output), labels).All;
        _state.Images += count;
        _state.StepInEpoch++;
        StageClock.End("bookkeeping");
    }

    private void CloseEpoch(CancellationToken cancellation)
    {
        double? validation = null;
        if (_heldOut.Length > 0)
        {
            try
            {
                validation = Evaluate(_heldOutSplit, _heldOut, "validation", cancellation).Accuracy;
            }
            catch (OperationCanceledException)
            {
                Save(_folder.Last);      // all steps are done; resuming starts with the validation
                throw;
            }
        }

        var rate = RateAt((long)(_state.History.Count + 1) * StepsInEpoch - 1);
        var (images, seconds) = (_state.Images, _state.Seconds);
        var result = _state.CloseEpoch(validation, rate);

        // The best first: a kill between the two leaves a last checkpoint that does not yet count this epoch, and resuming it
        // writes both anew. The other way round the best would stay behind.
        if (_state.BestEpoch == result.Epoch)
        {
            Save(_folder.Best);
        }

        Save(_folder.Last);
        _folder.WriteMetrics(_state.History);

        _display.Line($"epoch {result.Epoch}/{_options.Epochs}  loss {result.Loss:f4}  training accuracy {result.TrainAccuracy:p2}" +
            $"{(validation is { } v ? $"  validation accuracy {v:p2}" : "")}  {images / seconds:f0} images/s  {TimeSpan.FromSeconds(seconds):m\\:ss}");
    }

    private Evaluation Evaluate(ImageSplit split, long[] indices, string name, CancellationToken cancellation)
    {
        var result = default(Evaluation);
        _display.Track(name, indices.Length, report =>
            result = Evaluator.Run(Network, split, indices, _device, done => report(done, $"{done}/{indices.Length} images"), cancellation));
        return result;
    }

    private void Save(string path) => new Checkpoint(_options, _facts, _state).Save(path, Network, _optimizer);

    private double RateAt(long step) => LearningRate.At(_options, step, StepsInEpoch);

    private string Details(int epoch, double stepsPerSecond)
    {
        var stepsLeft = StepsInEpoch - _state.StepInEpoch + (long)(_options.Epochs - epoch) * StepsInEpoch;
        return $"step {_state.StepInEpoch}/{StepsInEpoch}  loss {_state.LossSum / _state.Images:f4}  accuracy {(double)_state.Right / _state.Images:p1}  " +
            $"{stepsPerSecond * _options.BatchSize:f0} images/s  {TimeSpan.FromSeconds(stepsLeft / stepsPerSecond):h\\:mm\\:ss} left";
    }
}
