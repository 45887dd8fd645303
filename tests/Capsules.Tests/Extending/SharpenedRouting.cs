using Capsules;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MyNetwork;

/// <summary>One look at the votes: they couple where they agree with the sum of all, as sharply as the layer has learned.</summary>
public sealed class SharpenedRouting : Routing
{
    private Parameter sharpness;      // in a layer's state dict: routing.sharpness

    public SharpenedRouting() : base(nameof(SharpenedRouting))
    {
        sharpness = (Parameter)ones(1).AsParameter().DetachFromDisposeScope();
        RegisterComponents();
    }

    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        CheckArguments(votes, bias, logits, activations);                  // Uses says none of the three: they are refused in words
        using var scope = NewDisposeScope();
        var first = Functional.squash(votes.Sum());                        // (B, J, E)
        var c = votes.Softmax(votes.Agreement(first) * sharpness);         // (B, N, J)
        var v = Functional.squash(votes.WeightedSum(c));                   // (B, J, E)
        return new RoutingResult(v, coupling: coupling ? votes.Present(c) : null).MoveToOuterDisposeScope();
    }
}
