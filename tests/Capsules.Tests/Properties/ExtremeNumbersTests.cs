using static TorchSharp.torch;

namespace Capsules.Tests.Properties;

/// <summary>
/// Numbers from denormal ones to infinity and NaN through every routing in float32: what can be computed is, what cannot is NaN or what the
/// documentation says and never a plausible number, and neither reaches another sample of the batch. The fused kernel does as its twin.
/// </summary>
public class ExtremeNumbersTests
{
    private const int B = 3, N = 6, D = 4, J = 3, E = 4, Struck = 1;

    private static readonly float[] Values = [0, 1e-45f, 1e-40f, 1e-30f, 1e-20f, 1e-10f, 1e4f, 1e10f, 1e19f, 1e30f, 3e38f, float.PositiveInfinity, float.NegativeInfinity, float.NaN];

    public static TheoryData<string> Algorithms => [.. RoutingRun.Algorithms];

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void Route_ExtremeCapsulesInOneSample_LeaveTheOthersAsTheyAre(string algorithm)
    {
        var run = new RoutingRun(algorithm, false, B, N, 1, D, J, E, 3, true, 0, false, false, ScalarType.Float32, Layout.Contiguous, Layout.Contiguous, 7, 11);
        using var scope = NewDisposeScope();
        using var routing = run.Make(float32);
        var numbers = run.Numbers(routing.Uses).Select(tensor => tensor.to(float32));
        var plain = Through(run, routing, numbers);
        foreach (var value in Values)
        {
            var struck = Through(run, routing, Strike(numbers, value));
            for (var i = 0; i < plain.Outputs.Length; i++)
            {
                foreach (var b in (int[])[0, 2])
                {
                    struck.Outputs[i][b].Equals(plain.Outputs[i][b]).Should().BeTrue($"output {i} of sample {b} does not depend on {value} in another");
                }

                if (float.IsNaN(value))
                {
                    struck.Outputs[0][Struck].isnan().any().item<bool>().Should().BeTrue("of NaN nothing is made that looks like a result");
                }

                if (Math.Abs(value) <= 1e4f)
                {
                    struck.Outputs[i].ShouldBeFinite();
                }
            }

            if (Math.Abs(value) <= 1e4f)
            {
                struck.Gradient.ShouldBeFinite();
            }

            foreach (var b in (int[])[0, 2])
            {
                struck.Gradient[b].Equals(plain.Gradient[b]).Should().BeTrue($"nor does its gradient on {value}");
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Route_ExtremeCapsules_FusedIsAsItsTwin(int iterations)
    {
        var run = new RoutingRun("dynamic", false, B, N, 1, D, J, E, 3, true, 0, false, false, ScalarType.Float32, Layout.Contiguous, Layout.Contiguous, 7, 11);
        using var scope = NewDisposeScope();
        using var fused = new DynamicRouting(iterations, kernel: RoutingKernel.Fused);
        using var twin = new DynamicRouting(iterations, kernel: RoutingKernel.Reference);
        var numbers = run.Numbers(fused.Uses).Select(tensor => tensor.to(float32));
        foreach (var value in Values)
        {
            var (left, right) = (Through(run, fused, Strike(numbers, value)), Through(run, twin, Strike(numbers, value)));
            Same(left.Outputs[0], right.Outputs[0], $"capsules of {value}");
            if (Math.Abs(value) <= 1e10f)
            {
                Same(left.Gradient, right.Gradient, $"gradient of {value}");
            }
        }

        static void Same(Tensor fused, Tensor twin, string what)
        {
            fused.isfinite().Equals(twin.isfinite()).Should().BeTrue($"{what}: finite in the one where it is in the other");
            fused.nan_to_num(0, 0, 0).ShouldAgree(twin.nan_to_num(0, 0, 0), 1e-4, what);
        }
    }

    private static RoutingRun.Inputs Strike(RoutingRun.Inputs numbers, float value)
    {
        var u = numbers.U.detach().clone();
        u[Struck] = u[Struck].sign() * value;
        return numbers with { U = u };
    }

    private static (Tensor[] Outputs, Tensor Gradient) Through(RoutingRun run, Capsules.Routing routing, RoutingRun.Inputs numbers)
    {
        var x = numbers with { U = numbers.U.detach().clone().requires_grad_() };
        var outputs = RoutingRun.Outputs(run.Route(routing, x));
        return (outputs, Backward.Gradients(outputs, [x.U])[0]);
    }
}
