using static TorchSharp.torch;

namespace Capsules.Tests;

/// <summary>Comparisons of tensors whose messages show where they differ.</summary>
internal static class TensorCheck
{
    public static void ShouldBeClose(this Tensor actual, Tensor expected, double tolerance = 1e-6, string because = "")
    {
        actual.shape.Should().Equal(expected.shape, because);
        using var scope = NewDisposeScope();
        var (a, e) = (actual.detach().cpu().to(float64), expected.detach().cpu().to(float64));
        var difference = (a - e).abs();
        var allowed = e.abs().add(1).mul(tolerance);
        var bad = difference.le(allowed).logical_not();      // NaN counts as different
        if (bad.any().item<bool>())
        {
            Assert.Fail($"tensors differ by up to {difference.max().item<double>():g4} (allowed {tolerance:g3} x (1 + |expected|)) {because}\n" +
                $"actual   {Values(a)}\nexpected {Values(e)}");
        }
    }

    public static void ShouldBeFinite(this Tensor actual)
    {
        using var finite = actual.detach().isfinite().all();
        finite.item<bool>().Should().BeTrue($"{Values(actual)} should be finite");
    }

    public static double[] ToDoubles(this Tensor tensor)
    {
        using var flat = tensor.detach().to(float64).cpu().flatten().contiguous();
        return flat.data<double>().ToArray();
    }

    private static string Values(Tensor tensor) => string.Join(" ", tensor.ToDoubles().Take(12).Select(x => x.ToString("g6"))) + " ...";
}
