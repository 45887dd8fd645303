using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>
/// The same network op by op, as PyTorch implementations write it and as it reads in TorchSharp: modules of torch.nn, one einsum
/// per line of the routing, TorchSharp's Adam.
/// </summary>
internal sealed class PlainNetwork : TrainedNetwork
{
    private readonly Conv2d _conv1 = nn.Conv2d(1, NetworkWeights.Features, kernel_size: 9);
    private readonly Conv2d _primary = nn.Conv2d(NetworkWeights.Features, NetworkWeights.Types * NetworkWeights.PrimaryDim, kernel_size: 9, stride: 2);
    private readonly Parameter _digits;
    private readonly Sequential _decoder = nn.Sequential(
        nn.Linear(NetworkWeights.Classes * NetworkWeights.OutDim, 512), nn.ReLU(), nn.Linear(512, 1024), nn.ReLU(),
        nn.Linear(1024, NetworkWeights.Pixels), nn.Sigmoid());
    private readonly Adam _optimizer;

    public PlainNetwork(Device device)
    {
        var weights = NetworkWeights.Draw();
        _digits = new Parameter(EinsumRouting.ToLayout(weights["digits.weight"]).clone().contiguous().to(device).DetachFromDisposeScope());
        using (no_grad())
        {
            Copy(_conv1, "conv1");
            Copy(_primary, "primary");
            foreach (var (name, parameter) in _decoder.named_parameters())
            {
                var layer = int.Parse(name[..1], null) / 2;      // activations stand between the layers
                parameter.copy_(weights[$"decoder.{layer}{name[1..]}"]);
            }
        }

        _conv1.to(device);
        _primary.to(device);
        _decoder.to(device);
        NetworkWeights.Dispose(weights);
        _optimizer = optim.Adam([.. _conv1.parameters(), .. _primary.parameters(), _digits, .. _decoder.parameters()], NetworkWeights.LearningRate);

        void Copy(Conv2d convolution, string name)
        {
            convolution.weight!.copy_(weights[name + ".weight"]);
            convolution.bias!.copy_(weights[name + ".bias"]);
        }
    }

    public override float Step(Tensor images, Tensor labels)
    {
        using var scope = NewDisposeScope();
        _optimizer.zero_grad();
        var v = Capsules(images);
        var present = nn.functional.one_hot(labels, NetworkWeights.Classes).to(float32);
        var lengths = v.square().sum(-1).sqrt();
        var margin = (present * (0.9 - lengths).clamp_min(0).square() + 0.5 * (1 - present) * (lengths - 0.1).clamp_min(0).square()).sum(1).mean();
        var reconstruction = _decoder.call((v * present.unsqueeze(-1)).flatten(1));
        var loss = margin + NetworkWeights.ReconstructionWeight * (reconstruction - images.flatten(1)).square().sum(1).mean();
        loss.backward();
        _optimizer.step();
        return loss.item<float>();
    }

    public override Tensor Predict(Tensor images)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        return Capsules(images).square().sum(-1).argmax(1).MoveToOuterDisposeScope();
    }

    public override void Dispose()
    {
        _optimizer.Dispose();
        _conv1.Dispose();
        _primary.Dispose();
        _decoder.Dispose();
    }

    private Tensor Capsules(Tensor images)
    {
        // Disposed as soon as Python would free it; what backward needs the graph keeps.
        using var scope = NewDisposeScope();
        using var features = _conv1.call(images);
        using var rectified = nn.functional.relu(features);
        using var maps = _primary.call(rectified);
        using var grouped = maps.view(images.size(0), NetworkWeights.Types, NetworkWeights.PrimaryDim, -1).transpose(2, 3).reshape(images.size(0), -1, NetworkWeights.PrimaryDim);
        using var u = PlainSquash.Apply(grouped);
        return EinsumRouting.Route(u, _digits, 3).MoveToOuterDisposeScope();
    }
}
