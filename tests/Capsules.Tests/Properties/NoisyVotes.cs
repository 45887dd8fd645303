using static TorchSharp.torch;

namespace Capsules.Tests.Properties;

/// <summary>Votes in float64 that are off by about so much of themselves as float32 rounds them, and so is every logit of a softmax over them.</summary>
internal sealed class NoisyVotes(GivenVotes votes, double noise) : Votes(votes.Mask)
{
    private readonly Tensor _votes = Noisy(votes.Materialize(), noise);

    public override long Batch => votes.Batch;

    public override long InCapsules => votes.InCapsules;

    public override long OutCapsules => votes.OutCapsules;

    public override long OutDim => votes.OutDim;

    public override ScalarType Dtype => votes.Dtype;

    public override Device Device => votes.Device;

    // By constants: gradients are then those of other numbers, and not other ones of the same numbers.
    public static Tensor Noisy(Tensor tensor, double noise) => tensor + tensor.detach() * (noise * randn(tensor.shape, float64));

    public override Tensor Sum() => new GivenVotes(_votes).Sum();

    public override Tensor WeightedSum(Tensor coupling) => new GivenVotes(_votes).WeightedSum(coupling);

    public override Tensor Agreement(Tensor outputs) => new GivenVotes(_votes).Agreement(outputs);

    public override Tensor Materialize() => _votes;

    public override Tensor Softmax(Tensor logits) => base.Softmax(Noisy(logits, noise));
}
