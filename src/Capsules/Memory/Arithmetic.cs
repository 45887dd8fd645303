using TorchSharp;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Arithmetic of tensors with no <see cref="Scalar"/> that the collector could free while it is read.</summary>
/// <remarks>
/// TorchSharp hands a Scalar's handle to native code and does not keep the Scalar alive meanwhile, and dispose scopes do not hold Scalars: a
/// collection at the wrong moment frees one while it is read. What is read then is whatever lies there by now: another number, or a type that
/// does not fit. The implicit conversion of a number makes such a temporary, and so do a + b, a.square() and others: src/BannedSymbols.txt
/// lists them, and the build refuses them under src/. Instead Scalars are named in a using, and what is often needed is here.
/// </remarks>
internal static class Arithmetic
{
    private static readonly Scalar One = 1.ToScalar(), Two = 2.ToScalar();

    /// <summary>a + b, with no Scalar that the collector could free. Subtraction, a - b, needs none.</summary>
    public static Tensor Plus(Tensor a, Tensor b) => a.add(b, One);

    /// <summary>x + term, likewise.</summary>
    public static Tensor Plus(Tensor x, double term)
    {
        using var scalar = term.ToScalar();
        return x.add(scalar, One);
    }

    /// <summary>The same, with a whole number: whole numbers stay such.</summary>
    public static Tensor Plus(Tensor x, long term)
    {
        using var scalar = term.ToScalar();
        return x.add(scalar, One);
    }

    /// <summary>x * factor, likewise.</summary>
    public static Tensor Times(Tensor x, double factor)
    {
        using var scalar = factor.ToScalar();
        return x.mul(scalar);
    }

    /// <summary>The same, with a whole number: whole numbers stay such.</summary>
    public static Tensor Times(Tensor x, long factor)
    {
        using var scalar = factor.ToScalar();
        return x.mul(scalar);
    }

    /// <summary>x * x, likewise.</summary>
    public static Tensor Square(Tensor x) => x.pow(Two);

    /// <summary>a += b, likewise.</summary>
    public static void Accumulate(Tensor a, Tensor b) => a.add_(b, One);

    /// <summary>x += 1, likewise.</summary>
    public static void Increment(Tensor x) => x.add_(One, One);

    /// <summary>The whole numbers 0, 1, ..., count - 1, likewise.</summary>
    public static Tensor Indices(long count, Device? device = null)
    {
        using Scalar start = 0L.ToScalar(), stop = count.ToScalar(), step = 1L.ToScalar();
        return arange(start, stop, step, dtype: ScalarType.Int64, device: device);
    }

    /// <summary>A number (shape) times, likewise.</summary>
    public static Tensor Filled(long[] shape, double value, ScalarType dtype, Device? device = null)
    {
        using var scalar = value.ToScalar();
        return full(shape, scalar, dtype: dtype, device: device);
    }

    /// <summary>x, and a number where it is less, likewise.</summary>
    public static Tensor AtLeast(Tensor x, double least)
    {
        using var low = least.ToScalar();
        return x.clamp_min(low);
    }

    /// <summary>x between two numbers, likewise.</summary>
    public static Tensor Clamp(Tensor x, double least, double most)
    {
        using Scalar low = least.ToScalar(), high = most.ToScalar();
        return x.clamp(low, high);
    }
}
