using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Rotates, shifts, squishes and erases, in this order: what Efficient-CapsNet's training images go through.</summary>
/// <remarks>
/// <para>
/// Each image for itself: (1) with probability one half a rotation by a whole number of degrees below 30; (2) a shift that loses no
/// ink; (3) the width reduced by up to a quarter, by Lanczos resampling; (4) a block of 4 x 4 pixels set to zero. N below is a normal
/// number of standard deviation 0.33 cut at +-0.9999.
/// </para>
/// <para>
/// Where it differs from the authors' code (EscVM/Efficient-CapsNet, utils/pre_process_mnist.py, after Byerly, Kalganova, Dear,
/// "No Routing Needed Between Capsules", 2020): N is the sum of twelve uniform numbers, so that every platform draws the same; OpenCV
/// rounds the places that a rotation samples to 1/32 pixel; ink is what has at least half a grey level, since exact sampling leaves
/// traces that OpenCV rounds away.
/// </para>
/// </remarks>
internal static class EfficientAugmentation
{
    /// <summary>The least height and width of an image: the erased block keeps 4 pixels from one edge and 2 from the other.</summary>
    public const int LeastSize = 10;

    private const int Block = 4;
    private const double Degree = Math.PI / 180;

    /// <summary>Augments every image by its own random numbers.</summary>
    /// <param name="images">Of shape (B, C, H, W), floating-point, in [0, 1], at least <see cref="LeastSize"/> high and wide.</param>
    /// <param name="seed">The only source of randomness: the same seed gives the same images.</param>
    /// <returns>A new tensor of the shape of <paramref name="images"/>; the resampling may leave [0, 1] by a little.</returns>
    public static Tensor Apply(Tensor images, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (images.dim() != 4 || images.size(2) < LeastSize || images.size(3) < LeastSize || !images.is_floating_point())
        {
            throw new ArgumentException(
                $"EfficientAugmentation expected floating-point images of shape (B, C, H, W), at least {LeastSize} x {LeastSize}, " +
                $"but got {images.dtype} ({string.Join(", ", images.shape)}).", nameof(images));
        }

        using var scope = NewDisposeScope();
        var (batch, height, width) = ((int)images.size(0), (int)images.size(2), (int)images.size(3));
        var random = new DeterministicRandom(seed);
        var (angles, shifts) = (new double[batch], new double[4 * batch]);      // degrees; left or right, how far, up or down, how far
        var (squishes, blocks) = (new long[batch], new long[2 * batch]);
        for (var i = 0; i < batch; i++)
        {
            var angle = Math.Truncate(30 * Normal(ref random));
            angles[i] = random.NextDouble() < 0.5 ? angle : 0;
            (shifts[4 * i], shifts[4 * i + 1]) = (random.NextInt32(2), Math.Abs(Normal(ref random)));
            (shifts[4 * i + 2], shifts[4 * i + 3]) = (random.NextInt32(2), Math.Abs(Normal(ref random)));
            squishes[i] = SquishMatrices.Index(width, Math.Abs(Normal(ref random)), Math.Abs(Normal(ref random)));
            (blocks[2 * i], blocks[2 * i + 1]) = (Block + random.NextInt32(height - 9), Block + random.NextInt32(width - 9));
        }

        var x = Rotate(images, angles);
        x = ShiftKeepingInk(x, tensor(shifts, [batch, 4], device: images.device));
        x = Squish(x, tensor(squishes, device: images.device));
        return Erase(x, tensor(blocks, [batch, 2], device: images.device)).MoveToOuterDisposeScope();
    }

    /// <summary>Rotates each image counter-clockwise about the point (W / 2, H / 2) of its pixel grid, as OpenCV's warpAffine does.</summary>
    public static Tensor Rotate(Tensor images, double[] degrees)
    {
        using var scope = NewDisposeScope();
        var (batch, height, width) = (images.size(0), (double)images.size(2), (double)images.size(3));
        var theta = new float[6 * batch];      // from a place of the result to its source, both in [-1, 1] from edge to edge
        for (var i = 0; i < batch; i++)
        {
            var (sin, cos) = Math.SinCos(degrees[i] * Degree);
            double[] rows = [cos, -sin * height / width, (1 - cos + sin) / width, sin * width / height, cos, (1 - cos - sin) / height];
            for (var j = 0; j < 6; j++)
            {
                theta[6 * i + j] = (float)rows[j];
            }
        }

        var grid = nn.functional.affine_grid(tensor(theta, [batch, 2, 3], device: images.device).to(images.dtype), images.shape, align_corners: false);
        var rotated = nn.functional.grid_sample(images, grid, GridSampleMode.Bilinear, GridSamplePaddingMode.Zeros, align_corners: false);
        var turned = tensor(degrees, [batch, 1, 1, 1], device: images.device).to_type(ScalarType.Bool);      // what is not turned stays to the last bit
        return where(turned, rotated, images).MoveToOuterDisposeScope();
    }

