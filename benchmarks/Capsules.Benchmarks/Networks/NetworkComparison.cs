using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>What was measured of one network; milliseconds, and megabytes beyond weights, gradients and optimiser state.</summary>
/// <param name="Training">A step's median and quartiles.</param>
/// <param name="Inference">A batch without gradients and decoder.</param>
/// <param name="Convolutions">Its convolutions alone, forward and backward; null for the op-by-op networks.</param>
/// <param name="Peak">The peak of a step's resident memory; null where the system does not tell.</param>
/// <param name="FirstLoss">The loss before any step.</param>
/// <param name="FourthLoss">The loss after three.</param>
internal sealed record NetworkResult(string Name, Spread Training, Spread Inference, Spread? Convolutions, double? Peak, double FirstLoss, double FourthLoss);

/// <summary>A median and the quartiles around it.</summary>
internal sealed record Spread(double Median, double Lower, double Upper)
{
    public static Spread Of(IReadOnlyCollection<double> values)
    {
        var samples = new Samples(values);
        return new Spread(samples.Median, samples.Quantile(0.25), samples.Quantile(0.75));
    }
}

/// <summary>All that a run of <c>compare-network</c> measured.</summary>
internal sealed record NetworkComparison(Machine Machine, int Batch, int Rounds, bool HasFastBFloat16, IReadOnlyList<NetworkResult> Networks)
{
    /// <summary>
    /// How far the networks' losses may differ, relative: they compute the same function. After steps it is gradients that differ, and Adam makes
    /// as long a step of a small one.
    /// </summary>
    private const double Tolerance = 1e-4, ToleranceAfterSteps = 1e-3, HalfTolerance = 1e-2;

    public IReadOnlyList<Target> Targets => NetworkTargets.Of(this);

    public NetworkResult this[string name] => Networks.First(network => network.Name == name);

    /// <summary>Measures all networks in turn.</summary>
    /// <exception cref="InvalidOperationException">They do not compute the same, or a process ended.</exception>
    public static NetworkComparison Run(int batch, int rounds, int threads, Device device, Action<string> say)
    {
        List<ChildProcess> children = [];
        try
        {
            children.AddRange(TrainedNetwork.Names.Select(name => new ChildProcess(name, batch, threads, device.type == DeviceType.CUDA ? "cuda" : "cpu")));
            var losses = children.ConvertAll(child => child.Ask("step"));
            CheckAgreement("first", losses, device, Tolerance);
            var fourthLosses = children.ConvertAll(child => Enumerable.Range(0, 3).Select(_ => child.Ask("step")).Last());
            CheckAgreement("fourth", fourthLosses, device, ToleranceAfterSteps);
            string[] orders = ["train", "infer", "convolutions"];
            foreach (var (child, order) in from order in orders from child in children select (child, order))
            {
                child.Ask(order);      // to warm up: code, memory, oneDNN's choices
            }

            var times = children.ConvertAll(_ => orders.ToDictionary(order => order, _ => new List<double>()));
            for (var round = 0; round < rounds; round++)
            {
                say($"round {round + 1} of {rounds}");
                foreach (var (i, order) in from order in orders from i in Enumerable.Range(0, children.Count) select (i, order))
                {
                    times[i][order].Add(children[i].Ask(order));
                }
            }

            say("memory");
            return new NetworkComparison(Machine.ThisOne(device), batch, rounds, MixedPrecision.IsFast(ScalarType.BFloat16, device),
            [
                .. children.Select((child, i) => new NetworkResult(
                    child.Network,
                    Spread.Of(times[i]["train"]),
                    Spread.Of(times[i]["infer"]),
                    child.Network is TrainedNetwork.Plain or TrainedNetwork.PlainTuned ? null : Spread.Of(times[i]["convolutions"]),
                    child.Ask("memory") is var peak && double.IsNaN(peak) ? null : peak,
                    losses[i],
                    fourthLosses[i])),
            ]);
        }
        finally
        {
            children.ForEach(child => child.Dispose());
        }
    }

    private static void CheckAgreement(string which, List<double> losses, Device device, double tolerance)
    {
        for (var i = 0; i < losses.Count; i++)
        {
            var allowed = TrainedNetwork.Names[i] == TrainedNetwork.OursBFloat16 ? HalfTolerance : device.type == DeviceType.CUDA ? 10 * tolerance : tolerance;
            var difference = Math.Abs(losses[i] / losses[^1] - 1);
            if (!(difference <= allowed))
            {
                throw new InvalidOperationException(
                    $"The {which} loss of '{TrainedNetwork.Names[i]}', {losses[i]:g7}, differs from that of '{TrainedNetwork.Names[^1]}', {losses[^1]:g7}, by more than {allowed:g1}. Nothing is reported.");
            }
        }
    }
}
