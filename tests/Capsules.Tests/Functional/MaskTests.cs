using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Functional;

public class MaskTests
{
    // Two samples of three capsules; the longest are 1 and 2, the second longest 2 and 0.
    private static Tensor Capsules() => tensor(new double[,,] { { { 1, 0 }, { 0, 3 }, { 2, 0 } }, { { 0, 5 }, { 1, 1 }, { 4, 4 } } });

    [Fact]
    public void Longest_NoKAsked_ComparesWithLabels()
    {
        using var scope = NewDisposeScope();
        var predicted = F.longest(Capsules());
        predicted.shape.Should().Equal(2);
        predicted.eq(tensor([1L, 0L])).data<bool>().ToArray().Should().Equal(true, false);
        F.longest(Capsules(), 1).shape.Should().Equal(2, 1);
    }

    [Fact]
    public void Longest_KIsTwo_GivesBothLongestFirst()
    {
        using var scope = NewDisposeScope();
        F.longest(Capsules(), 2).data<long>().ToArray().Should().Equal(1, 2, 2, 0);
    }

    // Lengths of 0.9004 and 0.9023, which are one number in bfloat16 and two in float32.
    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32)]
    public void Longest_LengthsThatAreOneInHalfPrecision_AreToldApart(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var capsules = tensor(new[,,] { { { 0.8984375, 0.06 }, { 0.90234375, 0 } }, { { 0.90234375, 0 }, { 0.8984375, 0.06 } } }).to(bfloat16).to(dtype);
        F.longest(capsules).data<long>().ToArray().Should().Equal(1, 0);
    }

    [Fact]
    public void Mask_NothingSaid_KeepsTheLongest()
    {
        using var scope = NewDisposeScope();
        F.mask(Capsules()).ToDoubles().Should().Equal(0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 4, 4);
    }

    [Fact]
    public void Mask_Labels_KeepsTheLabelledThoughShorter()
    {
        using var scope = NewDisposeScope();
        F.mask(Capsules(), tensor([0L, 1L])).ToDoubles().Should().Equal(1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0);
    }

    [Fact]
    public void Mask_Sets_KeepsEveryMember()
    {
        using var scope = NewDisposeScope();
        F.mask(Capsules(), tensor(new long[,] { { 0, 2 }, { 1, 1 } })).ToDoubles().Should().Equal(1, 0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 0);
    }

    [Fact]
    public void Mask_Bools_KeepsTrueOnes()
    {
        using var scope = NewDisposeScope();
        var keep = tensor(new bool[,] { { false, false, false }, { true, false, true } });
        F.mask(Capsules(), keep).ToDoubles().Should().Equal(0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 4, 4);
    }

    [Fact]
    public void Mask_Gradient_ReachesTheKeptCapsulesAlone()
    {
        using var scope = NewDisposeScope();
        var capsules = Capsules().requires_grad_();
        F.mask(capsules, tensor([0L, 1L])).sum().backward();
        capsules.grad!.ToDoubles().Should().Equal(1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0);
    }

    [Fact]
    public void Mask_OthersThatAreNotNumbers_AreZeroToo()
    {
        using var scope = NewDisposeScope();
        var capsules = tensor(new double[,,] { { { 1, 2 }, { double.NaN, 3 }, { double.PositiveInfinity, 0 } } }).requires_grad_();
        var masked = F.mask(capsules, tensor([0L]));
        masked.ToDoubles().Should().Equal(1, 2, 0, 0, 0, 0);
        masked.square().sum().backward();
        capsules.grad!.ToDoubles().Should().Equal(2, 4, 0, 0, 0, 0);
    }

    [Fact]
    public void Mask_EmptyBatch_IsEmpty()
    {
        using var scope = NewDisposeScope();
        F.mask(zeros(0, 3, 2), zeros([0], int64)).shape.Should().Equal(0, 3, 2);
        F.mask(zeros(0, 3, 2)).shape.Should().Equal(0, 3, 2);
    }

    [Fact]
    public void Mask_LabelsOnAnotherDevice_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        var act = () => F.mask(Capsules(), zeros([2], int64, device: META));
        act.Should().Throw<ArgumentException>().WithMessage("mask expected keep on cpu, as capsules, but got it on meta. Move one of them with .to(...).*");
    }

    [Theory]
    [InlineData(3)]
    [InlineData(-1)]
    public void Mask_LabelOutOfRange_ThrowsWithTheRange(long label)
    {
        using var scope = NewDisposeScope();
        var act = () => F.mask(Capsules(), tensor([0L, label]));
        act.Should().Throw<ArgumentException>().WithMessage("mask expected keep in [0, 2], for 3 capsules, but got values from *");
    }

    [Fact]
    public void Mask_FloatLabels_ThrowsWithTheFix()
    {
        using var scope = NewDisposeScope();
        var act = () => F.mask(Capsules(), tensor([0f, 1f]));
        act.Should().Throw<ArgumentException>().WithMessage("mask expected keep of dtype Int64, but got Float32. Convert them with keep.to(torch.int64).*");
    }

    [Fact]
    public void Mask_LabelsOfAnotherBatch_ThrowsWithBothShapes()
    {
        using var scope = NewDisposeScope();
        var act = () => F.mask(Capsules(), tensor([0L, 1L, 2L]));
        act.Should().Throw<ArgumentException>().WithMessage("mask expected keep of shape (B) = (2), as capsules (2, *), but got (3).*");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public void Longest_KOutOfRange_Throws(int k)
    {
        using var scope = NewDisposeScope();
        var act = () => F.longest(Capsules(), k);
        act.Should().Throw<ArgumentOutOfRangeException>().WithMessage("k must be in [1, 3]*");
    }
}
