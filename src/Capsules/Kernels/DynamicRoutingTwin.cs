using static TorchSharp.torch;

namespace Capsules;

/// <summary>Dynamic routing in plain torch operations: differentiable any number of times, for every dtype and device.</summary>
/// <remarks>
/// The kernel's reference, and what its backward falls back to where the gradient itself is to be differentiated. It holds
/// all votes (B, N, J, E) at once.
/// </remarks>
internal static class DynamicRoutingTwin
{
    public static Tensor Apply(Tensor u, Tensor weight, Tensor? bias, Tensor? logits, int iterations, bool leaky, bool gradientThroughAll)
    {
        using var scope = NewDisposeScope();
        var group = u.size(1) / weight.size(0);
        var untied = group == 1 ? weight : weight.repeat_interleave(group, 0);
        var votes = einsum("bnd,njde->bnje", u, untied);
        if (iterations == 0)
        {
            var uniform = 1.0 / (weight.size(1) + (leaky ? 1 : 0));
            return Squash(WithBias(votes.sum(1) * uniform, bias)).MoveToOuterDisposeScope();
        }

        var inner = gradientThroughAll ? votes : votes.detach();
        var b = logits ?? zeros(u.size(0), u.size(1), weight.size(1), dtype: u.dtype, device: u.device);
        b = b.expand(u.size(0), u.size(1), weight.size(1));
        for (var iteration = 1; iteration < iterations; iteration++)
        {
            var v = Squash(WithBias(einsum("bnj,bnje->bje", Coefficients(b, leaky), inner), gradientThroughAll ? bias : bias?.detach()));
            b = b + einsum("bnje,bje->bnj", inner, v);
        }

        var c = Coefficients(gradientThroughAll ? b : b.detach(), leaky);
        return Squash(WithBias(einsum("bnj,bnje->bje", c, votes), bias)).MoveToOuterDisposeScope();
    }

    private static Tensor WithBias(Tensor s, Tensor? bias) => bias is null ? s : s + bias;

    private static Tensor Coefficients(Tensor logits, bool leaky)
    {
        if (!leaky)
        {
            return nn.functional.softmax(logits, -1);
        }

        var orphan = zeros(logits.size(0), logits.size(1), 1, dtype: logits.dtype, device: logits.device);
        return nn.functional.softmax(cat([orphan, logits], -1), -1).narrow(-1, 1, logits.size(2));
    }

    private static Tensor Squash(Tensor s)
    {
        var square = (s * s).sum(-1, keepdim: true);

        // The square root's slope at 0 is infinite: it must not be taken there, or its product with 0 is NaN.
        var positive = square > 0;
        var length = where(positive, where(positive, square, ones_like(square)).sqrt(), zeros_like(square));

        // NaN is not above 0, yet has to come through.
        return s * (length / (1 + square));
    }
}
