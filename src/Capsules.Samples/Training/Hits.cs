using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>How many images were classified rightly.</summary>
/// <param name="All">Images of which every object was found: for K objects, the K largest scores are theirs.</param>
/// <param name="Some">Images of which at least one object was found; "almost correct" in the 2017 authors' code.</param>
internal readonly record struct Hits(long All, long Some)
{
    /// <summary>Counts.</summary>
    /// <param name="scores">Of shape (B, J).</param>
    /// <param name="labels">Classes (B), or (B, K) of K different ones.</param>
    public static Hits Count(Tensor scores, Tensor labels)
    {
        using var scope = NewDisposeScope();
        if (labels.dim() == 1)
        {
            var right = scores.argmax(1).eq(labels).sum().item<long>();
            return new Hits(right, right);
        }

        var (_, largest) = scores.topk((int)labels.size(1), dim: 1);
        var found = largest.unsqueeze(2).eq(labels.unsqueeze(1)).any(dim: 1);      // (B, K), by label
        return new Hits(found.all(dim: 1).sum().item<long>(), found.any(dim: 1).sum().item<long>());
    }
}
