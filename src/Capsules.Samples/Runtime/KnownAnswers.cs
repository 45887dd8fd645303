using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// Small computations of which the result is known without torch: whether a libtorch, which may be of another version than TorchSharp was
/// built against, computes what it is asked for. Entries are small whole numbers, exact in every precision that a GPU multiplies in.
/// </summary>
internal static class KnownAnswers
{
    private const int Side = 12;

    private static readonly (string Name, Action<Device> Check)[] Checks =
    [
        ("matrix product", MatrixProduct),
        ("convolution", Convolution),
        ("backward of both", Backward),
        ("dynamic routing, by its kernel and by torch operations, forward and backward", Routing),
        ("a step of Adam", AdamStep),
        ("weights saved and loaded", SavedAndLoaded),
    ];

    /// <summary>Checks all, each by itself.</summary>
    /// <returns>What was checked, and null or what is wrong with it.</returns>
    public static IEnumerable<(string Name, string? Wrong)> Run(Device device)
    {
        foreach (var (name, check) in Checks)
        {
            using var scope = NewDisposeScope();
            string? wrong = null;
            try
            {
                check(device);
            }
#pragma warning disable CA1031
            catch (Exception failure)
#pragma warning restore CA1031
            {
                wrong = failure.Message.Split('\n', 2)[0];
            }

            yield return (name, wrong);
        }
    }

    // Whole numbers between -3 and 3.
    private static float Entry(int i, int seed) => ((i * 7 + i / 5 + seed) % 7) - 3;

    private static Tensor Entries(Device device, int seed, params long[] shape)
    {
        var values = new float[shape.Aggregate(1L, (all, size) => all * size)];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = Entry(i, seed);
        }

        return tensor(values, shape, device: device);
    }

    private static void MatrixProduct(Device device)
    {
        var expected = new float[Side * Side];
        for (var (i, entry) = (0, 0); i < Side; i++)
        {
            for (var j = 0; j < Side; j++, entry++)
            {
                for (var k = 0; k < Side; k++)
                {
                    expected[entry] += Entry(i * Side + k, 1) * Entry(k * Side + j, 2);
                }
            }
        }

        Same(Entries(device, 1, Side, Side).mm(Entries(device, 2, Side, Side)), expected);
    }

    // Of an image of ones a kernel's sum, everywhere.
    private static void Convolution(Device device)
    {
        var sum = Enumerable.Range(0, 9).Sum(i => Entry(i, 3));
        Same(nn.functional.conv2d(ones([1, 1, Side, Side], device: device), Entries(device, 3, 1, 1, 3, 3)), [.. Enumerable.Repeat(sum, 100)]);
    }

    // sum(a b) has the sums of b's rows as the gradient of a; sum(conv(image, kernel)) the sum of the image's windows as that of the kernel.
    private static void Backward(Device device)
    {
        var a = Entries(device, 1, Side, Side).requires_grad_();
        a.mm(Entries(device, 2, Side, Side)).sum().backward();
        var rows = Enumerable.Range(0, Side).Select(k => Enumerable.Range(0, Side).Sum(j => Entry(k * Side + j, 2))).ToArray();
        Same(a.grad!, [.. Enumerable.Range(0, Side * Side).Select(i => rows[i % Side])]);

        var kernel = Entries(device, 3, 1, 1, 3, 3).requires_grad_();
        nn.functional.conv2d(ones([1, 1, Side, Side], device: device), kernel).sum().backward();
        Same(kernel.grad!, [.. Enumerable.Repeat(100f, 9)]);
    }

    // Against the paper's formulas in plain C#, and the slopes of their result: of the kernel where there is one, and of torch operations.
    private static void Routing(Device device)
    {
        var (u, weight) = (Quarters(3 * 6 * 4, seed: 1), Quarters(6 * 3 * 4 * 5, seed: 2));
        var expected = new PlainRouting(B: 3, N: 6, D: 4, J: 3, E: 5, Iterations: 3).ValueAndSlopes(u, weight);
        foreach (var kernel in new[] { RoutingKernel.Automatic, RoutingKernel.Reference })
        {
            var input = Float(u, 3, 6, 4).requires_grad_();
            var matrices = Float(weight, 6, 3, 4, 5).requires_grad_();
            var v = new DynamicRouting(3, kernel: kernel).Route(new LinearVotes(input, matrices)).Capsules;
            Arithmetic.Square(v).sum().backward();
            Near(v, expected.Capsules, $"the capsules of {kernel}");
            Near(input.grad!, expected.InputSlopes, $"the inputs' gradients of {kernel}");
            Near(matrices.grad!, expected.WeightSlopes, $"the weights' gradients of {kernel}");
        }

        double[] Quarters(int count, int seed) => [.. Enumerable.Range(0, count).Select(i => Entry(i, seed) / 4.0)];

        Tensor Float(double[] values, params long[] shape) => tensor(values.Select(value => (float)value).ToArray(), shape, device: device);
    }

    private static void Near(Tensor actual, double[] expected, string what)
    {
        var values = actual.detach().cpu().reshape(-1).data<float>().ToArray();
        var differences = values.Zip(expected, (one, other) => Math.Abs(one - other)).ToArray();

        // TF32's products are as coarse as this.
        Require(differences.All(difference => difference <= 1e-3), $"{what} differ by {differences.Max():g2}");
    }

    // The first step goes by the learning rate, whatever the gradient's size.
    private static void AdamStep(Device device)
    {
        using var parameter = new Parameter(ones([4], device: device).DetachFromDisposeScope());
        using var optimizer = new FusedAdam([parameter], lr: 0.25);
        parameter.mul(tensor(new float[] { 1, -1, 3, -50 }, device: device)).sum().backward();
        optimizer.step();
        var moved = parameter.detach().cpu().data<float>().ToArray();
        Require(moved.Zip([0.75f, 1.25f, 0.75f, 1.25f]).All(pair => Math.Abs(pair.First - pair.Second) < 1e-4f), $"it gave {Text(moved)}");
    }

    private static void SavedAndLoaded(Device device)
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            using var saved = new CapsuleLayer(3, 4, 5, 6, device: device);
            using var loaded = new CapsuleLayer(3, 4, 5, 6, device: device);
            Weights.Save(saved, path);
            Weights.Load(loaded, path);
            Require(saved.state_dict().All(pair => pair.Value.Equals(loaded.state_dict()[pair.Key])), "other weights came back");
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void Same(Tensor actual, float[] expected)
    {
        var values = actual.detach().cpu().reshape(-1).data<float>().ToArray();
        Require(values.SequenceEqual(expected), $"it gave {Text(values)}, and not {Text(expected)}");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidOperationException(otherwise);
        }
    }

    private static string Text(float[] values) => string.Join(", ", values.Take(4).Select(value => FormattableString.Invariant($"{value}"))) + ", ...";
}
