using System.Diagnostics;

namespace Capsules.Benchmarks;

/// <summary>Times several actions in turn, so that whatever else the machine does falls on all of them alike.</summary>
internal sealed class Interleaved
{
    /// <summary>Short calls are timed several at once: their sum is well above the clock's and the scheduler's grain.</summary>
    private const double ShortestSample = 0.004;

    private readonly Measurement _reference;

    private readonly List<Measurement> _rivals = [];

    private readonly List<Measurement> _others = [];

    private readonly Action? _settle;

    /// <param name="reference">What the others are compared with; it runs once before each rival.</param>
    /// <param name="settle">Waits until all that was asked for is done, within the timed region, where calls return before. Default: nothing.</param>
    public Interleaved(Action reference, Action? settle = null) => (_reference, _settle) = (new Measurement(reference, settle), settle);

    /// <summary>Seconds per call of the reference, over all rounds and rivals.</summary>
    public Samples Reference => _reference.Samples;

    /// <summary>Adds an action that is compared with the reference run just before it.</summary>
    public void AddRival(Action action) => _rivals.Add(new Measurement(action, _settle));

    /// <summary>Adds an action that only shares the rounds.</summary>
    public void AddOther(Action action) => _others.Add(new Measurement(action, _settle));

    public Samples Rival(int index) => _rivals[index].Samples;

    /// <summary>Each of a rival's samples over the reference's sample just before it.</summary>
    public Samples RivalRatios(int index) =>
        new(_rivals[index].Samples.Values.Select((seconds, round) => seconds / Reference.Values[round * ReferencesPerRound + index]));

    public Samples Other(int index) => _others[index].Samples;

    private int ReferencesPerRound => Math.Max(_rivals.Count, 1);

    /// <summary>Runs rounds until the time is spent, but never fewer than three.</summary>
    public void Run(TimeSpan budget, int mostRounds)
    {
        foreach (var measurement in _others.Concat(_rivals).Prepend(_reference))
        {
            measurement.WarmUp(ShortestSample);
        }

        var watch = Stopwatch.StartNew();
        for (var round = 0; round < 3 || (round < mostRounds && watch.Elapsed < budget); round++)
        {
            for (var i = 0; i < ReferencesPerRound; i++)
            {
                _reference.Take();
                if (i < _rivals.Count)
                {
                    _rivals[i].Take();
                }
            }

            _others.ForEach(other => other.Take());
        }
    }

    private sealed class Measurement(Action action, Action? settle)
    {
        private readonly List<double> _seconds = [];

        private int _calls = 1;

        public Samples Samples => new(_seconds);

        public void WarmUp(double shortestSample)
        {
            // A long first call is warm enough: what it compiled and allocated is a small part of it. On a GPU loading code can be most of it.
            var first = Time(1);
            var seconds = settle is null && first > 25 * shortestSample ? first : Time(1);
            _calls = (int)Math.Clamp(Math.Ceiling(shortestSample / Math.Max(seconds, 1e-6)), 1, 1000);
        }

        public void Take() => _seconds.Add(Time(_calls));

        private double Time(int calls)
        {
            var start = Stopwatch.GetTimestamp();
            for (var call = 0; call < calls; call++)
            {
                action();
            }

            settle?.Invoke();
            return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
        }
    }
}
