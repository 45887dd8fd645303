using static TorchSharp.torch;

namespace Capsules;

/// <summary>Reconstructs images from capsules: what all decoders have in common.</summary>
/// <remarks>
/// <para>A decoder sees one sample's capsules in one of two ways. Masked: all of them, (J * E), zero except for the chosen ones, so
/// that a class has weights of its own (Sabour, Frosst, Hinton 2017). Class-independent: the entries of the one chosen capsule, (E),
/// so that all classes share their weights and an entry means the same in each (Rajasegaran et al., "DeepCaps: Going Deeper with
/// Capsule Networks", 2019, https://arxiv.org/abs/1904.09546).</para>
/// <para>To add a decoder: derive, implement <see cref="Decode"/>, and register its components.</para>
/// </remarks>
public abstract class CapsuleDecoder : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly long[] _outputShape;

    /// <summary>Initialises what decoders have in common.</summary>
    /// <param name="name">The name that the module and its errors show.</param>
    /// <param name="capsules">J, the capsules, at least 1.</param>
    /// <param name="capsuleDim">E, their dimension, at least 1.</param>
    /// <param name="outputShape">The image's shape without the batch, usually (C, H, W); at least one size, each at least 1.</param>
    /// <param name="isClassIndependent">Whether the decoder sees the chosen capsule alone.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException"><paramref name="outputShape"/> is empty.</exception>
    protected CapsuleDecoder(string name, long capsules, long capsuleDim, long[] outputShape, bool isClassIndependent) : base(name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capsules, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capsuleDim, 1);
        ArgumentNullException.ThrowIfNull(outputShape);
        if (outputShape.Length == 0)
        {
            throw new ArgumentException(
                $"{name} expected outputShape to have at least one size, as [1, 28, 28], but got none.", nameof(outputShape));
        }

        foreach (var size in outputShape)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(size, 1, nameof(outputShape));
        }

        (Capsules, CapsuleDim, _outputShape, IsClassIndependent) = (capsules, capsuleDim, [.. outputShape], isClassIndependent);
    }

    /// <summary>J, the capsules.</summary>
    public long Capsules { get; }

    /// <summary>E, their dimension.</summary>
    public long CapsuleDim { get; }

    /// <summary>The shape of one reconstruction, usually (C, H, W).</summary>
    public IReadOnlyList<long> OutputShape => _outputShape;

    /// <summary>Whether the decoder sees the chosen capsule alone and so treats all classes alike.</summary>
    public bool IsClassIndependent { get; }

    /// <summary>What <see cref="Decode"/> gets of a sample: J * E numbers, or E where the decoder is class-independent.</summary>
    protected long Features => IsClassIndependent ? CapsuleDim : Capsules * CapsuleDim;

    /// <summary>Reconstructs one image a sample.</summary>
    /// <param name="input">Capsules (B, J, E).</param>
    /// <param name="keep">
    /// The capsules that are decoded: Int64 labels (B). Where the decoder is not class-independent also sets (B, K), or a Bool mask
    /// (B, J); several are decoded together into one image. Default (null): the longest.
    /// </param>
    /// <returns>Images (B, C, H, W).</returns>
    /// <exception cref="ArgumentException">A shape, dtype or label does not fit.</exception>
    public sealed override Tensor forward(Tensor input, Tensor? keep)
    {
        CheckInput(input);
        using var scope = NewDisposeScope();
        return Reshaped(Decode(IsClassIndependent ? Chosen(input, keep) : Masked(input, keep)), input.size(0)).MoveToOuterDisposeScope();
    }

    /// <summary>Reconstructs one image a sample from its longest capsule.</summary>
    /// <param name="input">Capsules (B, J, E).</param>
    /// <returns>Images (B, C, H, W).</returns>
    /// <exception cref="ArgumentException">The shape or dtype does not fit.</exception>
    public Tensor call(Tensor input) => call(input, null);

    /// <summary>Reconstructs every object of a sample by itself: one image for each of its K capsules, by the same weights.</summary>
    /// <remarks><para>Sabour, Frosst, Hinton, 2017, section 6 (MultiMNIST): each digit is reconstructed in turn.</para></remarks>
    /// <param name="input">Capsules (B, J, E).</param>
    /// <param name="labels">
    /// Int64 labels (B, K), the capsules of the K objects; <see cref="Functional.longest(Tensor, int)"/> gives the K longest.
    /// </param>
    /// <returns>Images (B, K, C, H, W).</returns>
    /// <exception cref="ArgumentException">A shape, dtype or label does not fit.</exception>
    public Tensor DecodeEach(Tensor input, Tensor labels)
    {
        CheckInput(input);
        ShapeGuard.Shape(GetName(), labels, nameof(labels), "B, K", [input.size(0), ShapeGuard.Any], like: input);
        ShapeGuard.SameDevice(GetName(), labels, nameof(labels), input.device, nameof(input));
        ShapeGuard.Labels(GetName(), labels, nameof(labels), Capsules);
        using var scope = NewDisposeScope();
        var (batch, objects) = (input.size(0), labels.size(1));
        var repeated = input.unsqueeze(1).expand(batch, objects, Capsules, CapsuleDim).reshape(batch * objects, Capsules, CapsuleDim);
        return call(repeated, labels.reshape(batch * objects)).reshape([batch, objects, .. _outputShape]).MoveToOuterDisposeScope();
    }

    /// <summary>Decodes what the decoder sees of each sample.</summary>
    /// <param name="features">Of shape (B, <see cref="Features"/>).</param>
    /// <returns>Images, of shape (B, C, H, W) or with the same numbers in another shape.</returns>
    protected abstract Tensor Decode(Tensor features);

    private Tensor Masked(Tensor input, Tensor? keep) => Functional.Masked(GetName(), input, nameof(input), keep).reshape(input.size(0), Features);

    private Tensor Chosen(Tensor input, Tensor? keep)
    {
        if (keep is null)
        {
            keep = Functional.longest(input);
        }
        else
        {
            ShapeGuard.Shape(GetName(), keep, nameof(keep), "B", [input.size(0)],
                _ => "This decoder sees one capsule of a sample; DecodeEach decodes several, each into an image of its own.", input);
            ShapeGuard.SameDevice(GetName(), keep, nameof(keep), input.device, nameof(input));
            ShapeGuard.Labels(GetName(), keep, nameof(keep), Capsules);
        }

        return input.gather(1, keep.view(-1, 1, 1).expand(-1, 1, CapsuleDim)).squeeze(1);
    }

    private Tensor Reshaped(Tensor images, long batch) => images.reshape([batch, .. _outputShape]);

    private void CheckInput(Tensor input)
    {
        ShapeGuard.Shape(GetName(), input, nameof(input), "B, J, E", [ShapeGuard.Any, Capsules, CapsuleDim]);
        foreach (var (name, parameter) in named_parameters())
        {
            ShapeGuard.Like(GetName(), input, nameof(input), parameter, name);
            break;      // all have the dtype and device of the first
        }
    }
}
