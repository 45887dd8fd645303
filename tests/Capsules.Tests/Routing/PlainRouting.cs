using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

/// <summary>
/// Procedure 1 of the paper as a reader would write it down, over explicit votes and with logits that accumulate: it shares
/// no line and no identity with the library.
/// </summary>
internal static class PlainRouting
{
    public static (Tensor Capsules, Tensor Coupling) Run(Tensor votes, int iterations, Tensor? bias, Tensor? logits, bool leaky)
    {
        var (batch, inputs, outputs) = (votes.size(0), votes.size(1), votes.size(2));
        var b = zeros([batch, inputs, outputs], votes.dtype);
        if (logits is not null)
        {
            b = b + logits;
        }

        Tensor v, c;
        var t = 0;
        do
        {
            var exp = b.exp();
            c = exp / (exp.sum(dim: 2, keepdim: true) + (leaky ? 1 : 0));
            var s = (c.unsqueeze(3) * votes).sum(dim: 1);
            s = bias is null ? s : s + bias;
            var squares = s.square().sum(dim: 2, keepdim: true);
            v = squares / (1 + squares) * s / squares.sqrt();
            b = b + (votes * v.unsqueeze(1)).sum(dim: 3);
        }
        while (++t < iterations);

        return (v, c);
    }
}
