namespace Capsules.Tests.Kernels;

public sealed class LoadedOnceTests
{
    private readonly Queue<Exception?> _outcomes = new();
    private int _loads;

    [Fact]
    public void Get_Loaded_IsKept()
    {
        var load = Load(null, null);
        var first = load.Get(out var reason);
        first.Should().NotBeNull();
        reason.Should().BeNull();
        load.Get(out _).Should().BeSameAs(first);
        _loads.Should().Be(1);
    }

    // Kernels loaded at the thousandth step would change the last bits of a run's numbers in the middle of it.
    [Theory]
    [InlineData(2)]
    [InlineData(209)]
    public void Get_Failure_HoldsThoughTheNextLoadWouldSucceed(int error)
    {
        var load = Load(new CudaDriverException("cuModuleLoadData", error, "of some meaning"), null);
        load.Get(out var first).Should().BeNull();
        first.Should().StartWith($"CUDA's cuModuleLoadData failed with error {error}, of some meaning.");
        load.Get(out var second).Should().BeNull();
        second.Should().Be(first);
        _loads.Should().Be(1);
    }

    [Fact]
    public void Get_ExceptionThatIsNoFailure_IsTheCallers()
    {
        var load = Load(new ArithmeticException("a defect"), null);
        var get = () => load.Get(out _);
        get.Should().Throw<ArithmeticException>();
        get().Should().NotBeNull("nothing was remembered");
    }

    [Fact]
    public void Get_FromManyThreads_LoadsOnce()
    {
        var load = Load(null, null);
        Parallel.For(0, 100, _ => load.Get(out var _).Should().NotBeNull());
        _loads.Should().Be(1);
    }

    [Fact]
    public void WhyNot_FailureThatMayPass_SaysHowToTryAgain() =>
        CudaKernels.WhyNot(new CudaDriverException("cuModuleLoadData", 2, "out of memory")).Should().Be(
            "CUDA's cuModuleLoadData failed with error 2, out of memory. An error of an earlier operation may show here. " +
            "This may pass, but it is decided until the program ends, so that its results are of one kind: start it anew to try again.");

    [Theory]
    [InlineData(209)]
    [InlineData(218)]
    [InlineData(222)]
    public void WhyNot_FailureThatLasts_DoesNotSendOneToTryAgain(int error) =>
        CudaKernels.WhyNot(new CudaDriverException("cuModuleLoadData", error, "no use"))
            .Should().Contain("no use").And.NotContain("try again");

    [Fact]
    public void WhyNot_NoDriver_IsWhatTheSystemSays() =>
        CudaKernels.WhyNot(new DllNotFoundException("no libcuda")).Should().Be("no libcuda");

    [Fact]
    public void WhyNot_DefectOfAnotherKind_IsNoReason() => CudaKernels.WhyNot(new ArithmeticException()).Should().BeNull();

    private LoadedOnce<object> Load(params Exception?[] outcomes)
    {
        foreach (var outcome in outcomes)
        {
            _outcomes.Enqueue(outcome);
        }

        return new(
            () =>
            {
                _loads++;
                return _outcomes.Dequeue() is { } failure ? throw failure : new object();
            },
            exception => exception is InvalidOperationException ? exception.Message : null);
    }
}
