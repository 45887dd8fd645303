using System.Diagnostics;
using Capsules.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Where the time of training steps goes, by stage.</summary>
/// <remarks>
/// On the CPU an operation has ended when its call returns, so the clock reads the time between the ends of stages: nothing
/// is made to wait. Within backward, which is one call, a node in the graph at the end of each forward stage tells when the gradient has
/// come back to there. A node costs about 10 microseconds; without a clock there are none.
/// </remarks>
internal sealed class StageClock
{
    /// <summary>Steps that are not counted: code is compiled and memory taken for the first time in them.</summary>
    public const int Uncounted = 3;

    private const string Rest = "rest of backward";

    // The clock of the step that runs on this thread. Backward of the CPU runs on it too.
    [ThreadStatic]
    private static StageClock? _current;

    private readonly Dictionary<string, (double Forward, double Backward)> _seconds = [];
    private readonly List<string> _order = [], _passed = [];
    private double _whole;
    private int _steps;
    private long _last;

    /// <summary>Steps that were counted.</summary>
    public int Steps => Math.Max(_steps - Uncounted, 0);

    /// <summary>Seconds of a step, the mean.</summary>
    public double Whole => _whole / Steps;

    /// <summary>Mean seconds of each stage in a step, in the order in which stages first ended.</summary>
    public IEnumerable<(string Stage, double Forward, double Backward)> Stages =>
        _order.Select(stage => (stage, _seconds[stage].Forward / Steps, _seconds[stage].Backward / Steps));

    /// <summary>Measures a step on this thread until it is disposed.</summary>
    public IDisposable Step()
    {
        (_current, _last) = (this, Stopwatch.GetTimestamp());
        _passed.Clear();
        return new Running(this, _last);
    }

    /// <summary>Ends a stage: the time since the end of the last belongs to it.</summary>
    public static void End(string stage) => _current?.Count(stage, isForward: true);

    /// <summary>Ends a stage that makes a tensor, and marks the place for backward.</summary>
    /// <returns>The tensor, or its like in the graph, in the scope of the tensor.</returns>
    public static Tensor End(string stage, Tensor tensor)
    {
        if (_current is not { } clock)
        {
            return tensor;
        }

        clock.Count(stage, isForward: true);
        clock._passed.Add(stage);
        return tensor.requires_grad && is_grad_enabled() ? Mark.apply(tensor, stage) : tensor;
    }

    /// <summary>Ends backward: what has passed since the gradient came back to the end of the first stage is that stage's.</summary>
    public static void EndBackward() => _current?.Count(_current._passed.Count > 0 ? _current._passed[0] : Rest, isForward: false);

    // The gradient has come back to the end of a stage: what has passed belongs to the stage after it.
    private void CameBack(string stage)
    {
        var next = _passed.IndexOf(stage) + 1;
        Count(next < _passed.Count ? _passed[next] : "losses", isForward: false);
    }

    private void Count(string stage, bool isForward)
    {
        var now = Stopwatch.GetTimestamp();
        var seconds = Stopwatch.GetElapsedTime(_last, now).TotalSeconds;
        _last = now;
        if (!_seconds.TryGetValue(stage, out var sum))
        {
            _order.Add(stage);
        }

        if (_steps >= Uncounted)
        {
            sum = isForward ? (sum.Forward + seconds, sum.Backward) : (sum.Forward, sum.Backward + seconds);
        }

        _seconds[stage] = sum;
    }

    private sealed class Running(StageClock clock, long start) : IDisposable
    {
        public void Dispose()
        {
            _current = null;
            if (clock._steps++ >= Uncounted)
            {
                clock._whole += Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }
    }

    private sealed class Mark : autograd.SingleTensorFunction<Mark>
    {
        private const string Stage = "stage";

        // Nothing else that the collector sees holds the gradient until native code has read what backward returns.
        [ThreadStatic]
        private static Tensor? _returned;

        public override string Name => "StageMark";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_data(Stage, vars[1]);
            ctx.set_materialize_grads(false);      // zeros would be made from a tensor that a dispose scope has freed
            return ((Tensor)vars[0]).alias();
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            _current?.CameBack((string)ctx.get_data(Stage));
            _returned = grad_output;
            return [grad_output, null!];
        }
    }
}

/// <summary>The end of a stage in a place that takes a module.</summary>
internal sealed class StageEnd(string stage) : nn.Module<Tensor, Tensor>(nameof(StageEnd)), IOnnxModule
{
    public override Tensor forward(Tensor input)
    {
        var marked = StageClock.End(stage, input);
        return ReferenceEquals(marked, input) ? input.alias() : marked;      // the caller's scope holds the input already
    }

    /// <summary>Nothing: it computes nothing.</summary>
    public OnnxValue Export(OnnxGraph graph, OnnxValue input) => input;
}
