using System.Diagnostics;
using TorchSharp;
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
    private readonly TrainingStep _step;
    private readonly DatasetFacts _facts;
    private Replicas _replicas;
    private readonly long[] _heldOut, _training;
    private readonly ImageSplit _trainingSplit, _heldOutSplit;

    private Trainer(
        TrainingOptions options, ImageDataset dataset, Device device, RunFolder folder, TrainingDisplay display, TrainingState state, ImageNetwork network)
    {
        (_options, _dataset, _device, _folder, _display, _state, Network) = (options, dataset, device, folder, display, state, network);
        options.Precision.Apply(device);
        _step = new TrainingStep(options, network, how => Diverged($"in step {state.StepInEpoch + 1} {how}"));
        _replicas = MakeReplicas(1);
        _facts = DatasetFacts.Of(dataset);
        (_heldOut, _training) = Batches.HoldOut(dataset.Train.Count, options.Validation, options.Seed);
        _trainingSplit = dataset.Train.DrawnFrom(_training);
        _heldOutSplit = (_heldOut.Length > 0 ? dataset.Train.DrawnFrom(_heldOut) : dataset.Train).AsTested;
        _heldOut = Batches.Vary(_heldOut, dataset.Train.AsTested, options.Seed, epoch: 0);
    }

    /// <summary>The network under training.</summary>
    public ImageNetwork Network { get; }

    /// <summary>Measures where the time of steps goes; null (the default) for no measuring.</summary>
    public StageClock? Clock { get; set; }

    /// <summary>Names the layer where numbers stop being numbers; null (the default) for a run that only notices that they did.</summary>
    public AnomalyWatch? Anomaly { get => _step.Anomaly; set => _step.Anomaly = value; }

    /// <summary>Steps of an epoch may take so long before the run saves itself in between. Default: 5 minutes.</summary>
    public TimeSpan SaveEvery { get; set; } = new MachineSettings().SaveEvery;

    /// <summary>Hears of steps and epochs for TensorBoard; null (the default) for no event file. The caller owns it.</summary>
    public RunEvents? Events { get; set; }

    /// <summary>Called when an epoch is closed and saved. Default: nothing.</summary>
    public Action? EpochEnded { get; set; }

    /// <summary>
    /// How many copies of the network share each batch, the network included; 0 for one on each GPU. Default: 1. The numbers are those of one, but for
    /// the order of sums.
    /// </summary>
    /// <exception cref="UserException">The network does not see each image by itself.</exception>
    public int Replicas
    {
        get => _replicas.Count;
        set
        {
            var replicas = MakeReplicas(value);
            _replicas.Dispose();
            _replicas = replicas;
        }
    }

    private string Place => ComputeDevice.Describe(_device) + (Replicas > 1 ? $", {Replicas} replicas" : "");

    /// <summary>The run's options.</summary>
    public TrainingOptions Options => _options;

    /// <summary>The last evaluation on the images that checkpoints are chosen by; null before the first, or where there are none.</summary>
    public Evaluation? Validation { get; private set; }

    /// <summary>Finished epochs.</summary>
    public IReadOnlyList<EpochResult> History => _state.History;

    /// <summary>The epoch of the best checkpoint.</summary>
    public int BestEpoch => _state.BestEpoch;

    private long StepsDone => (long)_state.History.Count * StepsInEpoch + _state.StepInEpoch;

    /// <summary>Training images that are not held out: as many as an epoch can have.</summary>
    public int ImagesAvailable => _training.Length;

    private long ImagesInEpoch => Math.Min(_options.ImagesPerEpoch ?? long.MaxValue, _training.Length);

    /// <summary>Steps in an epoch.</summary>
    public int StepsInEpoch => (int)((ImagesInEpoch + _options.BatchSize - 1) / _options.BatchSize);

    /// <summary>Prepares a new run.</summary>
    public static Trainer Start(TrainingOptions options, ImageDataset dataset, Device device, RunFolder folder, TrainingDisplay display)
    {
        manual_seed(options.Seed);      // weights are drawn on the CPU, alike for every device
        var network = new Checkpoint(options, DatasetFacts.Of(dataset), new TrainingState()).MakeNetwork();
        network.to(device);
        return new Trainer(options, dataset, device, folder, display, new TrainingState(), network);
    }

    /// <summary>Prepares to go on with a run, or to start it again where it did not come to a checkpoint.</summary>
    /// <param name="folder">Its folder.</param>
    /// <param name="end">When it is to end, where that is not as it was started.</param>
    /// <param name="dataset">The dataset, which must be the one that it was trained on.</param>
    /// <param name="device">Where to go on.</param>
    /// <param name="display">Where progress is shown.</param>
    public static Trainer Resume(RunFolder folder, RunEnd end, ImageDataset dataset, Device device, TrainingDisplay display)
    {
        if (!File.Exists(folder.Last))
        {
            var config = folder.ReadConfig();
            config.Dataset.RequireSame(dataset);
            var started = end.Of(config.Options);
            started.Check(dataset);
            return Start(started, dataset, device, folder, display);
        }

        var (checkpoint, network, optimizer) = Checkpoint.LoadRun(folder.Last, device);
        checkpoint.Dataset.RequireSame(dataset);
        var options = end.Of(checkpoint.Options.Resolve());
        options.Check(dataset);
        var trainer = new Trainer(options, dataset, device, folder, display, checkpoint.State, network);
        Checkpoint.Restore(trainer._step.Optimizer, optimizer);
        return trainer;
    }

    /// <summary>Trains the epochs that are left. When cancelled, it saves the run as it stands first.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled; the run can be resumed.</exception>
    /// <exception cref="UserException">The loss is no longer a number, or a file cannot be written.</exception>
    public void Run(CancellationToken cancellation = default)
    {
        _folder.WriteConfig(RunConfig.Of(_options, _dataset, _device));
        _folder.WriteMetrics(_state.History, _options.Select.Images());      // a kill may have come between checkpoint and metrics
        Events?.Open(StepsDone, _state.History.Count);
        NotePlace();
        while (!_state.IsAtEnd(_options))
        {
            var epoch = _state.History.Count + 1;
            _display.Track($"epoch {epoch}/{_options.Epochs}", StepsInEpoch, report => TrainEpoch(epoch, report, cancellation));
            CloseEpoch(cancellation);
        }

        if (_state.History.Count < _options.Epochs && _state.StopReason(_options) is { } reason)
        {
            _display.Line(reason);
        }
    }

    /// <summary>Evaluates the network as it stands on the test images.</summary>
    public Evaluation Test(CancellationToken cancellation = default) => Evaluate(_dataset.Test, Batches.InOrder(_dataset.Test.Count), "test", cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        _replicas.Dispose();
        _step.Dispose();
        Network.Dispose();
    }

    // Sums are taken in another order by another number of threads, or by another device.
    private void NotePlace()
    {
        var (before, now) = (_state.ComputedOn, Place);
        if (_state.History.Count >= _options.Epochs)
        {
            return;      // nothing is left to compute
        }

        if (before is not null && before != now)
        {
            _display.Line(
                $"The run was computed on {before} and goes on with {now}: its numbers may differ in the last bits " +
                "from those of a run without the change.");
        }

        _state.ComputedOn = now;
    }

    private Replicas MakeReplicas(int count) =>
        new(Network, () => new Checkpoint(_options, _facts, _state).MakeNetwork(), Samples.Replicas.Devices(count, _device));

    private void TrainEpoch(int epoch, Action<long, string> report, CancellationToken cancellation)
    {
        var order = Batches.Vary(Batches.Order(_training, _options.Seed, epoch), _trainingSplit, _options.Seed, epoch);
        var images = (int)ImagesInEpoch;
        var (clock, secondsBefore, stepsBefore, saved) = (Stopwatch.StartNew(), _state.Seconds, _state.StepInEpoch, Stopwatch.GetTimestamp());
        Network.train();      // copies are made in this mode, and never leave it
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
            if (Stopwatch.GetElapsedTime(saved) >= SaveEvery)
            {
                Save(_folder.Last);
                saved = Stopwatch.GetTimestamp();
            }
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
        var step = StepsDone;
        var shares = _replicas.Split(feed.Next());
        StageClock.End("input");
        var result = _step.Take(_replicas, shares, step, (double)step / StepsInEpoch, RateAt(step));
        _state.Count(result);
        Events?.Step(StepsDone, result.Loss, RateAt(step));
        StageClock.End("bookkeeping");
    }

    private void CloseEpoch(CancellationToken cancellation)
    {
        Validation = null;
        Network.EpochsBehind = _state.History.Count + 1;      // in a resumed run too that only has the evaluation left
        var chosenBy = _options.Select.Images();
        var (split, indices) = _options.Select == Selection.Test ? (_dataset.Test, Batches.InOrder(_dataset.Test.Count)) : (_heldOutSplit, _heldOut);
        if (indices.Length > 0)
        {
            try
            {
                Validation = Evaluate(split, indices, chosenBy, cancellation);
            }
            catch (OperationCanceledException)
            {
                Save(_folder.Last);      // all steps are done; resuming starts with the validation
                throw;
            }
        }

        if (Validation is { } validation && !double.IsFinite(validation.Loss))
        {
            throw Diverged($"the loss on the {chosenBy} images is {validation.Loss}");
        }

        var result = _state.CloseEpoch(Validation, RateAt(StepsDone - 1));
        Events?.Epoch(result, chosenBy);
        Events?.Watch(result.Epoch, Network, _heldOut.Length > 0 ? _heldOutSplit : _trainingSplit, _heldOut.Length > 0 ? _heldOut : _training, _device);

        // The best first: a kill between the two leaves a last checkpoint that does not yet count this epoch, and resuming it
        // writes both anew. The other way round the best would stay behind.
        if (_state.BestEpoch == result.Epoch)
        {
            Save(_folder.Best);
        }

        Save(_folder.Last);
        _folder.WriteMetrics(_state.History, chosenBy);

        _display.Line($"epoch {result.Epoch}/{_options.Epochs}  loss {result.Loss:f4}  training accuracy {result.TrainAccuracy:p2}" +
            $"{(Validation is { } v ? $"  {chosenBy} accuracy {v.Accuracy:p2}" : "")}  {result.ImagesPerSecond:f0} images/s  {TimeSpan.FromSeconds(result.Seconds):m\\:ss}");
        EpochEnded?.Invoke();
    }

    private Evaluation Evaluate(ImageSplit split, long[] indices, string name, CancellationToken cancellation) => _display.TrackImages(
        name, indices.Length, report => Evaluator.Run(Network, split, indices, _device, report, cancellation));

    // Events first: they are never behind the checkpoint, and resuming forgets what they are ahead. Weights that are no longer
    // numbers show in the loss one step later only, and must not take the place of good ones before.
    private void Save(string path)
    {
        using (NewDisposeScope())
        using (no_grad())
        {
            if (Network.state_dict().Values.Any(weight => !weight.isfinite().all().item<bool>()))
            {
                throw Diverged("the weights are no longer numbers");
            }
        }

        Events?.Flush();
        new Checkpoint(_options, _facts, _state).Save(path, Network, _step.Optimizer);
    }

    private UserException Diverged(string how) => new(
        $"Training has diverged: in epoch {_state.History.Count + 1}, {how}. Use a smaller --learning-rate; the checkpoints in {_folder.FullPath} " +
        "are from before.");

    private double RateAt(long step) => LearningRate.At(_options, step, StepsInEpoch);

    private string Details(int epoch, double stepsPerSecond)
    {
        var stepsLeft = StepsInEpoch - _state.StepInEpoch + (long)(_options.Epochs - epoch) * StepsInEpoch;
        return $"step {_state.StepInEpoch}/{StepsInEpoch}  loss {_state.LossSum / _state.Images:f4}  accuracy {(double)_state.Right / _state.Images:p1}  " +
            $"{stepsPerSecond * _options.BatchSize:f0} images/s  {TimeSpan.FromSeconds(stepsLeft / stepsPerSecond):h\\:mm\\:ss} left";
    }
}
