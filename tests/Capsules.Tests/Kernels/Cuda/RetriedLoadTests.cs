namespace Capsules.Tests.Kernels;

public sealed class RetriedLoadTests
{
    private readonly Clock _clock = new();
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

    [Fact]
    public void Get_FailureThatMayPass_IsTriedAgainAfterAPauseWithTheLastReason()
    {
        var load = Load(
            new CudaDriverException("cuModuleLoadData", 2, "out of memory"),
            new CudaDriverException("cuCtxSetCurrent", 201, "no context"),
            null);
        load.Get(out var reason).Should().BeNull();
        reason.Should().StartWith("CUDA's cuModuleLoadData failed with error 2, out of memory.");
        load.Get(out _).Should().BeNull();
        _loads.Should().Be(1, "callers come often, and trying takes time");

        _clock.Now += TimeSpan.FromSeconds(1);
        load.Get(out reason).Should().BeNull();
        reason.Should().StartWith("CUDA's cuCtxSetCurrent failed with error 201, no context.");

        _clock.Now += TimeSpan.FromSeconds(1);
        load.Get(out reason).Should().NotBeNull();
        reason.Should().BeNull();
        _loads.Should().Be(3);
    }

    [Theory]
    [InlineData(209)]
    [InlineData(218)]
    [InlineData(222)]
    public void Get_FailureThatLasts_IsRemembered(int error)
    {
        var load = Load(new CudaDriverException("cuModuleLoadData", error, "no use"), null);
        load.Get(out _).Should().BeNull();
        _clock.Now += TimeSpan.FromHours(1);
        load.Get(out var reason).Should().BeNull();
        reason.Should().Contain("no use");
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

    private RetriedLoad<object> Load(params Exception?[] outcomes)
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
            exception => exception is InvalidOperationException,
            exception => exception is CudaDriverException { MayPass: true },
            _clock);
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
