using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Convolutions;

public class ConvolutionKernelTests
{
    private static (Tensor X, Tensor W, Tensor B) Arguments(long batch, long channels, long outputs, (long H, long W) size, (long H, long W) kernel) => (
        randn(batch, channels, size.H, size.W).requires_grad_(),
        randn(outputs, channels, kernel.H, kernel.W).mul_(1 / Math.Sqrt(channels * kernel.H * kernel.W)).detach().requires_grad_(),
        randn(outputs).requires_grad_());

    [Theory]
    [InlineData(9, 2, 20, 20, 0)]       // the 2017 network's
    [InlineData(9, 2, 24, 17, 0)]       // phases of 5 and 4 taps, tiles that do not fill up
    [InlineData(3, 1, 8, 7, 1)]
    [InlineData(5, 1, 9, 9, 2)]
    [InlineData(4, 3, 13, 16, 1)]
    [InlineData(4, 2, 11, 10, 0)]       // phases of as many taps
    [InlineData(7, 3, 19, 16, 2)]       // one of three phases longer
    [InlineData(6, 1, 6, 6, 0)]         // one output
    [InlineData(1, 1, 5, 4, 0)]
    public void Conv2d_WinogradAndUnfold_GiveTheReferencesValuesAndGradients(long kernel, long stride, long height, long width, long padding)
    {
        foreach (var method in (ConvolutionKernel[])[ConvolutionKernel.Winograd, ConvolutionKernel.Unfold])
        {
            using var scope = NewDisposeScope();
            var (x, w, b) = Arguments(3, 18, 21, (height, width), (kernel, kernel));      // neither is a multiple of the lanes
            var y = F.conv2d(x, w, b, (stride, stride), (padding, padding), kernel: method);
            var (xd, wd, bd) = (x.detach().to(float64).requires_grad_(), w.detach().to(float64).requires_grad_(), b.detach().to(float64).requires_grad_());
            var reference = nn.functional.conv2d(xd, wd, bd, [stride, stride], [padding, padding]);
            ShouldAgree(y, reference, $"{method}");

            var upstream = randn(y.shape);
            y.backward([upstream]);
            reference.backward([upstream.to(float64)]);
            ShouldAgree(x.grad!, xd.grad!, $"{method}: input");
            ShouldAgree(w.grad!, wd.grad!, $"{method}: weight");
            ShouldAgree(b.grad!, bd.grad!, $"{method}: bias");
        }
    }

    [Fact]
    public void Conv2d_RectangularKernelStridePadding_WinogradAgreesWithTheReference()
    {
        using var scope = NewDisposeScope();
        var (x, w, _) = Arguments(2, 5, 7, (11, 16), (2, 7));
        ShouldAgree(F.conv2d(x, w, null, (1, 2), (0, 3), kernel: ConvolutionKernel.Winograd), nn.functional.conv2d(x, w, null, [1, 2], [0, 3]));
    }

    [Fact]
    public void Conv2d_NonContiguousArgumentsAndUpstream_WinogradAgreesWithTheReference()
    {
        using var scope = NewDisposeScope();
        var x = randn(2, 9, 8, 4).permute(0, 3, 1, 2).detach().requires_grad_();
        var w = randn(3, 3, 5, 4).permute(2, 3, 0, 1).detach().requires_grad_();
        var upstream = randn(2, 7, 6, 5).permute(0, 3, 1, 2);
        var y = F.conv2d(x, w, kernel: ConvolutionKernel.Winograd);
        var gradients = autograd.grad([y], [x, w], [upstream]);
        var expected = nn.functional.conv2d(x, w);
        ShouldAgree(y, expected);
        var references = autograd.grad([expected], [x, w], [upstream]);
        ShouldAgree(gradients[0], references[0]);
        ShouldAgree(gradients[1], references[1]);
    }

    [Theory]
    [InlineData(ConvolutionKernel.Winograd, true)]
    [InlineData(ConvolutionKernel.Unfold, true)]
    [InlineData(ConvolutionKernel.Unfold, false)]
    [InlineData(ConvolutionKernel.Reference, true)]
    public void Conv2d_Relu_RectifiesAndPassesGradientsWhereTheOutputIsPositive(ConvolutionKernel method, bool withBias)
    {
        using var scope = NewDisposeScope();
        var (x, w, b) = Arguments(300, 2, 35, (12, 12), (3, 3));      // several pieces of unfolded images
        var bias = withBias ? b : null;
        var y = F.conv2d(x, w, bias, relu: true, kernel: method);
        var expected = nn.functional.relu(nn.functional.conv2d(x, w, bias));
        ShouldAgree(y, expected);
        y.ge(0).all().item<bool>().Should().BeTrue();
        var upstream = randn(y.shape) * expected.detach().gt(1e-3);      // an output of about 0 may fall on either side
        Tensor[] arguments = withBias ? [x, w, b] : [x, w];
        var (gradients, references) = (autograd.grad([y], arguments, [upstream]), autograd.grad([expected], arguments, [upstream]));
        for (var i = 0; i < arguments.Length; i++)
        {
            ShouldAgree(gradients[i], references[i], $"argument {i}");
        }
    }

