using static TorchSharp.torch;

namespace Capsules.Tests.Functional;

public class PosesTests
{
    [Fact]
    public void VectorToPose_Vector_IsDirectionAndLength()
    {
        using var scope = NewDisposeScope();
        var (poses, activations) = Capsules.Functional.vector_to_pose(tensor(new[,] { { .3, .4 }, { 0, 0 } }));
        poses.ShouldBeClose(tensor(new[,] { { .6, .8 }, { 0, 0 } }), 1e-12);
        activations.ShouldBeClose(tensor(new[] { .5, 0 }), 1e-12);
    }

    [Fact]
    public void PoseToVector_OfASplitVector_IsTheVector()
    {
        using var scope = NewDisposeScope();
        var v = randn([2, 3, 4], float64);
        var (poses, activations) = Capsules.Functional.vector_to_pose(v);
        Capsules.Functional.pose_to_vector(poses, activations).ShouldBeClose(v, 1e-12);
        Capsules.Functional.pose_to_vector(poses * 7, activations).ShouldBeClose(v, 1e-12, "a pose's length is not an activation");
    }

    [Fact]
    public void PosesAndVectors_BothWays_MatchFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var (v, a) = (randn([2, 3, 4], float64).requires_grad_(), rand([2, 3], float64).requires_grad_());
        GradientCheck.Verify(() => Capsules.Functional.pose_to_vector(v, a), v, a);
        GradientCheck.Verify(
            () =>
            {
                var (poses, activations) = Capsules.Functional.vector_to_pose(v);
                return cat([poses.flatten(), activations.flatten()]);
            },
            v);
    }

    [Fact]
    public void VectorToPose_ZeroVector_HasAFiniteGradient()
    {
        using var scope = NewDisposeScope();
        var v = zeros(2, 3, 4).requires_grad_();
        var (poses, activations) = Capsules.Functional.vector_to_pose(v);
        (poses.sum() + activations.sum()).backward();
        v.grad!.ShouldBeFinite();
    }

    [Fact]
    public void PoseToVector_ActivationsOfAnotherShape_ThrowsWithBothShapes()
    {
        using var scope = NewDisposeScope();
        ((Action)(() => Capsules.Functional.pose_to_vector(zeros(2, 3, 4), zeros(2, 4)))).Should().Throw<ArgumentException>()
            .WithMessage("pose_to_vector expected activations of shape (...) = (2, 3), as poses (2, 3, *), but got (2, 4).*");
    }
}
