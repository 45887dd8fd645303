namespace Capsules.Benchmarks;

/// <summary>Measures one case: first that all agree, then times, then memory.</summary>
internal sealed class CaseComparison(RoutingCase routingCase, MachineLimits limits, CompareSettings settings)
{
    private readonly List<Implementation> _baselines = [.. Implementation.Baselines.Where(baseline => baseline.Fits(routingCase, settings.MostBytes))];

    private bool IsOnGpu => settings.Device.type == DeviceType.CUDA;

    public CaseResult Run()
    {
        using var tensors = new CaseTensors(routingCase, _baselines.Prepend(Implementation.Capsules), settings.Device);
        var largest = Agreement.Check(tensors, _baselines);
        var forward = Time(PassResult.ForwardPass, Work.Forward(routingCase), implementation => () => implementation.Forward(tensors).Dispose());
        var training = Time(PassResult.TrainingPass, Work.Training(routingCase), implementation => () => implementation.Train(tensors));
        return new CaseResult(routingCase, largest, forward, training, Memory(tensors));
    }

    private PassResult Time(string pass, Work work, Func<Implementation, Action> action)
    {
        var rounds = new Interleaved(action(Implementation.Capsules), IsOnGpu ? () => torch.cuda.synchronize() : null);
        _baselines.ForEach(baseline => rounds.AddRival(action(baseline)));
        rounds.AddOther(limits.Product);
        rounds.AddOther(limits.Copy);
        rounds.Run(settings.TimePerPass, settings.MostRounds);

        var ours = rounds.Reference;
        return new PassResult(
            routingCase.Name,
            pass,
            rounds.Other(0).Values.Count,
            1e3 * ours.Median,
            1e3 * ours.Quantile(0),
            1e3 * ours.Quantile(0.25),
            1e3 * ours.Quantile(0.75),
            [.. _baselines.Select((baseline, i) => new BaselineResult(
                baseline.Name, 1e3 * rounds.Rival(i).Median, 1e3 * rounds.Rival(i).Quantile(0), rounds.Rival(i).Median / ours.Median, rounds.RivalRatios(i).Median))],
            new Roofline(
                work.Flop / 1e9,
                work.Flop / 1e9 / ours.Median,
                limits.ProductFlop / 1e9 / rounds.Other(0).Median,
                work.Bytes / 1e6,
                work.Bytes / 1e9 / ours.Median,
                limits.CopyBytes / 1e9 / rounds.Other(1).Median));
    }

    private MemoryResult? Memory(CaseTensors tensors)
    {
        if (IsOnGpu && !CompareSettings.MeasuresGpuMemory(routingCase))
        {
            return null;
        }

        if (!IsOnGpu && !PeakMemory.IsAvailable)
        {
            return null;
        }

        double? Peak(Implementation implementation) => IsOnGpu
            ? GpuMemory.Of(implementation, routingCase)
            : PeakMemory.Of(() => implementation.Train(tensors), settings.MemoryCalls) / 1e6;
        return Peak(Implementation.Capsules) is { } ours
            ? new MemoryResult(
                routingCase.VoteBytes / 1e6,
                routingCase.ResultBytes / 1e6,
                ours,
                _baselines.Select(baseline => (baseline.Name, Peak: Peak(baseline))).Where(b => b.Peak is not null)
                    .ToDictionary(b => b.Name, b => b.Peak!.Value))
            : null;
    }
}
