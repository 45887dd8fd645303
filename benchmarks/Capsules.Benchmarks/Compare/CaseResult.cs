namespace Capsules.Benchmarks;

/// <summary>What was measured of one case.</summary>
/// <param name="Largest">Largest relative difference of v, du and dW between any baseline and ours.</param>
internal sealed record CaseResult(RoutingCase Case, double Largest, PassResult Forward, PassResult Training, MemoryResult? Memory)
{
    public IEnumerable<PassResult> Passes => [Forward, Training];
}

/// <summary>One case, forward or forward and backward.</summary>
/// <param name="Pass">"forward" or "forward + backward".</param>
/// <param name="Milliseconds">Ours, the median.</param>
/// <param name="Fastest">Ours, milliseconds: what a machine with nothing else to do comes close to.</param>
/// <param name="LowerQuartile">Ours, milliseconds.</param>
/// <param name="UpperQuartile">Ours, milliseconds.</param>
internal sealed record PassResult(
    string Case,
    string Pass,
    int Rounds,
    double Milliseconds,
    double Fastest,
    double LowerQuartile,
    double UpperQuartile,
    IReadOnlyList<BaselineResult> Baselines,
    Roofline Roofline)
{
    public const string ForwardPass = "forward";

    public const string TrainingPass = "forward + backward";

    public BaselineResult? Baseline(string name) => Baselines.FirstOrDefault(baseline => baseline.Name == name);
}

/// <summary>One baseline beside ours.</summary>
/// <param name="Ratio">Its median over ours: above 1, ours is faster.</param>
/// <param name="PairedRatio">The median of its times over ours just before.</param>
internal sealed record BaselineResult(string Name, double Milliseconds, double Fastest, double Ratio, double PairedRatio);

/// <summary>Ours against the machine's limits, measured in the same rounds.</summary>
internal sealed record Roofline(
    double Gigaflop,
    double GigaflopPerSecond,
    double ProductGigaflopPerSecond,
    double Megabytes,
    double GigabytesPerSecond,
    double CopyGigabytesPerSecond)
{
    public double ShareOfProduct => GigaflopPerSecond / ProductGigaflopPerSecond;

    public double ShareOfCopy => GigabytesPerSecond / CopyGigabytesPerSecond;
}

/// <summary>Peak resident memory of forward and backward, in megabytes above what was resident before.</summary>
/// <param name="Votes">The votes u_hat alone.</param>
/// <param name="Results">v, du and dW, which the caller gets; contained in every peak.</param>
internal sealed record MemoryResult(double Votes, double Results, double Capsules, IReadOnlyDictionary<string, double> Baselines)
{
    /// <summary>Of ours, beyond the results; null where the peak is below them, which cannot be: then memory was reused unseen.</summary>
    public double? Extra => Capsules < 0.97 * Results ? null : Math.Max(Capsules - Results, 0);

    /// <summary>The same in shares of the votes.</summary>
    public double? ExtraShareOfVotes => Extra / Votes;
}
