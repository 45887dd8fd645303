using static Capsules.Arithmetic;
using static TorchSharp.torch;

namespace Capsules;

public static partial class Functional
{
    /// <summary>Splits vector capsules, whose length says whether their entity is there, into poses and activations.</summary>
    /// <remarks>pose = v / |v|, activation = |v|; a zero vector has the pose zero. <see cref="pose_to_vector"/> is the way back.</remarks>
    /// <param name="capsules">Capsules (..., D), for matrix capsules with D = P * P, with a floating-point dtype.</param>
    /// <returns>Poses (..., D) of length 1, and activations (...).</returns>
    /// <exception cref="ArgumentException"><paramref name="capsules"/> is not floating-point or has no dimension.</exception>
    public static (Tensor Poses, Tensor Activations) vector_to_pose(Tensor capsules)
    {
        CheckDim(nameof(vector_to_pose), capsules, nameof(capsules), -1);
        using var scope = NewDisposeScope();
        var v = Wide(capsules);
        var norm = Norm(v, -1, keepdim: true);
        var poses = v / Plus(norm, norm.eq(zeros_like(norm)).to_type(norm.dtype));      // 1 where it is 0; torch.where has no META kernel
        var activations = norm.squeeze(-1);
        return (poses.to_type(capsules.dtype).MoveToOuterDisposeScope(), activations.to_type(capsules.dtype).MoveToOuterDisposeScope());
    }

    /// <summary>Joins poses and activations to vector capsules whose length is the activation.</summary>
    /// <remarks>v = activation * pose / |pose|: the pose's direction stays and its length is lost. A zero pose gives zero.</remarks>
    /// <param name="poses">Poses (..., D) with a floating-point dtype.</param>
    /// <param name="activations">Activations (...), of the dtype and on the device of the poses.</param>
    /// <returns>Capsules (..., D).</returns>
    /// <exception cref="ArgumentException">Shapes, dtypes or devices do not fit each other.</exception>
    public static Tensor pose_to_vector(Tensor poses, Tensor activations)
    {
        CheckDim(nameof(pose_to_vector), poses, nameof(poses), -1);
        ShapeGuard.Shape(nameof(pose_to_vector), activations, nameof(activations), "...", poses.shape.AsSpan()[..^1], like: poses);
        ShapeGuard.Like(nameof(pose_to_vector), activations, nameof(activations), poses, nameof(poses));
        using var scope = NewDisposeScope();
        return (vector_to_pose(poses).Poses * activations.unsqueeze(-1)).MoveToOuterDisposeScope();
    }
}
