using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

/// <summary>The choice between the fused kernel and the reference; the kernel itself is tested in Kernels.</summary>
public class RoutingKernelTests
{
    public static TheoryData<RoutingKernel, int, bool, long> Cases
    {
        get
        {
            var data = new TheoryData<RoutingKernel, int, bool, long>();
            foreach (var kernel in Enum.GetValues<RoutingKernel>())
            {
                data.Add(kernel, 0, false, 1);
                data.Add(kernel, 1, true, 1);
                data.Add(kernel, 3, false, 3);
                data.Add(kernel, 3, true, 1);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void CapsuleLayer_EveryKernel_IsProcedureOneInFloat32(RoutingKernel kernel, int iterations, bool leaky, long shared)
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(6, 4, 3, 5, iterations, bias: true, leaky, sharedPositions: shared, preset: Preset.OfficialCode, kernel: kernel);
        var u = randn(5, 6, 4);
        var state = layer.state_dict();
        var votes = einsum("bnd,njde->bnje", u, state["weight"].repeat_interleave(shared, dim: 0));
        var (expected, _) = PlainRouting.Run(votes, iterations, state["bias"], null, leaky);

        layer.call(u).ShouldBeClose(expected, 1e-5);
        layer.call(u.transpose(0, 2).contiguous().transpose(0, 2)).ShouldBeClose(expected, 1e-5, "strides do not matter");
        for (var b = 0; b < 5; b++)
        {
            layer.call(u.narrow(0, b, 1)).ShouldBeClose(expected.narrow(0, b, 1), 1e-5, "a sample alone routes as in a batch");
        }
    }

    [Fact]
    public void Route_BFloat16Votes_GivesFloat32FromEitherKernel()
    {
        using var scope = NewDisposeScope();
        var votes = new LinearVotes(randn(3, 6, 4).to(bfloat16), randn(6, 3, 4, 5).to(bfloat16));
        var fused = new DynamicRouting(3, kernel: RoutingKernel.Fused).Route(votes).Capsules;
        var reference = new DynamicRouting(3, kernel: RoutingKernel.Reference).Route(votes).Capsules;
        fused.dtype.Should().Be(ScalarType.Float32);
        reference.dtype.Should().Be(ScalarType.Float32);
        fused.ShouldBeClose(reference, 1e-5);
    }

    [Fact]
    public void Route_FusedWithOtherVotes_SaysWhyNot()
    {
        foreach (var votes in new Votes[] { new GivenVotes(randn(1, 2, 3, 4)), new MatrixVotes(randn(1, 2, 4), randn(2, 3, 2, 2)) })
        {
            Refused(votes, coupling: false).WithMessage("The fused kernel serves vector capsules through matrices (LinearVotes), " +
                "but these votes are others. Use RoutingKernel.Automatic or RoutingKernel.Reference.");
        }
    }

    [Fact]
    public void Route_FusedWithCoupling_SaysWhyNot() =>
        Refused(new LinearVotes(randn(1, 2, 3), randn(2, 3, 3, 4)), coupling: true).WithMessage("The fused kernel keeps no coupling coefficients. Use*");

    [Fact]
    public void Route_FusedInFloat64_SaysWhyNot() =>
        Refused(new LinearVotes(randn([1, 2, 3], float64), randn([2, 3, 3, 4], float64)), coupling: false)
            .WithMessage("The fused kernel serves float32 and bfloat16, but u is Float64. Use*");

    [Fact]
    public void Route_LogitsOfAnotherDtype_ThrowsWithTheFix()
    {
        using var scope = NewDisposeScope();
        var act = () => new DynamicRouting().Route(new LinearVotes(randn(1, 2, 3), randn(2, 3, 3, 4)), logits: zeros([2, 3], float64));
        act.Should().Throw<ArgumentException>().WithMessage("DynamicRouting computes in Float32, as the votes, but logits is Float64. Convert it with logits.to(torch.ScalarType.Float32).*");
    }

    private static FluentAssertions.Specialized.ExceptionAssertions<NotSupportedException> Refused(Votes votes, bool coupling) =>
        ((Action)(() => new DynamicRouting(kernel: RoutingKernel.Fused).Route(votes, coupling: coupling))).Should().Throw<NotSupportedException>();
}
