using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Convolutions;

public class MixedPrecisionTests
{
    // The definition: operands rounded to bfloat16, sums exact (float64 here), the result rounded once.
    [Fact]
    public void Conv2d_ComputeInBFloat16_RoundsOperandsAndResultAndNothingElse()
    {
        using var scope = NewDisposeScope();
        var (x, w) = (randn(2, 3, 9, 9), randn(4, 3, 3, 3));
        var exact = nn.functional.conv2d(x.to(bfloat16).to(float64), w.to(bfloat16).to(float64));
        var y = F.conv2d(x, w, computeDtype: bfloat16);
        y.dtype.Should().Be(float32);
        y.to(bfloat16).to(float32).Equals(y).Should().BeTrue("the result has bfloat16's digits");
        y.ShouldBeClose(exact, 1.0 / 256);      // half a unit in the last of 8 bits, of 1 + |y|
        F.conv2d(x.to(bfloat16), w, computeDtype: bfloat16).dtype.Should().Be(bfloat16);
    }

    [Fact]
    public void Conv2d_ComputeInBFloat16_GradientsReachFloat32Weights()
    {
        using var scope = NewDisposeScope();
        var (x, w, b) = (randn(2, 3, 9, 9).requires_grad_(), randn(4, 3, 3, 3).requires_grad_(), randn(4).requires_grad_());
        var y = F.conv2d(x, w, b, computeDtype: bfloat16);
        var upstream = randn(y.shape);
        y.backward([upstream]);
        var (xd, wd, bd) = (x.detach().to(float64).requires_grad_(), w.detach().to(float64).requires_grad_(), b.detach().to(float64).requires_grad_());
        nn.functional.conv2d(xd, wd, bd).backward([upstream.to(float64)]);
        foreach (var (actual, expected) in (List<(Tensor, Tensor)>)[(x.grad!, xd.grad!), (w.grad!, wd.grad!), (b.grad!, bd.grad!)])
        {
            actual.dtype.Should().Be(float32);
            var error = (actual.to(float64) - expected).norm().item<double>() / expected.norm().item<double>();
            error.Should().BeInRange(1e-4, 1e-2, "8 bits leave 0.2 % on average");
        }
    }

    // The weight's gradient adds up over two pieces of images, in float32, and is rounded once; also where it is the only one.
    [Theory]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public void Conv2d_BFloat16TensorsInSeveralPiecesOfImages_WinogradRoundsOnce(bool input, bool weight)
    {
        using var scope = NewDisposeScope();
        var (x, w) = (randn(22, 18, 44, 44).to(bfloat16).requires_grad_(input), randn(64, 18, 3, 3).mul(0.1).to(bfloat16).detach().requires_grad_(weight));
        Tensor[] wanted = [.. new[] { x, w }.Where(tensor => tensor.requires_grad)];
        var y = F.conv2d(x, w, kernel: ConvolutionKernel.Winograd, computeDtype: bfloat16);
        var upstream = randn(y.shape).to(bfloat16);
        var gradients = autograd.grad([y], wanted, [upstream]);
        var wide = wanted.Select(tensor => tensor.detach().to(float64).requires_grad_()).ToArray();
        var exact = nn.functional.conv2d(input ? wide[0] : x.to(float64), weight ? wide[^1] : w.to(float64));
        var references = autograd.grad([exact], wide, [upstream.to(float64)]);
        foreach (var (actual, expected) in gradients.Zip(references))
        {
            actual.dtype.Should().Be(bfloat16);
            var difference = (actual.to(float64) - expected).abs().sub(expected.abs() / 256);
            difference.max().item<double>().Should().BeLessThan(1e-4 * expected.abs().max().item<double>());
        }
    }

