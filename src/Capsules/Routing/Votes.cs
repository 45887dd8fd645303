using static TorchSharp.torch;

namespace Capsules;

/// <summary>
/// The votes u_hat of N input capsules for J output capsules, as routing sees them: lazily, so that no algorithm has to
/// build the tensor (B, N, J, E), at the 2017 sizes 20 times larger than the input capsules.
/// </summary>
/// <remarks>
/// <para>A vote is u_hat[b,i,j,:] = u[b,i,:] W[i,j,:,:], the prediction of input capsule i for output capsule j. What
/// routing needs of the votes are sums over i and agreements with an output vector; both are contractions of u and W.</para>
/// <para>Votes are used within one forward pass, in the dispose scope that they were made in. Results belong to the caller's
/// dispose scope. That is one thread's: votes are not for several.</para>
/// <para>Votes know what no algorithm should have to: which input capsules are absent (<see cref="Mask"/>), and which output
/// capsules compete for an input capsule (<see cref="Softmax"/>). An absent capsule's votes are zero, so an algorithm that sums
/// them needs to know nothing of masks; one that counts or weighs input capsules asks <see cref="Weights"/>.</para>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, equation 2: "prediction vectors".</para>
/// </remarks>
public abstract class Votes
{
    /// <summary>Initialises the part that all votes share.</summary>
    /// <param name="mask">Which input capsules are there: Bool (B, N); null (default) for all.</param>
    /// <exception cref="ArgumentException"><paramref name="mask"/> is not a Bool matrix.</exception>
    protected Votes(Tensor? mask = null)
    {
        if (mask is not null)
        {
            ShapeGuard.Shape(nameof(Votes), mask, nameof(mask), "B, N", [ShapeGuard.Any, ShapeGuard.Any]);
            ShapeGuard.Bool(nameof(Votes), mask, nameof(mask));
        }

        Mask = mask;
    }

    /// <summary>
    /// Which input capsules are there: Bool (B, N); null for all. Votes of absent ones are zero, and routing gives what it would give
    /// if they were removed.
    /// </summary>
    public Tensor? Mask { get; }

    /// <summary>The input capsules (B, N, D) that vote, where they are known, else null.</summary>
    public virtual Tensor? Input => null;

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
    /// <exception cref="ArgumentException">The coefficients do not fit the votes.</exception>
    public abstract Tensor WeightedSum(Tensor coupling);

    /// <summary>The agreement of every vote with an output vector, the scalar product of u_hat_ij and v_j.</summary>
    /// <param name="outputs">Output vectors (B, J, E).</param>
    /// <returns>A tensor (B, N, J).</returns>
    /// <exception cref="ArgumentException">The vectors do not fit the votes.</exception>
    public abstract Tensor Agreement(Tensor outputs);

    /// <summary>The votes themselves, for algorithms that need them and for reading.</summary>
    /// <returns>A tensor (B, N, J, E).</returns>
    public abstract Tensor Materialize();

    /// <summary>
    /// The softmax of routing logits over all output capsules that an input capsule votes for: how it distributes itself. In a
    /// convolutional layer these are the output capsules of all types at all positions whose kernel covers it.
    /// </summary>
    /// <param name="logits">Routing logits (B, N, J).</param>
    /// <returns>Coefficients (B, N, J).</returns>
    /// <exception cref="ArgumentException">The logits are not (B, N, J), not floating-point, or not on the device of the votes.</exception>
    public virtual Tensor Softmax(Tensor logits)
    {
        ShapeGuard.Shape(nameof(Votes), logits, nameof(logits), "B, N, J", [Batch, InCapsules, OutCapsules]);
        ShapeGuard.Floating(nameof(Votes), logits, nameof(logits));
        ShapeGuard.SameDevice(nameof(Votes), logits, nameof(logits), Device, "the votes");
        return Parents is null ? nn.functional.softmax(logits, dim: -1) : Parents.Softmax(logits);
    }