    /// <summary>Moves each image by a share of the room that its ink leaves.</summary>
    /// <param name="images">Of shape (B, C, H, W).</param>
    /// <param name="shifts">Of shape (B, 4): 0 for left, else right; the share, in [0, 1); 0 for up, else down; the share.</param>
    public static Tensor ShiftKeepingInk(Tensor images, Tensor shifts)
    {
        using var scope = NewDisposeScope();
        var (batch, channels, height, width) = (images.size(0), images.size(1), images.size(2), images.size(3));
        using var visible = (0.5 / 255).ToScalar();
        var ink = images.ge(visible).to(images.dtype).amax([1]);                                     // (B, H, W)
        var columns = Source(ink.amax([1]), shifts.select(1, 0), shifts.select(1, 1));               // (B, W)
        var rows = Source(ink.amax([2]), shifts.select(1, 2), shifts.select(1, 3));                  // (B, H)
        var index = Arithmetic.Plus(Arithmetic.Times(rows.unsqueeze(2), width), columns.unsqueeze(1)).reshape(batch, 1, height * width);
        return images.flatten(2).gather(2, index.expand(batch, channels, height * width))
            .view(batch, channels, height, width).MoveToOuterDisposeScope();
    }

    /// <summary>Reduces the width of each image by the matrix of its index.</summary>
    public static Tensor Squish(Tensor images, Tensor indices)
    {
        using var scope = NewDisposeScope();
        var width = images.size(3);
        var matrices = tensor(SquishMatrices.Of((int)width), device: images.device).to(images.dtype).view(-1, width, width);
        return matmul(images, matrices.index_select(0, indices).unsqueeze(1)).MoveToOuterDisposeScope();
    }

    /// <summary>Sets a 4 x 4 block of each image to zero.</summary>
    /// <param name="images">Of shape (B, C, H, W).</param>
    /// <param name="blocks">Of shape (B, 2): its first row and column.</param>
    public static Tensor Erase(Tensor images, Tensor blocks)
    {
        using var scope = NewDisposeScope();
        var rows = Covered(images.size(2), blocks.narrow(1, 0, 1)).unsqueeze(2);                     // (B, H, 1)
        var columns = Covered(images.size(3), blocks.narrow(1, 1, 1)).unsqueeze(1);                  // (B, 1, W)
        using var black = 0.ToScalar();
        return images.masked_fill(rows.logical_and(columns).unsqueeze(1), black).MoveToOuterDisposeScope();

        static Tensor Covered(long size, Tensor first)
        {
            var places = Arithmetic.Indices(size, first.device).unsqueeze(0);                                 // (1, size)
            return places.ge(first).logical_and(places.lt(Arithmetic.Plus(first, Block)));
        }
    }

    // For each place along an axis, the place it comes from: the shift is floor(-share * room before) or floor(share * (1 + room after)).
    private static Tensor Source(Tensor ink, Tensor direction, Tensor share)
    {
        var size = ink.size(1);
        var (before, after) = (ink.argmax(1), ink.flip(1).argmax(1));                                // the first of equals; 0 without ink
        using var length = size.ToScalar();
        var isBack = direction.to_type(ScalarType.Bool).logical_not();
        var shift = where(isBack, (share * before).neg().floor(), (share * Arithmetic.Plus(after, 1)).floor()).to(ScalarType.Int64);
        return (Arithmetic.Indices(size, ink.device).unsqueeze(0) - shift.unsqueeze(1)).remainder(length);
    }

    private static double Normal(ref DeterministicRandom random) => Math.Clamp(0.33 * random.NextNormal(), -0.9999, 0.9999);
}
