using FsCheck;
using FsCheck.Fluent;
using static TorchSharp.torch;

namespace Capsules.Tests.Properties;

/// <summary>How a tensor lies in memory.</summary>
internal enum Layout
{
    Contiguous,
    Transposed,
    OffsetView,
    EveryOther,
    Expanded,
}

/// <summary>What cases are drawn from.</summary>
internal static class Draw
{
    public static Gen<int> Size { get; } = Gen.Frequency((8, Gen.Elements(1, 2, 3, 4, 5, 7, 8)), (2, Gen.Elements(11, 13, 16, 17)));

    public static Gen<int> Batch { get; } = Gen.Frequency((9, Gen.Elements(1, 2, 3, 5)), (1, Gen.Elements(17, 33)));

    public static Gen<bool> Flag { get; } = Gen.Elements(true, false);

    public static Gen<Layout> Layout { get; } = Gen.Elements(Enum.GetValues<Layout>());

    public static Gen<ScalarType> Dtype { get; } = Gen.Elements(ScalarType.Float64, ScalarType.Float32, ScalarType.BFloat16);

    public static Gen<int> Seed { get; } = Gen.Choose(0, int.MaxValue);

    /// <summary>The same numbers, laid out otherwise; expanded ones are those of the first row in every row.</summary>
    public static Tensor As(this Tensor tensor, Layout layout)
    {
        if (tensor.dim() == 0)
        {
            return tensor;
        }

        switch (layout)
        {
            case Properties.Layout.Transposed:
                return tensor.transpose(0, -1).contiguous().transpose(0, -1);
            case Properties.Layout.OffsetView:
                var larger = full([.. tensor.shape.Select(size => size + 3)], double.NaN, tensor.dtype);
                for (var dim = 0; dim < tensor.dim(); dim++)
                {
                    larger = larger.narrow(dim, 2, tensor.size(dim));
                }

                return larger.copy_(tensor);
            case Properties.Layout.EveryOther:
                var spread = full([.. tensor.shape, 2], double.NaN, tensor.dtype).select(-1, 1);
                return spread.copy_(tensor);
            case Properties.Layout.Expanded when tensor.size(0) > 0:
                return tensor.narrow(0, 0, 1).contiguous().expand(tensor.shape);
            default:
                return tensor;
        }
    }

    /// <summary>Throws unless two tensors agree: each number to a part of the largest.</summary>
    public static void ShouldAgree(this Tensor actual, Tensor expected, double tolerance, string what)
    {
        actual.shape.Should().Equal(expected.shape, what);
        if (actual.numel() == 0)
        {
            return;
        }

        var error = Distance(actual, expected);
        if (!(error <= tolerance))
        {
            Assert.Fail($"{what} is off by {error:g3} of the largest number, and {tolerance:g3} is allowed");
        }
    }

    /// <summary>The largest difference as a part of the largest number; NaN where either has one.</summary>
    public static double Distance(Tensor actual, Tensor expected)
    {
        var (a, e) = (actual.detach().to(float64), expected.detach().to(float64));
        return (a - e).abs().max().item<double>() / Math.Max(e.abs().max().item<double>(), 1e-3);
    }
}
