using TorchSharp.Modules;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Benchmarks;

/// <summary>The network as a user of this library writes it.</summary>
internal sealed class OurNetwork : TrainedNetwork
{
    private readonly Parameter _convWeight, _convBias;
    private readonly PrimaryCapsule _primary;
    private readonly CapsuleLayer _digits = new(NetworkWeights.Primary, NetworkWeights.PrimaryDim, NetworkWeights.Classes, NetworkWeights.OutDim);
    private readonly MaskedDecoder _decoder = new(NetworkWeights.Classes, NetworkWeights.OutDim, [1, 28, 28]);
    private readonly MarginLoss _margin = new();
    private readonly ReconstructionLoss _reconstruction = new(NetworkWeights.ReconstructionWeight);
    private readonly FusedAdam _optimizer;
    private readonly ScalarType? _computeDtype;

    public OurNetwork(ScalarType? computeDtype, Device device)
    {
        _computeDtype = computeDtype;
        _primary = new PrimaryCapsule(NetworkWeights.Features, computeDtype: computeDtype);
        var weights = NetworkWeights.Draw();
        (_convWeight, _convBias) = (new Parameter(weights["conv1.weight"].clone().to(device)), new Parameter(weights["conv1.bias"].clone().to(device)));
        using (no_grad())
        {
            foreach (var (name, parameter) in _primary.named_parameters().Select(p => ("primary." + p.name, p.parameter))
                .Concat(_digits.named_parameters().Select(p => ("digits." + p.name, p.parameter)))
                .Concat(_decoder.named_parameters().Select(p => (p.name.Replace("layers", "decoder", StringComparison.Ordinal), p.parameter))))
            {
                parameter.copy_(weights[name]);
            }
        }

        _primary.to(device);
        _digits.to(device);
        _decoder.to(device);
        NetworkWeights.Dispose(weights);
        _optimizer = new FusedAdam(
            [_convWeight, _convBias, .. _primary.parameters(), .. _digits.parameters(), .. _decoder.parameters()], NetworkWeights.LearningRate);
    }

    public override float Step(Tensor images, Tensor labels)
    {
        using var scope = NewDisposeScope();
        _optimizer.zero_grad();
        var capsules = Capsules(images);
        var loss = _margin.call(F.length(capsules), labels) + _reconstruction.call(_decoder.call(capsules, labels), images);
        loss.backward();
        _optimizer.step();
        return loss.item<float>();
    }

    public override Tensor Predict(Tensor images)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        return F.longest(Capsules(images)).MoveToOuterDisposeScope();
    }

    public override Action Convolutions(Tensor images)
    {
        using var scope = NewDisposeScope();
        var x = Typed(images).DetachFromDisposeScope();
        var features = First(x).detach().requires_grad_().DetachFromDisposeScope();
        var (weight, bias) = (_primary.state_dict()["weight"], _primary.state_dict()["bias"]);
        var (first, second) = (randn_like(features).DetachFromDisposeScope(), Second().DetachFromDisposeScope());
        return () =>
        {
            using var inner = NewDisposeScope();
            autograd.grad([First(x)], [_convWeight, _convBias], [first]);
            autograd.grad([Primary()], [features, weight, bias], [second]);
        };

        Tensor Primary() => F.conv2d(features, weight, bias, (2, 2), computeDtype: _computeDtype);
        Tensor Second() => randn_like(Primary().detach());
    }

    public override void Dispose()
    {
        _optimizer.Dispose();
        _primary.Dispose();
        _digits.Dispose();
        _decoder.Dispose();
        _margin.Dispose();
        _reconstruction.Dispose();
    }

    private Tensor Capsules(Tensor images)
    {
        using var scope = NewDisposeScope();
        return _digits.call(_primary.call(First(Typed(images)))).MoveToOuterDisposeScope();
    }

    private Tensor Typed(Tensor images) => _computeDtype is { } dtype ? images.to_type(dtype) : images.alias();

    private Tensor First(Tensor images) => F.conv2d(images, _convWeight, _convBias, relu: true, computeDtype: _computeDtype);
}
