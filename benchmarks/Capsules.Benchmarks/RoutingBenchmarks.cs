using BenchmarkDotNet.Attributes;

namespace Capsules.Benchmarks;

/// <summary>The cases that every implementation can run, and their tensors.</summary>
/// <remarks>BenchmarkDotNet counts managed memory alone. Tensors are not in it: <c>compare</c> measures theirs.</remarks>
public abstract class RoutingBenchmarks
{
    /// <summary>The case.</summary>
    [ParamsSource(nameof(Cases))]
    public RoutingCase Case { get; set; } = null!;

    /// <summary>Cases for which no baseline needs more than about 6 GB.</summary>
    public static IEnumerable<RoutingCase> Cases => RoutingCase.All.Where(c => Implementation.Baselines.All(baseline => baseline.Fits(c)));

    private protected CaseTensors Tensors { get; private set; } = null!;

    /// <summary>Makes the tensors and checks that all implementations agree.</summary>
    [GlobalSetup]
    public void Setup()
    {
        Tensors = new CaseTensors(Case, Implementation.Baselines.Prepend(Implementation.Capsules));
        Agreement.Check(Tensors, Implementation.Baselines);
    }

    /// <summary>Frees the tensors.</summary>
    [GlobalCleanup]
    public void Cleanup() => Tensors.Dispose();
}
