using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

/// <summary>Votes that notice when they are built.</summary>
internal sealed class WatchedVotes(LinearVotes votes) : Votes(votes.Mask)
{
    public bool WereBuilt { get; private set; }

    public override Tensor? Input => votes.Input;

    public override long Batch => votes.Batch;

    public override long InCapsules => votes.InCapsules;

    public override long OutCapsules => votes.OutCapsules;

    public override long OutDim => votes.OutDim;

    public override ScalarType Dtype => votes.Dtype;

    public override Device Device => votes.Device;

    public override Tensor Sum() => votes.Sum();

    public override Tensor WeightedSum(Tensor coupling) => votes.WeightedSum(coupling);

    public override Tensor Agreement(Tensor outputs) => votes.Agreement(outputs);

    public override Tensor Materialize()
    {
        WereBuilt = true;
        return votes.Materialize();
    }
}
