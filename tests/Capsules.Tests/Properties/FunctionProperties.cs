using FsCheck;
using FsCheck.Fluent;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Properties;

/// <summary>The functions on capsules and the convolutions over random sizes, dtypes and strides, against plain arithmetic in float64.</summary>
public class FunctionProperties
{
    internal sealed record Case(int A, int B, int C, int Dim, double Scale, ScalarType Dtype, Layout Layout, int Seed);

    internal sealed record ConvolutionCase(
        int B, int C, int O, int H, int W, int KernelH, int KernelW, int StrideH, int StrideW, int Padding, int Dilation, bool Relu, bool Bias, ConvolutionKernel Kernel,
        Layout OfInput, Layout OfWeight, int Gradients, int Seed);

    private static Gen<Case> Any { get; } =
        from a in Draw.Batch
        from b in Draw.Size
        from c in Draw.Size
        from dim in Gen.Choose(-3, 2)
        from scale in Gen.Elements(1, 1, 1e-3, 30)
        from dtype in Draw.Dtype
        from layout in Draw.Layout
        from seed in Draw.Seed
        select new Case(a, b, c, dim, scale, dtype, layout, seed);

    private static Gen<ConvolutionCase> AnyConvolution { get; } =
        from b in Gen.Choose(1, 3)
        from c in Draw.Size
        from o in Draw.Size
        from h in Gen.Choose(0, 9)
        from w in Gen.Choose(0, 9)
        from kernelH in Gen.Choose(1, 9)
        from kernelW in Gen.Choose(1, 9)
        from strideH in Gen.Choose(1, 3)
        from strideW in Gen.Choose(1, 3)
        from padding in Gen.Elements(0, 0, 1, 4)
        from dilation in Gen.Elements(1, 1, 2)
        from relu in Draw.Flag
        from bias in Draw.Flag
        from kernel in Gen.Elements(Enum.GetValues<ConvolutionKernel>())
        from ofInput in Draw.Layout
        from ofWeight in Draw.Layout
        from gradients in Gen.Choose(1, 7)
        from seed in Draw.Seed
        select new ConvolutionCase(b, c, o, h + dilation * (kernelH - 1) + 1, w + dilation * (kernelW - 1) + 1, kernelH, kernelW, strideH, strideW, padding, dilation,
            relu, bias, kernel, ofInput, ofWeight, gradients, seed);

    [Fact]
    public void Squashes_AnySizesDtypesAndStrides_AreTheirFormulas() => Property.ForAll(120, Any, run =>
    {
        var numbers = Numbers(run);
        foreach (var (function, factor) in ((Func<Tensor, Tensor>, Func<Tensor, Tensor>)[])
            [(s => F.squash(s, run.Dim), n => n / (1 + n * n)), (s => F.exponential_squash(s, run.Dim), n => (1 - (-n).exp()) / n)])
        {
            var input = numbers.to(run.Dtype).As(run.Layout).detach().requires_grad_();
            var output = function(input);
            output.dtype.Should().Be(run.Dtype);
            var plain = numbers.detach().clone().requires_grad_();
            var length = plain.square().sum(run.Dim, keepdim: true).sqrt();
            var expected = plain * factor(length);
            output.ShouldAgree(expected, Tolerance(run), "squashed");
            Backward.Gradients([output], [input])[0].ShouldAgree(Backward.Gradients([expected], [plain])[0], 10 * Tolerance(run), "gradient");
            F.length(output, run.Dim).le(1 + Tolerance(run)).all().item<bool>().Should().BeTrue("a squashed capsule is no longer than 1");
        }
    });

