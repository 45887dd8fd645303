using static TorchSharp.torch;

namespace Capsules;

/// <summary>
/// The votes u_hat of N input capsules for J output capsules, as routing sees them: lazily, so that no algorithm has to
/// build the tensor (B, N, J, E), at the 2017 sizes 20 times larger than the input capsules.
/// </summary>
/// <remarks>
/// <para>A vote is u_hat[b,i,j,:] = u[b,i,:] W[i,j,:,:], the prediction of input capsule i for output capsule j. What
/// routing needs of the votes are sums over i and agreements with an output vector; both are contractions of u and W.</para>
/// <para>Votes own no tensor: they refer to those they were made from and are used within one forward pass.
/// Results belong to the caller's dispose scope.</para>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, equation 2: "prediction vectors".</para>
/// </remarks>
public abstract class Votes
{
    /// <summary>The number of samples, B.</summary>
    public abstract long Batch { get; }

    /// <summary>The number of input capsules, N.</summary>
    public abstract long InCapsules { get; }

    /// <summary>The number of output capsules, J.</summary>
    public abstract long OutCapsules { get; }

    /// <summary>The dimension of an output capsule, E.</summary>
    public abstract long OutDim { get; }

    /// <summary>The dtype in which routing computes: float32, or float64.</summary>
    public abstract ScalarType Dtype { get; }

    /// <summary>The device of the votes.</summary>
    public abstract Device Device { get; }

    /// <summary>The sum of all votes, sum_i u_hat_ij: what uniform coupling needs.</summary>
    /// <returns>A tensor (B, J, E).</returns>
    public abstract Tensor Sum();

    /// <summary>The coupled sum of votes, sum_i c_ij u_hat_ij.</summary>
    /// <param name="coupling">Coupling coefficients (B, N, J).</param>
    /// <returns>A tensor (B, J, E).</returns>
    public abstract Tensor WeightedSum(Tensor coupling);

    /// <summary>The agreement of every vote with an output vector, the scalar product of u_hat_ij and v_j.</summary>
    /// <param name="outputs">Output vectors (B, J, E).</param>
    /// <returns>A tensor (B, N, J).</returns>
    public abstract Tensor Agreement(Tensor outputs);

    /// <summary>The votes themselves, for algorithms that need them and for reading.</summary>
    /// <returns>A tensor (B, N, J, E).</returns>
    public abstract Tensor Materialize();
}