    // Operands and upstream gradient in bfloat16, all sums exact, each result rounded once.
    [Theory]
    [InlineData(ConvolutionKernel.Winograd, false)]
    [InlineData(ConvolutionKernel.Winograd, true)]
    [InlineData(ConvolutionKernel.Unfold, false)]
    [InlineData(ConvolutionKernel.Unfold, true)]
    [InlineData(ConvolutionKernel.Reference, false)]
    public void Conv2d_BFloat16Tensors_EveryKernelRoundsOnce(ConvolutionKernel kernel, bool float32Weights)
    {
        using var scope = NewDisposeScope();
        var (x, w) = (randn(3, 18, 9, 9).to(bfloat16).requires_grad_(), randn(5, 18, 3, 3).mul(0.1).to(bfloat16).detach());
        var weight = (float32Weights ? w.to(float32) : w.alias()).detach().requires_grad_();
        var y = F.conv2d(x, weight, kernel: kernel, computeDtype: bfloat16);
        var upstream = randn(y.shape).to(bfloat16);
        y.dtype.Should().Be(bfloat16);
        y.backward([upstream]);
        var (xd, wd) = (x.detach().to(float64).requires_grad_(), w.to(float64).requires_grad_());
        var exact = nn.functional.conv2d(xd, wd);
        exact.backward([upstream.to(float64)]);
        foreach (var (actual, expected) in (List<(Tensor, Tensor)>)[(y, exact), (x.grad!, xd.grad!), (weight.grad!, wd.grad!)])
        {
            // Half a unit in the last of 8 bits, and what float32 and minimal filtering add where terms cancel.
            var difference = (actual.detach().to(float64) - expected.detach()).abs();
            difference.sub(expected.detach().abs() / 256).max().item<double>().Should().BeLessThan(1e-4 * expected.abs().max().item<double>());
        }

        x.grad!.dtype.Should().Be(bfloat16);
        weight.grad!.dtype.Should().Be(weight.dtype);
    }

    [Theory]
    [InlineData(ConvolutionKernel.Winograd)]
    [InlineData(ConvolutionKernel.Unfold)]
    public void Conv2d_ComputeInBFloat16_IsDifferentiableTwice(ConvolutionKernel kernel)
    {
        using var scope = NewDisposeScope();
        var (x, w, b) = (randn(2, 3, 9, 9).requires_grad_(), randn(4, 3, 3, 3).requires_grad_(), randn(4).requires_grad_());
        Tensor Second(Func<Tensor> output)
        {
            var first = autograd.grad([output().square().sum()], [x], create_graph: true, retain_graph: true)[0];
            return autograd.grad([first.square().sum()], [w])[0];
        }

        var (second, exact) = (Second(() => F.conv2d(x, w, b, relu: true, kernel: kernel, computeDtype: bfloat16)), Second(() => nn.functional.conv2d(x, w, b).relu()));
        (second - exact).norm().item<float>().Should().BeLessThan(0.02f * exact.norm().item<float>());
    }

    [Fact]
    public void PrimaryCapsule_ComputeInBFloat16_IsCloseToFloat32AndTakesBothDtypes()
    {
        using var scope = NewDisposeScope();
        using var full = new PrimaryCapsule(3, 4, 8, kernelSize: 5);
        using var mixed = new PrimaryCapsule(3, 4, 8, kernelSize: 5, computeDtype: bfloat16);
        mixed.load_state_dict(full.state_dict());
        mixed.ComputeDtype.Should().Be(bfloat16);
        var x = rand(2, 3, 12, 12);
        var (expected, u, fromShort) = (full.call(x), mixed.call(x), mixed.call(x.to(bfloat16)));
        u.dtype.Should().Be(float32, "squash and routing go on in the weights' dtype");
        u.ShouldBeClose(expected, 0.01);
        u.Equals(expected).Should().BeFalse();
        fromShort.Equals(u).Should().BeTrue();
        mixed.parameters().Should().OnlyContain(p => p.dtype == float32);
        new Action(() => full.call(x.to(bfloat16))).Should().Throw<ArgumentException>().WithMessage("*dtype Float32*BFloat16*");
        new Action(() => new PrimaryCapsule(3, computeDtype: ScalarType.Int64)).Should().Throw<ArgumentException>().WithMessage("*computeDtype*Int64*");
    }

    [Fact]
    public void IsFast_FullPrecision_Always()
    {
        MixedPrecision.IsFast(float32).Should().BeTrue();
        MixedPrecision.IsFast(float64, CPU).Should().BeTrue();
        MixedPrecision.IsFast(float16, CPU).Should().BeFalse();
        MixedPrecision.IsFast(bfloat16, META).Should().BeTrue("only CPUs differ");
    }

    [Fact]
    public void IsFast_BFloat16_IsWhatTheSystemSaysOfTheProcessor()
    {
        Assert.SkipUnless(File.Exists("/proc/cpuinfo"), "needs Linux's list of features");
        var lines = File.ReadLines("/proc/cpuinfo").ToList();
        var flags = lines.First(line => line.StartsWith("flags", StringComparison.Ordinal) || line.StartsWith("Features", StringComparison.Ordinal));
        var isIntel = lines.Any(line => line.StartsWith("vendor_id", StringComparison.Ordinal) && line.EndsWith("GenuineIntel", StringComparison.Ordinal));
        MixedPrecision.IsFast(bfloat16).Should().Be(
            flags.Contains("amx_bf16", StringComparison.Ordinal) || (flags.Contains("avx512_bf16", StringComparison.Ordinal) && !isIntel));
    }
}