    [Fact]
    public void LengthAndMask_AnySizesDtypesAndStrides_AreTheirFormulas() => Property.ForAll(80, Any, run =>
    {
        var numbers = Numbers(run);
        var input = numbers.to(run.Dtype).As(run.Layout);
        F.length(input, run.Dim, keepdim: run.Seed % 2 == 0).ShouldAgree(numbers.square().sum(run.Dim, keepdim: run.Seed % 2 == 0).sqrt(), Tolerance(run), "length");
        F.length(input * 4, run.Dim).ShouldAgree(F.length(input, run.Dim) * 4, Tolerance(run), "a length scales with its capsule");

        var labels = (arange(run.A) * 7 + run.Seed % 31) % run.B;
        var masked = F.mask(input, labels);
        for (var i = 0; i < run.A; i++)
        {
            var kept = (int)labels[i].item<long>();
            masked[i][kept].Equals(input[i][kept]).Should().BeTrue("the chosen capsule stays");
            masked[i].ne(0).any(dim: 1).sum().item<long>().Should().BeLessThanOrEqualTo(1, "and no other");
        }
    });

    [Fact]
    public void Convolution_AnySizesStridesAndKernels_IsTorchs() => Property.ForAll(200, AnyConvolution, run =>
    {
        var kernel = run.Kernel == ConvolutionKernel.Winograd && (run.Dilation > 1 || !WinogradAxis.IsPossible(run.KernelH, run.StrideH)
            || !WinogradAxis.IsPossible(run.KernelW, run.StrideW)) ? ConvolutionKernel.Automatic : run.Kernel;
        using var generator = new Generator((ulong)run.Seed);
        var (x, w) = (Numbers(run.B, run.C, run.H, run.W).As(run.OfInput), Numbers(run.O, run.C, run.KernelH, run.KernelW).As(run.OfWeight));
        var bias = run.Bias ? Numbers(run.O) : null;
        Tensor[] Leaves(ScalarType dtype) => [.. new[] { x, w, bias }.OfType<Tensor>().Select((tensor, i) =>
            tensor.to(dtype).As(i == 0 ? run.OfInput : i == 1 ? run.OfWeight : Layout.Contiguous).detach().requires_grad_((run.Gradients >> i & 1) != 0 || dtype == float64))];

        var (leaves, plain) = (Leaves(float32), Leaves(float64));
        var (size, padding, dilation) = ((run.StrideH, run.StrideW), (run.Padding, run.Padding), (run.Dilation, run.Dilation));
        var output = F.conv2d(leaves[0], leaves[1], leaves.ElementAtOrDefault(2), size, padding, dilation, run.Relu, kernel);
        var before = nn.functional.conv2d(plain[0], plain[1], plain.ElementAtOrDefault(2), [run.StrideH, run.StrideW], [run.Padding, run.Padding], [run.Dilation, run.Dilation]);
        var expected = run.Relu ? before.relu() : before;
        output.ShouldAgree(expected, 5e-5, "output");

        // No upstream gradient where float32 may fall on the other side of the rectifier's corner.
        var upstream = Backward.Upstream(expected) * (before.abs() > 1e-3);
        var wanted = Enumerable.Range(0, leaves.Length).Where(i => leaves[i].requires_grad).ToArray();
        if (wanted.Length == 0)
        {
            return;
        }

        var actual = autograd.grad([output], [.. wanted.Select(i => leaves[i])], [upstream.to(float32)]);
        var right = autograd.grad([expected], [.. wanted.Select(i => plain[i])], [upstream]);
        for (var i = 0; i < wanted.Length; i++)
        {
            actual[i].ShouldAgree(right[i], 1e-3, $"gradient {wanted[i]}");
        }

        Tensor Numbers(params long[] shape) => randn(shape, generator: generator);
    });

    private static double Tolerance(Case run) => run.Dtype switch { ScalarType.Float64 => 1e-12, ScalarType.Float32 => 1e-5, _ => 1e-2 };

    private static Tensor Numbers(Case run)
    {
        using var generator = new Generator((ulong)run.Seed);
        return (randn([run.A, run.B, run.C], generator: generator) * run.Scale).to(run.Dtype).As(run.Layout).to(float64);
    }
}
