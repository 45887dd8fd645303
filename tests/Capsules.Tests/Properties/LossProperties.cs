using FsCheck;
using FsCheck.Fluent;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = Capsules.Functional;
using Reduction = TorchSharp.torch.nn.Reduction;

namespace Capsules.Tests.Properties;

/// <summary>Every loss and its gradient against the papers' formulas, number by number, over random sizes, dtypes and strides.</summary>
public class LossProperties
{
    internal sealed record Case(string Loss, int B, int J, bool IsFlag, double Margin, ScalarType Dtype, Layout Layout, Reduction Reduction, int Seed);

    private static Gen<Case> Any { get; } =
        from loss in Gen.Elements("margin", "margin official", "spread", "cross-entropy", "reconstruction")
        from b in Draw.Batch
        from j in Draw.Size
        from flag in Draw.Flag
        from margin in Gen.Elements(0.2, 0.5, 0.9)
        from dtype in Draw.Dtype
        from layout in Draw.Layout
        from reduction in Gen.Elements(Reduction.Mean, Reduction.Sum, Reduction.None)
        from seed in Draw.Seed
        select new Case(loss, b, j, flag, margin, dtype, layout, reduction, seed);

    [Fact]
    public void Loss_AnySizesDtypesAndStrides_IsThePapersFormula() => Property.ForAll(250, Any, run =>
    {
        var (numbers, labels, images) = Numbers(run);
        var input = numbers.to(run.Dtype).As(run.Layout).detach().requires_grad_();
        var loss = Loss(run, input, labels, images?.to(run.Dtype).As(run.Layout));
        loss.dtype.Should().Be(run.Dtype);
        var upstream = run.Reduction == Reduction.None ? (arange(run.B, dtype: float64) + 1).to(run.Dtype) : ones([], run.Dtype);
        var gradient = autograd.grad([loss], [input], [upstream])[0];

        var (values, slopes) = Formula(run, numbers, labels, images);
        var scale = run.Reduction == Reduction.Mean ? 1.0 / run.B : 1;
        var expected = run.Reduction == Reduction.None ? values : values.sum() * scale;
        var rows = run.Reduction == Reduction.None ? arange(run.B, dtype: float64) + 1 : ones([run.B], float64) * scale;
        var tolerance = run.Dtype switch { ScalarType.Float64 => 1e-12, ScalarType.Float32 => 2e-6, _ => 1e-2 };
        loss.ShouldAgree(expected, tolerance, "loss");
        gradient.ShouldAgree(slopes * rows.unsqueeze(1), tolerance, "gradient");
    });

    [Fact]
    public void Loss_OfABatchInTwoParts_IsTheSumOfBoth() => Property.ForAll(50, Any, drawn =>
    {
        var run = drawn with { B = drawn.B + 1, Dtype = ScalarType.Float64, Reduction = Reduction.Sum };
        var (numbers, labels, images) = Numbers(run);
        var first = 1 + run.Seed % (run.B - 1);
        var parts = new[] { (0L, (long)first), (first, run.B - first) }.Select(part => Loss(run with { B = (int)part.Item2 },
            numbers.narrow(0, part.Item1, part.Item2), labels.narrow(0, part.Item1, part.Item2), images?.narrow(0, part.Item1, part.Item2)));
        parts.Aggregate((a, b) => a + b).ShouldAgree(Loss(run, numbers, labels, images), 1e-12, "sum");
    });

    private static (Tensor Numbers, Tensor Labels, Tensor? Images) Numbers(Case run)
    {
        using var generator = new Generator((ulong)run.Seed);
        var numbers = rand([run.B, run.J], generator: generator);
        if (run is { Loss: "cross-entropy", IsFlag: true })
        {
            numbers = numbers.add_(0.01) / numbers.sum(1, keepdim: true);
        }

        var images = run.Loss == "reconstruction" ? Rounded(rand([run.B, run.J], generator: generator)) : null;
        return (Rounded(numbers), randint(0, run.J, [run.B], int64, generator: generator), images);

        Tensor Rounded(Tensor tensor) => tensor.As(run.Layout).to(run.Dtype).to(float64);
    }

    private static Tensor Loss(Case run, Tensor input, Tensor labels, Tensor? images) => run.Loss switch
    {
        "margin" => F.margin_loss(input, Target(run, labels), run.Margin, 0.1, reduction: run.Reduction),
        "margin official" => F.margin_loss(input, Target(run, labels), run.Margin, 0.1, preset: Preset.OfficialCode, reduction: run.Reduction),
        "spread" => F.spread_loss(input, labels, run.Margin, run.Reduction),
        "cross-entropy" => F.capsule_cross_entropy(input, labels, run.IsFlag, run.Reduction),
        _ => F.reconstruction_loss(input, images!, run.Margin, run.Reduction),
    };

    private static Tensor Target(Case run, Tensor labels) => run.IsFlag ? labels : nn.functional.one_hot(labels, run.J);

    private static (Tensor Values, Tensor Slopes) Formula(Case run, Tensor numbers, Tensor labels, Tensor? images)
    {
        var (x, t) = (numbers.ToDoubles(), labels.to(float64).ToDoubles());
        var y = images?.ToDoubles();
        var (values, slopes) = (new double[run.B], new double[run.B * run.J]);
        for (var b = 0; b < run.B; b++)
        {
            var row = b * run.J;
            var label = row + (int)t[b];
            var softmax = Enumerable.Range(row, run.J).Sum(j => Math.Exp(x[j]));
            for (var j = row; j < row + run.J; j++)
            {
                switch (run.Loss)
                {
                    case "margin" or "margin official":
                        var scale = run.Loss == "margin" ? 1 : 0.5 / run.J;
                        var (below, above) = (Math.Max(0, run.Margin - x[j]), Math.Max(0, x[j] - 0.1));
                        values[b] += scale * (j == label ? below * below : 0.5 * above * above);
                        slopes[j] = scale * (j == label ? -2 * below : above);
                        break;
                    case "spread" when j != label:
                        var excess = Math.Max(0, run.Margin - (x[label] - x[j]));
                        values[b] += excess * excess;
                        slopes[j] += 2 * excess;
                        slopes[label] -= 2 * excess;
                        break;
                    case "cross-entropy" when run.IsFlag:
                        values[b] -= j == label ? Math.Log(x[j]) : 0;
                        slopes[j] = j == label ? -1 / x[j] : 0;
                        break;
                    case "cross-entropy":
                        values[b] -= j == label ? x[j] - Math.Log(softmax) : 0;
                        slopes[j] = Math.Exp(x[j]) / softmax - (j == label ? 1 : 0);
                        break;
                    case "reconstruction":
                        values[b] += run.Margin * (x[j] - y![j]) * (x[j] - y[j]);
                        slopes[j] = 2 * run.Margin * (x[j] - y[j]);
                        break;
                    default:
                        break;
                }
            }
        }

        return (tensor(values), tensor(slopes).reshape(run.B, run.J));
    }
}
