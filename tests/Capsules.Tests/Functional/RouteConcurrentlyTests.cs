using static TorchSharp.torch;

namespace Capsules.Tests.Functional;

public class RouteConcurrentlyTests
{
    private static (ConvCapsuleLayer First, ConvCapsuleLayer Second, ClassCapsuleLayer Classes) Network() => (
        new ConvCapsuleLayer(2, 4, 3, 4, new InvertedDotProductRouting(4, dtype: float64), 3, 1, kind: CapsuleKind.Matrix, dtype: float64),
        new ConvCapsuleLayer(3, 4, 2, 4, new InvertedDotProductRouting(4, dtype: float64), 2, 1, kind: CapsuleKind.Matrix, dtype: float64),
        new ClassCapsuleLayer(2, 4, 5, 4, new InvertedDotProductRouting(4, dtype: float64), positions: 4, kind: CapsuleKind.Matrix, dtype: float64));

    // Every state of every pass, from all states of the pass before: the algorithm as it is written.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void RouteConcurrently_ThreeLayers_UpdatesAllFromThePassBefore(int iterations)
    {
        using var scope = NewDisposeScope();
        var (first, second, classes) = Network();
        var x = randn([2, 2, 5, 5, 4], float64);
        Tensor a = first.Update(x), b = second.Update(a), c = classes.Update(b);
        for (var pass = 1; pass < iterations; pass++)
        {
            (a, b, c) = (first.Update(x, a), second.Update(a, b), classes.Update(b, c));
        }

        Capsules.Functional.route_concurrently(x, iterations, first.Update, second.Update, classes.Update).ShouldBeClose(c, 1e-12);
    }

    [Fact]
    public void RouteConcurrently_OneLayer_IsSequentialRouting()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(6, 4, 3, 5, new InvertedDotProductRouting(5, iterations: 3, dtype: float64), dtype: float64);
        var u = randn([2, 6, 4], float64);
        Capsules.Functional.route_concurrently(u, 3, layer.Update).ShouldBeClose(layer.call(u), 1e-12);
    }

    [Fact]
    public void RouteConcurrently_Parameters_GetGradientsAndNothingIsLeftBehind()
    {
        using var scope = NewDisposeScope();
        var (first, second, classes) = Network();
        var x = randn([2, 2, 5, 5, 4], float64);
        Step();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Step();
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before);
        new nn.Module[] { first, second, classes }.SelectMany(m => m.parameters()).Should().OnlyContain(p => p.grad!.isfinite().all().item<bool>());

        void Step()
        {
            using var output = Capsules.Functional.route_concurrently(x, 2, first.Update, second.Update, classes.Update);
            using var sum = output.sum();
            sum.backward();
        }
    }

    [Fact]
    public void RouteConcurrently_AnotherRouting_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(6, 4, 3, 5);
        ((Action)(() => Capsules.Functional.route_concurrently(rand(2, 6, 4), 2, layer.Update))).Should().Throw<NotSupportedException>()
            .WithMessage("DynamicRouting cannot be run pass by pass. InvertedDotProductRouting can.");
        ((Action)(() => Capsules.Functional.route_concurrently(rand(2, 6, 4), 0, layer.Update))).Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => Capsules.Functional.route_concurrently(rand(2, 6, 4), 1))).Should().Throw<ArgumentException>()
            .WithMessage("route_concurrently expected at least one layer in updates.*");
    }
}