    // The kernel's elements fall beside the only column, everywhere; there libtorch's own convolution has ended the process.
    [Theory]
    [InlineData(ConvolutionKernel.Unfold)]
    [InlineData(ConvolutionKernel.Reference)]
    public void Conv2d_KernelThatSeesPaddingAlone_GivesTheBias(ConvolutionKernel method)
    {
        using var scope = NewDisposeScope();
        var x = randn(3, 11, 1, 3).permute(0, 3, 1, 2).detach().requires_grad_();
        var (w, b) = (randn(6, 3, 2, 1).transpose(2, 3).detach().requires_grad_(), randn(6).requires_grad_());
        var y = F.conv2d(x, w, b, (3, 3), (0, 4), (1, 2), kernel: method);
        y.shape.Should().Equal(3, 6, 4, 3);
        y.ShouldBeClose(b.view(1, 6, 1, 1).expand(y.shape), 1e-6);
        var upstream = randn(y.shape);
        var gradients = autograd.grad([y], [x, w, b], [upstream]);
        gradients[0].count_nonzero().item<long>().Should().Be(0);
        gradients[1].count_nonzero().item<long>().Should().Be(0);
        gradients[2].ShouldBeClose(upstream.sum(0L, 2L, 3L), 1e-5);
    }

    // More than one piece of channels, and of images with a smaller last one; of both, forward and backward, in the second case.
    [Theory]
    [InlineData(90, 100, 16, 20, 9, 2)]
    [InlineData(31, 50, 64, 44, 3, 1)]
    public void Conv2d_WorkInSeveralPieces_WinogradAgreesWithTheReference(long batch, long channels, long outputs, long size, long kernel, long stride)
    {
        using var scope = NewDisposeScope();
        var (x, w, _) = Arguments(batch, channels, outputs, (size, size), (kernel, kernel));
        var y = F.conv2d(x, w, null, (stride, stride), kernel: ConvolutionKernel.Winograd);
        var expected = nn.functional.conv2d(x, w, null, [stride, stride]);
        ShouldAgree(y, expected);
        var upstream = randn(y.shape);
        var gradients = autograd.grad([y], [x, w], [upstream]);
        var references = autograd.grad([expected], [x, w], [upstream]);
        ShouldAgree(gradients[0], references[0]);
        ShouldAgree(gradients[1], references[1]);
    }

    [Theory]
    [InlineData(ConvolutionKernel.Winograd, true, false)]
    [InlineData(ConvolutionKernel.Winograd, false, true)]
    [InlineData(ConvolutionKernel.Unfold, true, false)]
    [InlineData(ConvolutionKernel.Unfold, false, true)]
    public void Conv2d_OneGradientWanted_GivesThatAlone(ConvolutionKernel method, bool input, bool weight)
    {
        using var scope = NewDisposeScope();
        var x = randn(2, 4, 9, 9).requires_grad_(input);
        var w = randn(5, 4, 3, 3).requires_grad_(weight);
        F.conv2d(x, w, kernel: method).sum().backward();
        (x.grad is not null).Should().Be(input);
        (w.grad is not null).Should().Be(weight);
    }

    [Theory]
    [InlineData(ConvolutionKernel.Winograd)]
    [InlineData(ConvolutionKernel.Unfold)]
    public void Conv2d_EveryKernel_IsDifferentiableTwice(ConvolutionKernel method)
    {
        using var scope = NewDisposeScope();
        var (x, w, _) = Arguments(2, 3, 4, (9, 9), (3, 3));
        Tensor Second(Func<Tensor> output)
        {
            var first = autograd.grad([output().square().sum()], [x], create_graph: true, retain_graph: true)[0];
            return autograd.grad([first.square().sum()], [w])[0];
        }

        Second(() => F.conv2d(x, w, kernel: method)).ShouldBeClose(Second(() => nn.functional.conv2d(x, w)), 1e-3);
    }

    [Fact]
    public void Conv2d_WinogradInAnyOrderOfThreads_GivesTheSameBits()
    {
        using var scope = NewDisposeScope();
        var (x, w, _) = Arguments(40, 33, 35, (20, 20), (9, 9));
        (Tensor, Tensor) Run()
        {
            var y = F.conv2d(x, w, null, (2, 2), kernel: ConvolutionKernel.Winograd);
            return (y, autograd.grad([y], [w], [ones_like(y)])[0]);
        }

        var (y1, g1) = Run();
        var (y2, g2) = Run();
        y1.Equals(y2).Should().BeTrue();
        g1.Equals(g2).Should().BeTrue();
    }

