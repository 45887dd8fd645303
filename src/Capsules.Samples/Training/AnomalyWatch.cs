using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Finds where in a network numbers stop being numbers: every layer's output is looked at, and every parameter's gradient.</summary>
/// <remarks>
/// A layer that is given what is no number is passed over: it began before. The network itself, whose output is looked at last, stands for
/// layers whose output nobody sees, because they are routed and not called.
/// </remarks>
internal sealed class AnomalyWatch
{
    private readonly nn.Module _network;
    private string? _output;

    /// <summary>Watches a network from now on.</summary>
    public AnomalyWatch(nn.Module network)
    {
        _network = network;
        foreach (var (name, module) in network.named_modules())
        {
            Watch(name, module);
        }

        Watch("the network", network);
    }

    /// <summary>After a forward pass: the first layer that gave what is no number; null where all did well.</summary>
    public string? InForward() => _output;

    /// <summary>After a backward pass: the last parameter with a gradient that is no number, which the backward pass comes to first; null for none.</summary>
    public string? InBackward()
    {
        using var scope = NewDisposeScope();
        var name = _network.named_parameters().LastOrDefault(entry => entry.parameter.grad is { } gradient && !IsFinite(gradient)).name;
        return name is null ? null : $"the gradient of {name} is no longer of numbers";
    }

    private void Watch(string name, nn.Module module)
    {
        switch (module)
        {
            case nn.Module<Tensor, Tensor> plain:
                plain.register_forward_hook((_, input, output) => Seen(name, module, [input], output, output));
                SequentialCalls.Watch(plain, (input, output) => Seen(name, module, [input], output, output));
                break;
            case nn.Module<Tensor, Tensor, Tensor> two:
                two.register_forward_hook((_, input, _, output) => Seen(name, module, [input], output, output));
                break;
            case nn.Module<Tensor, (Tensor, Tensor)> pair:
                pair.register_forward_hook((_, input, output) => Seen(name, module, [input], output, output.Item1, output.Item2));
                break;
            default:
                break;      // a list, or a routing, whose layer is watched
        }
    }

    private T Seen<T>(string name, nn.Module module, Tensor[] inputs, T result, params Tensor[] outputs)
    {
        if (_output is null && !outputs.All(IsFinite) && inputs.All(IsFinite) is var isGivenNumbers && (isGivenNumbers || module == _network))
        {
            var weights = module.named_parameters().FirstOrDefault(entry => !IsFinite(entry.parameter)).name;
            var cause = weights is not null ? $"as its {weights}" : isGivenNumbers ? "though what it was given is" : "as what it was given";
            _output = $"the output of {name} ({module.GetName()}) is no longer of numbers, {cause}";
        }

        return result;
    }

    private static bool IsFinite(Tensor tensor)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return !tensor.is_floating_point() || tensor.isfinite().all().item<bool>();
    }
}
