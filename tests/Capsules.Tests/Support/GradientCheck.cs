using static TorchSharp.torch;

namespace Capsules.Tests;

/// <summary>Gradients against central finite differences in float64, for every element of every input.</summary>
internal static class GradientCheck
{
    public static void Verify(Func<Tensor> function, params Tensor[] inputs)
    {
        using var scope = NewDisposeScope();
        foreach (var input in inputs)
        {
            input.dtype.Should().Be(ScalarType.Float64, "finite differences need float64");
            input.grad?.zero_();
        }

        // A fixed random direction over the outputs makes one scalar of them all.
        var direction = Random(function().shape);
        (function() * direction).sum().backward();
        foreach (var input in inputs)
        {
            input.grad.Should().NotBeNull("every checked input must get a gradient");
            input.grad!.ShouldBeClose(Numeric(() => (function() * direction).sum(), input), 1e-6, "against finite differences");
        }
    }

    private static Tensor Random(long[] shape)
    {
        using var generator = new Generator(7);
        return randn(shape, ScalarType.Float64, generator: generator);
    }

    private static Tensor Numeric(Func<Tensor> scalar, Tensor input)
    {
        const double Step = 1e-6;
        using var noGrad = no_grad();
        var gradient = zeros_like(input);
        var (x, g) = (input.flatten(), gradient.view(-1));      // x is a view: parameters are contiguous
        for (long i = 0; i < x.numel(); i++)
        {
            using var inner = NewDisposeScope();
            var original = x[i].item<double>();
            x[i] = original + Step;
            var up = scalar().item<double>();
            x[i] = original - Step;
            var down = scalar().item<double>();
            x[i] = original;
            g[i] = (up - down) / (2 * Step);
        }

        return gradient;
    }
}