    [Theory]
    [InlineData(9, 1, 1, "taps")]
    [InlineData(2, 3, 1, "stride")]
    [InlineData(3, 1, 2, "dilation")]
    public void Conv2d_WinogradThatCannotServe_SaysWhy(long kernel, long stride, long dilation, string word)
    {
        using var scope = NewDisposeScope();
        var act = () => F.conv2d(rand(1, 2, 12, 12), rand(3, 2, kernel, kernel), null, (stride, stride), null, (dilation, dilation), kernel: ConvolutionKernel.Winograd);
        act.Should().Throw<ArgumentException>().WithMessage($"*{word}*Automatic*");
        var other = () => F.conv2d(rand([1, 2, 12, 12], float64), rand([3, 2, 3, 3], float64), kernel: ConvolutionKernel.Winograd);
        other.Should().Throw<ArgumentException>().WithMessage("*float32 and bfloat16 on the CPU*Float64*");
    }

    [Fact]
    public void Conv2d_ImageTooLargeForWinograd_SaysSo()
    {
        using var scope = NewDisposeScope();
        var image = zeros(1, 1, 1, 1).expand(1, 1, 40_000, 120_000);      // more pixels than an int counts, in no memory
        var act = () => F.conv2d(image, rand(1, 1, 3, 3), kernel: ConvolutionKernel.Winograd);
        act.Should().Throw<ArgumentException>().WithMessage("*4194304 pixels*40000 x 120000*Automatic*");
    }

    // A map has few entries in a row: work must not grow with rows times columns.
    [Fact]
    public void Conv2d_LongStrip_WinogradAgreesWithTheReference()
    {
        using var scope = NewDisposeScope();
        var (x, w, _) = Arguments(1, 1, 2, (1, 100_000), (1, 3));
        ShouldAgree(F.conv2d(x, w, kernel: ConvolutionKernel.Winograd), nn.functional.conv2d(x, w));
    }

    [Fact]
    public void Conv2d_WrongArguments_SayWhatIsWrong()
    {
        using var scope = NewDisposeScope();
        var (x, w) = (rand(2, 3, 8, 8), rand(4, 3, 3, 3));
        new Action(() => F.conv2d(rand(2, 5, 8, 8), w)).Should().Throw<ArgumentException>().WithMessage("conv2d expected input of shape (B, C, H, W) = (*, 3, *, *), but got (2, 5, 8, 8).*");
        new Action(() => F.conv2d(rand(3, 8, 8), w)).Should().Throw<ArgumentException>().WithMessage("*unsqueeze(0)*");
        new Action(() => F.conv2d(x, w, rand(3))).Should().Throw<ArgumentException>().WithMessage("*bias of shape (O) = (4)*");
        new Action(() => F.conv2d(x.to(float64), w)).Should().Throw<ArgumentException>().WithMessage("*dtype Float32*");
        new Action(() => F.conv2d(x, w, computeDtype: ScalarType.Int32)).Should().Throw<ArgumentException>().WithMessage("*computeDtype*");
        new Action(() => F.conv2d(x, rand(4, 3, 9, 9))).Should().Throw<ArgumentException>().WithMessage("conv2d's kernel 9 x 9 *spans 9 x 9 pixels, but the input is 8 x 8 *");
        new Action(() => F.conv2d(x, w, stride: (0, 1))).Should().Throw<ArgumentOutOfRangeException>();
        new Action(() => F.conv2d(x, w, padding: (0, -1))).Should().Throw<ArgumentOutOfRangeException>();
        new Action(() => F.conv2d(x, w.narrow(2, 0, 0))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("weight");
    }

    [Theory]
    [InlineData(ConvolutionKernel.Winograd)]
    [InlineData(ConvolutionKernel.Unfold)]
    public void Conv2d_EveryKernel_LeavesNoTensorBehind(ConvolutionKernel method)
    {
        void Step()
        {
            using var scope = NewDisposeScope();
            var (x, w, b) = Arguments(2, 4, 5, (9, 9), (3, 3));
            F.conv2d(x, w, b, relu: true, kernel: method).sum().backward();
        }

        Step();
        ProcessMemory.Collect();
        var (total, scoped) = (Tensor.TotalCount, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        for (var i = 0; i < 50; i++)
        {
            Step();
        }

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(scoped);
        ProcessMemory.Collect();
        Tensor.TotalCount.Should().BeLessThanOrEqualTo(total);
    }

    // Relative to the largest entry: rounding errors of a sum are as large as its terms, and those are alike. The largest of half a
    // million is 2e-5 on some processors; bfloat16's are 4e-3.
    private static void ShouldAgree(Tensor actual, Tensor expected, string because = "")
    {
        using var scope = NewDisposeScope();
        actual.shape.Should().Equal(expected.shape, because);
        var (a, e) = (actual.detach().to(float64), expected.detach().to(float64));
        var error = ((a - e).abs().max() / e.abs().max()).item<double>();
        error.Should().BeLessThan(4e-5, because);
    }
}
