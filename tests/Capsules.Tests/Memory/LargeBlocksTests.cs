using TorchSharp;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Memory;

public sealed class LargeBlocksTests : IDisposable
{
    // 1 MiB and a little, of a size that nothing else in the tests asks for.
    private static readonly long[] Shape = [263, 1009];

    private readonly bool _before = LargeBlocks.IsOn;

    public LargeBlocksTests()
    {
        LargeBlocks.IsOn = true;
        LargeBlocks.Trim();
    }

    public void Dispose() => LargeBlocks.IsOn = _before;

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Empty_AfterOneOfThatSizeIsFreed_HasItsMemory(ScalarType dtype)
    {
        long[] shape = [4, .. Shape];
        var first = LargeBlocks.Empty(shape, dtype);
        (first.shape, first.dtype, first.device_type, first.is_contiguous()).Should().BeEquivalentTo((shape, dtype, DeviceType.CPU, true));
        var address = Address(first);
        (address % 64).Should().Be(0);
        using var other = LargeBlocks.Empty(shape, dtype);
        Address(other).Should().NotBe(address, "the first is in use");
        first.Dispose();
        using var again = LargeBlocks.Empty(shape, dtype);
        Address(again).Should().Be(address);
    }

    [Fact]
    public void Empty_WhileAViewIsAlive_LeavesItAlone()
    {
        using var scope = NewDisposeScope();
        var tensor = LargeBlocks.Empty(Shape, ScalarType.Float32).fill_(3);
        var view = tensor[7];
        tensor.Dispose();
        LargeBlocks.Empty(Shape, ScalarType.Float32).fill_(4);
        view.ShouldBeClose(full(Shape[1], 3f), 0);
    }

    [Fact]
    public void Empty_OfEverOtherSizes_FreesTheLongestUnused()
    {
        // Half a gigabyte one after the other: more than twice what any test uses at once.
        var sizes = Enumerable.Range(0, 512).Select(i => 263L + i % 128).ToList();
        var before = LargeBlocks.Bytes;
        foreach (var size in sizes)
        {
            LargeBlocks.Empty([size, 1009], ScalarType.Float32).Dispose();
        }

        LargeBlocks.Bytes.Should().BeLessThanOrEqualTo(Math.Max(before, 2 * LargeBlocks.MostUsed));
        LargeBlocks.Trim().Should().BeTrue();
        LargeBlocks.Trim().Should().BeFalse();
    }

    [Fact]
    public void Empty_SmallOrSwitchedOff_IsTorchs()
    {
        LargeBlocks.Empty([3, 5], ScalarType.Float32).Dispose();
        LargeBlocks.IsOn = false;
        LargeBlocks.Empty(Shape, ScalarType.Float32).Dispose();
        LargeBlocks.Trim().Should().BeFalse("nothing is kept");
    }

    [Fact]
    public void Empty_OfMoreThanThereIs_FailsAsTorchDoesAndLeavesTheLimitsAlone()
    {
        var most = LargeBlocks.MostUsed;
        foreach (var shape in (long[][])[[1L << 43], [1L << 32, 1L << 31], [(1L << 32) + 1, 1L << 30, 4]])      // the last two: more bytes than a long counts
        {
            Action torchs = () => empty(shape, ScalarType.Float32);
            var expected = torchs.Should().Throw<System.Runtime.InteropServices.ExternalException>().Which.Message.Split('\n')[0];
            Action take = () => LargeBlocks.Empty(shape, ScalarType.Float32);
            take.Should().Throw<System.Runtime.InteropServices.ExternalException>().Which.Message.Split('\n')[0].Should().Be(expected);
        }

        LargeBlocks.MostUsed.Should().Be(most);
    }

    [Fact]
    public void Empty_ByThreadsAtOnce_GivesEachItsOwnMemory() => Parallel.For(0, 4, thread =>
    {
        for (var i = 0; i < 50; i++)
        {
            using var scope = NewDisposeScope();
            var tensor = LargeBlocks.Empty(Shape, ScalarType.Float32).fill_(100 * thread + i);
            Thread.Yield();
            (tensor.min().item<float>(), tensor.max().item<float>()).Should().Be((100 * thread + i, 100 * thread + i));
        }
    });

    [Fact]
    public void Empty_InInferenceModeOrClonedOrSaved_IsATensorLikeAnother()
    {
        using var scope = NewDisposeScope();
        var bytes = Array.Empty<byte>();
        Tensor made;
        using (inference_mode())
        {
            made = LargeBlocks.Empty(Shape, ScalarType.Float32).fill_(2);
            using var file = new MemoryStream();
            made.Save(file);
            bytes = file.ToArray();
        }

        Tensor.Load(new MemoryStream(bytes)).ShouldBeClose(full(Shape, 2f), 0);
        made.clone().ShouldBeClose(full(Shape, 2f), 0);
    }

    // The weight's gradient becomes the parameter's without a copy, and passes on when the parameter lets go of it.
    [Fact]
    public void Backward_OfAConvolution_PassesItsBlocksToTheNextStep()
    {
        using var scope = NewDisposeScope();
        var (images, weight) = (rand(32, 64, 20, 20), rand(256, 64, 9, 9).requires_grad_());
        var addresses = new List<nint>();
        var expected = 0f;
        for (var step = 0; step < 3; step++)
        {
            using var inner = NewDisposeScope();
            weight.grad?.Dispose();
            weight.grad = null;
            F.conv2d(images, weight, stride: (2, 2), kernel: ConvolutionKernel.Winograd).sum().backward();
            addresses.Add(Address(weight.grad!));
            var sum = weight.grad!.sum().item<float>();
            expected = step == 0 ? sum : expected;
            sum.Should().Be(expected, "every step computes the same");
        }

        addresses.Distinct().Should().HaveCount(1);
    }

    private static unsafe nint Address(Tensor tensor) => (nint)TensorMemory.Floats(tensor);
}
