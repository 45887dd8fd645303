using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>Whether two implementations compute the same function: a time means nothing otherwise.</summary>
internal static class Agreement
{
    /// <summary>Largest difference allowed, relative to the largest entry. A GPU adds thousands of numbers up in an order of its own.</summary>
    public static double Tolerance(Device device) => device.type == DeviceType.CUDA ? 1e-4 : 1e-5;

    private static readonly string[] Quantities = ["v", "du", "dW"];

    /// <summary>The largest relative difference of v, du and dW from those of <see cref="Implementation.Capsules"/>.</summary>
    /// <exception cref="InvalidOperationException">It is above <see cref="Tolerance"/>, or a value is not finite.</exception>
    public static double Check(CaseTensors tensors, IEnumerable<Implementation> baselines)
    {
        using var scope = NewDisposeScope();
        var ours = Implementation.Capsules.Gradients(tensors);
        var worst = Compare(tensors.Case, Implementation.Capsules.Name + " without gradient", Quantities[0], Implementation.Capsules.Forward(tensors), ours[0]);
        foreach (var baseline in baselines)
        {
            using var inner = NewDisposeScope();
            var theirs = baseline.Gradients(tensors);
            theirs[2] = baseline.FromLayout(theirs[2]);
            for (var i = 0; i < Quantities.Length; i++)
            {
                worst = Math.Max(worst, Compare(tensors.Case, baseline.Name, Quantities[i], theirs[i], ours[i]));
            }
        }

        return worst;
    }

    private static double Compare(RoutingCase routingCase, string name, string quantity, Tensor theirs, Tensor ours)
    {
        using var scope = NewDisposeScope();
        var difference = ((theirs - ours).abs().max() / ours.abs().max()).item<float>();
        return difference <= Tolerance(ours.device)       // false for NaN too
            ? difference
            : throw new InvalidOperationException(
                $"{routingCase.Name}: {quantity} of {name} differs from that of {Implementation.Capsules.Name} by {difference:g2} of its largest entry, more than {Tolerance(ours.device):g1}. Nothing is reported.");
    }
}
