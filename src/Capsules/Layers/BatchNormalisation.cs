using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Batch normalisation that counts its batches with no Scalar that the collector could free: see <see cref="Arithmetic"/>.</summary>
/// <remarks>TorchSharp's own forward makes such a Scalar in every pass in training mode: one in some ten thousand steps ended in an error.</remarks>
internal static class BatchNormalisation
{
    /// <summary>What the module gives, and does to its running statistics. Hooks of the module are not called, and the rank of x is the caller's to see to.</summary>
    public static Tensor Call(BatchNorm norm, Tensor x)
    {
        var counts = norm.training && norm.track_running_stats && norm.num_batches_tracked is not null;
        if (counts)
        {
            Arithmetic.Increment(norm.num_batches_tracked!);
        }

        // Without a momentum the running statistics are the means over all batches.
        var share = norm.momentum ?? (counts ? 1.0 / norm.num_batches_tracked!.item<long>() : 0);
        var usesRunning = !norm.training || norm.track_running_stats;
        return nn.functional.batch_norm(
            x, usesRunning ? norm.running_mean : null, usesRunning ? norm.running_var : null, norm.weight, norm.bias,
            norm.training || (norm.running_mean is null && norm.running_var is null), share, norm.eps);
    }
}
