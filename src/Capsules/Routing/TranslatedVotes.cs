using static TorchSharp.torch;

namespace Capsules;

/// <summary>Votes to which every input capsule adds an offset of its own, the same for all output capsules: coordinate addition.</summary>
/// <remarks>Sums and agreements of the offsets are added to those of the votes, which stay as lazy as they were.</remarks>
internal sealed class TranslatedVotes : Votes
{
    private readonly Votes _votes;
    private readonly Tensor _offsets;      // (B, N, E), zero for absent capsules

    /// <param name="votes">The votes.</param>
    /// <param name="offsets">Offsets (N, E).</param>
    public TranslatedVotes(Votes votes, Tensor offsets) : base(votes.Mask) =>
        (_votes, _offsets) = (votes, votes.Present(offsets.expand(votes.Batch, votes.InCapsules, votes.OutDim)));

    public override Tensor? Input => _votes.Input;

    public override long Batch => _votes.Batch;

    public override long InCapsules => _votes.InCapsules;

    public override long OutCapsules => _votes.OutCapsules;

    public override long OutDim => _votes.OutDim;

    public override ScalarType Dtype => _votes.Dtype;

    public override Device Device => _votes.Device;

    public override Tensor Sum() => Add(_votes.Sum(), () => _offsets.sum(dim: 1, keepdim: true));

    public override Tensor WeightedSum(Tensor coupling) =>
        Add(_votes.WeightedSum(coupling), () => einsum("bnj,bne->bje", Functional.Wide(coupling), _offsets));

    public override Tensor Agreement(Tensor outputs) =>
        Add(_votes.Agreement(outputs), () => einsum("bje,bne->bnj", Functional.Wide(outputs), _offsets));

    public override Tensor Materialize() => Add(_votes.Materialize(), () => _offsets.unsqueeze(2));

    private static Tensor Add(Tensor votes, Func<Tensor> offsets)
    {
        using (votes)
        {
            using var scope = NewDisposeScope();
            return Arithmetic.Plus(votes, offsets()).MoveToOuterDisposeScope();
        }
    }
}
