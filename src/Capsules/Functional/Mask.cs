using static TorchSharp.torch;

namespace Capsules;

public static partial class Functional
{
    /// <summary>The index of the longest capsule of every sample: the prediction.</summary>
    /// <param name="capsules">Capsules (B, J, E).</param>
    /// <returns>Int64 indices (B), which compare with labels (B).</returns>
    /// <exception cref="ArgumentException"><paramref name="capsules"/> is not (B, J, E) or not floating-point.</exception>
    public static Tensor longest(Tensor capsules)
    {
        using var scope = NewDisposeScope();
        return longest(capsules, 1).squeeze(1).MoveToOuterDisposeScope();
    }

    /// <summary>The indices of the k longest capsules of every sample, longest first: the prediction where a sample shows k objects.</summary>
    /// <param name="capsules">Capsules (B, J, E).</param>
    /// <param name="k">How many, in [1, J].</param>
    /// <returns>Int64 indices (B, k), for k = 1 too.</returns>
    /// <exception cref="ArgumentException"><paramref name="capsules"/> is not (B, J, E) or not floating-point.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="k"/> is not in [1, J].</exception>
    public static Tensor longest(Tensor capsules, int k)
    {
        CheckCapsules(nameof(longest), capsules);
        if (k < 1 || k > capsules.size(1))
        {
            throw new ArgumentOutOfRangeException(nameof(k), k, $"k must be in [1, {capsules.size(1)}], the number of capsules.");
        }

        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var (_, indices) = Norm(Wide(capsules), -1, keepdim: false).topk(k, dim: 1);      // unlike length, not rounded to a half precision
        return indices.MoveToOuterDisposeScope();
    }

    /// <summary>Sets all capsules but the chosen ones to zero, whatever they hold.</summary>
    /// <remarks>
    /// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, section 4.1: "mask out all but the activity
    /// vector of the correct digit capsule".</para>
    /// </remarks>
    /// <param name="capsules">Capsules (B, J, E).</param>
    /// <param name="keep">
    /// What to keep: Int64 labels (B), one capsule a sample; Int64 labels (B, K), a set of K capsules a sample; or a Bool
    /// mask (B, J). Default (null): the longest capsule of each sample.
    /// </param>
    /// <returns>Capsules (B, J, E), zero except where kept.</returns>
    /// <exception cref="ArgumentException">A shape, dtype, device or label does not fit.</exception>
    public static Tensor mask(Tensor capsules, Tensor? keep = null)
    {
        CheckCapsules(nameof(mask), capsules);
        return Masked(nameof(mask), capsules, nameof(capsules), keep);
    }

    /// <summary>The same for capsules that are checked, in the words of a function or module that calls them by another name.</summary>
    internal static Tensor Masked(string owner, Tensor capsules, string name, Tensor? keep)
    {
        if (keep is not null)
        {
            ShapeGuard.SameDevice(owner, keep, nameof(keep), capsules.device, name);
        }

        using var scope = NewDisposeScope();
        var chosen = keep is { dtype: ScalarType.Bool }
            ? CheckedMask(owner, capsules, name, keep)
            : CheckedLabels(owner, capsules, name, keep ?? longest(capsules));
        return where(chosen.unsqueeze(-1), capsules, zeros_like(capsules)).MoveToOuterDisposeScope();      // whatever the others hold
    }

    private static Tensor CheckedMask(string owner, Tensor capsules, string name, Tensor keep)
    {
        ShapeGuard.Shape(owner, keep, nameof(keep), "B, J", [capsules.size(0), capsules.size(1)], null, capsules, name);
        return keep;
    }

    // (B) or (B, K) labels to a Bool mask (B, J).
    private static Tensor CheckedLabels(string owner, Tensor capsules, string name, Tensor keep)
    {
        if (keep.dim() == 2)
        {
            ShapeGuard.Shape(owner, keep, nameof(keep), "B, K", [capsules.size(0), ShapeGuard.Any], null, capsules, name);
        }
        else
        {
            ShapeGuard.Shape(owner, keep, nameof(keep), "B", [capsules.size(0)],
                _ => "Give Int64 labels (B) or (B, K), or a Bool mask (B, J).", capsules, name);
        }

        ShapeGuard.Labels(owner, keep, nameof(keep), capsules.size(1));
        return OneHot(keep.dim() == 1 ? keep.unsqueeze(1) : keep, capsules.size(1), ScalarType.Bool);
    }
}
