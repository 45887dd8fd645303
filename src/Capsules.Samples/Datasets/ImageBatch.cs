using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Some images and what is known of them.</summary>
/// <param name="Images">Of shape (B, C, H, W).</param>
/// <param name="Labels">Classes (B), or (B, K) where an image shows K objects.</param>
/// <param name="Parts">Where an image shows K objects, each by itself: (B, K, C, H, W). Else null.</param>
internal readonly record struct ImageBatch(Tensor Images, Tensor Labels, Tensor? Parts = null)
{
    public void Deconstruct(out Tensor images, out Tensor labels) => (images, labels) = (Images, Labels);

    /// <summary>The same of each tensor.</summary>
    public ImageBatch Select(Func<Tensor, Tensor> what) => new(what(Images), what(Labels), Parts is null ? null : what(Parts));
}