    /// <summary>How much every input capsule counts: its activation, or 1 where none are given; 0 for absent ones.</summary>
    /// <param name="activations">Activations (B, N), or null (default).</param>
    /// <returns>A tensor (B, N) in <see cref="Dtype"/>.</returns>
    /// <exception cref="ArgumentException">The activations are not (B, N), or not in the dtype or on the device of the votes.</exception>
    public Tensor Weights(Tensor? activations = null)
    {
        if (activations is not null)
        {
            ShapeGuard.Shape(GetType().Name, activations, nameof(activations), "B, N", [Batch, InCapsules]);
            CheckLike(GetType().Name, activations, nameof(activations));
        }

        using var scope = NewDisposeScope();
        var weights = activations is null ? ones([Batch, InCapsules], Dtype, Device) : Functional.Wide(activations).alias();
        return Present(weights).MoveToOuterDisposeScope();
    }

    /// <summary>Coupling coefficients that are all the same, 0 for absent input capsules.</summary>
    internal Tensor UniformCoupling(double coefficient)
    {
        using var scope = NewDisposeScope();
        return Present(Arithmetic.Filled([Batch, InCapsules, OutCapsules], coefficient, Dtype, Device)).MoveToOuterDisposeScope();
    }

    /// <summary>Sets the rows of absent input capsules to zero, whatever they hold.</summary>
    /// <param name="rows">A tensor (B, N) or (B, N, ...).</param>
    /// <returns>A tensor of the same shape.</returns>
    /// <exception cref="ArgumentException">The rows are not those of N input capsules of B samples, or not on the device of the votes.</exception>
    public Tensor Present(Tensor rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var further = Enumerable.Repeat(ShapeGuard.Any, (int)Math.Max(rows.dim() - 2, 0));
        ShapeGuard.Shape(GetType().Name, rows, nameof(rows), "B, N, ...", [Batch, InCapsules, .. further]);
        ShapeGuard.SameDevice(GetType().Name, rows, nameof(rows), Device, "the votes");
        return Present(rows, Mask);
    }

    /// <summary>Where votes of several positions come from the same input capsules: who competes for whom.</summary>
    internal SharedParents? Parents { get; init; }

    // By selection and not by a product: what an absent capsule holds may be NaN.
    internal static Tensor Present(Tensor rows, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        if (mask is null)
        {
            return rows.alias().MoveToOuterDisposeScope();
        }

        var there = mask;
        for (var dim = mask.dim(); dim < rows.dim(); dim++)
        {
            there = there.unsqueeze(-1);
        }

        return where(there, rows, zeros_like(rows)).MoveToOuterDisposeScope();
    }

    /// <summary>Throws unless coupling coefficients are (B, N, J), in the dtype and on the device of the votes.</summary>
    private protected void CheckCoupling(Tensor coupling) =>
        CheckOperand(coupling, nameof(coupling), "B, N, J", [Batch, InCapsules, OutCapsules]);

    /// <summary>Throws unless output vectors are (B, J, E), in the dtype and on the device of the votes.</summary>
    private protected void CheckOutputs(Tensor outputs) => CheckOperand(outputs, nameof(outputs), "B, J, E", [Batch, OutCapsules, OutDim]);

    /// <summary>Throws unless a tensor that will be widened has the dtype and the device of the votes.</summary>
    internal void CheckLike(string owner, Tensor tensor, string argument)
    {
        ShapeGuard.Floating(owner, tensor, argument);
        if (Functional.Wide(tensor.dtype) != Dtype)
        {
            throw new ArgumentException(
                $"{owner} computes in {Dtype}, as the votes, but {argument} is {tensor.dtype}. " +
                $"Convert it with {argument}.to(torch.ScalarType.{Dtype}).", argument);
        }

        ShapeGuard.SameDevice(owner, tensor, argument, Device, "the votes");
    }

    private void CheckOperand(Tensor tensor, string argument, string letters, ReadOnlySpan<long> shape)
    {
        ShapeGuard.Shape(GetType().Name, tensor, argument, letters, shape);
        CheckLike(GetType().Name, tensor, argument);
    }

    /// <summary>Throws unless the mask fits the votes.</summary>
    private protected void CheckMask(string owner)
    {
        if (Mask is not null)
        {
            ShapeGuard.Shape(owner, Mask, "mask", "B, N", [Batch, InCapsules]);
            ShapeGuard.SameDevice(owner, Mask, "mask", Device, "the votes");
        }
    }
}
