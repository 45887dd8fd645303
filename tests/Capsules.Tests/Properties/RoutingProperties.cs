using static TorchSharp.torch;

namespace Capsules.Tests.Properties;

/// <summary>
/// Every routing over random sizes, dtypes, strides and demands for gradients, against a plain twin: votes built by hand, in float64, without
/// strides or kernels. And what must hold when capsules are reordered, doubled, parted, added or absent.
/// </summary>
public class RoutingProperties
{
    // About three units in the last place of a float32.
    private const double LastPlaces = 2e-7;

    [Fact]
    public void Route_AnySizesDtypesAndStrides_GivesWhatItsPlainTwinGives() => Property.ForAll(550, RoutingRun.Any, run =>
    {
        using var routing = run.Make(run.Dtype);
        var numbers = run.Numbers(routing.Uses);
        var (expected, gradients) = Twin(run, numbers);

        // Which of the tensors want a gradient is drawn too.
        var index = 0;
        var x = numbers.Select(tensor =>
        {
            var layout = index++ == 0 ? run.OfInput : run.OfWeight;
            return tensor.to(run.Dtype).As(layout).detach().requires_grad_((run.Gradients >> Math.Min(index - 1, 2) & 1) != 0);
        });
        var outputs = RoutingRun.Outputs(run.Route(routing, x));
        var wanted = x.Leaves.Select((leaf, i) => (leaf, i)).Where(pair => pair.leaf.requires_grad).ToList();
        var isLogitsAlone = run.Algorithm == "dynamic last" && wanted.All(pair => ReferenceEquals(pair.leaf, x.Logits));      // whose coupling is a constant
        outputs.Any(output => output.requires_grad).Should().Be(wanted.Count > 0 && !isLogitsAlone || routing.parameters().Any(), "the result takes part in training where something wants a gradient");
        var isTold = true;
        var actual = wanted.Count > 0 && !isLogitsAlone ? Backward.Gradients([.. outputs.Where(output => output.requires_grad)], [.. wanted.Select(pair => pair.leaf)]) : [];

        var tolerance = run.IsAllOfFloat64 ? 1e-8 : 5e-5;
        Compare(outputs, expected, tolerance, "output");

        // Where a leaf is used in several ways, autograd adds the gradients of each in the leaf's dtype, and cancelling leaves few of bfloat16's 8 bits. In
        // float32 some routings' gradients are at times nothing but what does not quite cancel: that of self-routing by a single vote, whose activation has
        // no effect, and that of capsules of two entries where they are normalised, which makes 1 and -1 of almost any two numbers.
        var cancels = run.Algorithm == "self" || run is { Algorithm: "inverted" or "k-means pearson", E: 2 };
        var ofGradients = run.Dtype == ScalarType.BFloat16 ? 4e-2 : run.IsAllOfFloat64 ? 1e-6 : cancels ? 5e-3 : 2e-4;
        Compare(actual, [.. wanted.Select(pair => gradients[pair.i]).Take(actual.Length)], ofGradients, "gradient");
        return isTold;

        void Compare(Tensor[] given, Tensor[] right, double allowed, string what)
        {
            for (var i = 0; i < given.Length; i++)
            {
                var amplified = Draw.Distance(given[i], right[i]) <= allowed ? 0 : Amplified(run, numbers, what, i, wanted.ConvertAll(pair => pair.i));
                if (amplified > Property.MostAmplified)
                {
                    isTold = false;
                    continue;
                }

                given[i].ShouldAgree(right[i], allowed + 100 * amplified, $"{what} {i}");
            }
        }
    });

    [Fact]
    public void Route_CapsulesReordered_GivesTheSame() => Property.ForAll(80, RoutingRun.Any, run => Changed(run, x =>
    {
        var order = randperm(run.N);
        x = Untied(run, x);
        return x with
        {
            U = x.U.index_select(1, order), W = x.W.index_select(0, order), Activations = x.Activations?.index_select(1, order), Mask = x.Mask?.index_select(1, order),
            Logits = x.Logits?.index_select(run.LogitsDims == 2 ? 0 : 1, order),
        };
    }, (outputs, _) => outputs));

    [Fact]
    public void Route_BatchDoubled_GivesTheSameTwice() => Property.ForAll(80, RoutingRun.Any, run => Changed(run, x => x with
    {
        U = cat([x.U, x.U]), Activations = x.Activations is { } a ? cat([a, a]) : null, Mask = x.Mask is { } mask ? cat([mask, mask]) : null,
        Logits = x.Logits is { } logits && run.LogitsDims == 3 ? cat([logits, logits]) : x.Logits,
    }, (outputs, _) => cat([outputs, outputs])));

    [Fact]
    public void Route_OneSampleOfABatch_RoutesAsItDoesAlone() => Property.ForAll(80, RoutingRun.Any, run =>
    {
        var sample = run.Seed % run.B;
        Changed(run, x => x with
        {
            U = x.U.narrow(0, sample, 1), Activations = x.Activations?.narrow(0, sample, 1), Mask = x.Mask?.narrow(0, sample, 1),
            Logits = run.LogitsDims == 3 ? x.Logits?.narrow(0, sample, 1) : x.Logits,
        }, (outputs, _) => outputs.narrow(0, sample, 1));
    });

    [Fact]
    public void Route_CapsulesAddedThatAreAbsent_LeaveNoTrace() => Property.ForAll(80, RoutingRun.Any, run => Changed(run, x =>
    {
        x = Untied(run, x);
        var mask = x.Mask ?? ones([run.B, run.N], ScalarType.Bool);
        return Longer(run, x, double.NaN) with { Mask = cat([mask, zeros([run.B, 2], ScalarType.Bool)], 1) };
    }, (outputs, _) => outputs));

    // Sums of votes do not see a vote of zero; means of votes do, unless its capsule's activation is zero.
    [Fact]
    public void Route_ZeroCapsulesAdded_LeaveNoTrace() => Property.ForAll(80, RoutingRun.Any, run =>
    {
        if (run.Algorithm == "em normalised")
        {
            return;      // counts its input capsules
        }

        Changed(run with { WithActivations = true }, x =>
        {
            x = Untied(run, x);
            return Longer(run, x, 0) with { Mask = x.Mask is { } mask ? cat([mask, ones([run.B, 2], ScalarType.Bool)], 1) : null };
        }, (outputs, _) => outputs);
    });

    // One iteration of sums and a squash: the direction does not depend on the scale, and the length grows with it.
    [Fact]
    public void Route_UniformOfScaledCapsules_KeepsTheDirection() => Property.ForAll(50, RoutingRun.Any, drawn =>
    {
        var run = drawn with { Algorithm = "uniform", WithBias = false, Dtype = ScalarType.Float64 };
        using var routing = run.Make(float64);
        var x = run.Numbers(routing.Uses);
        var (once, thrice) = (run.Route(routing, x).Capsules, run.Route(routing, x with { U = x.U * 3 }).Capsules);
        var (a, b) = (Capsules.Functional.length(once, keepdim: true), Capsules.Functional.length(thrice, keepdim: true));
        (thrice * a).ShouldAgree(once * b, 1e-10, "direction");
        b.ge(a).all().item<bool>().Should().BeTrue("what is scaled up does not become shorter");
    });

    private static void Changed(RoutingRun run, Func<RoutingRun.Inputs, RoutingRun.Inputs> change, Func<Tensor, RoutingRun, Tensor> expected)
    {
        run = run with { Dtype = ScalarType.Float64 };
        using var routing = run.Make(float64);
        var x = run.Numbers(routing.Uses);
        var (before, after) = (RoutingRun.Outputs(run.Route(routing, x)), RoutingRun.Outputs(run.Route(routing, change(x))));
        for (var i = 0; i < before.Length; i++)
        {
            after[i].ShouldAgree(expected(before[i], run), 1e-7, $"output {i}");
        }
    }

    // A matrix of its own for every input capsule.
    private static RoutingRun.Inputs Untied(RoutingRun run, RoutingRun.Inputs x) => x with { W = x.W.repeat_interleave(run.GroupSize, dim: 0) };

    // Two capsules more, with matrices like any, activations of zero and logits like any.
    private static RoutingRun.Inputs Longer(RoutingRun run, RoutingRun.Inputs x, double value) => x with
    {
        U = cat([x.U, full([run.B, 2, run.D], value, float64)], 1),
        W = cat([x.W, ones([2, .. x.W.shape[1..]], float64)]),
        Activations = x.Activations is { } a ? cat([a, zeros([run.B, 2], float64)], 1) : null,
        Logits = x.Logits is { } logits ? cat([logits, ones(run.LogitsDims == 2 ? [2, run.J] : [run.B, 2, run.J], float64)], run.LogitsDims == 2 ? 0 : 1) : null,
    };

    // In float64 over votes that are there, built by sums of products; self-routing alone wants to see the capsules.
    // With noise, for EM routing alone, votes, activations and logits are each off by about so much of themselves.
    private static (Tensor[] Outputs, Tensor[] Gradients) Twin(RoutingRun run, RoutingRun.Inputs numbers, double noise = 0)
    {
        using var routing = run.Make(float64);
        var x = numbers.Select(tensor => tensor.detach().contiguous().clone().requires_grad_());
        var leaves = x.Leaves;
        var weight = x.W.repeat_interleave(run.GroupSize, dim: 0);
        var side = (long)Math.Sqrt(run.E);
        var votes = run.IsMatrix
            ? x.U.reshape(run.B, run.N, 1, side, side).matmul(weight.unsqueeze(0)).reshape(run.B, run.N, run.J, run.E)
            : (x.U.unsqueeze(2).unsqueeze(-1) * weight.unsqueeze(0)).sum(3);
        var given = new GivenVotes(votes, x.Mask);
        var result = run.Algorithm == "self" ? run.Route(routing, x)
            : noise > 0 ? routing.Route(new NoisyVotes(given, noise), activations: NoisyVotes.Noisy(given.Weights(x.Activations), noise))
            : routing.Route(given, x.Bias, x.Logits, x.Activations);
        var outputs = RoutingRun.Outputs(result);
        return (outputs, Backward.Gradients(outputs, leaves));
    }

    // What changing the numbers in float32's last places does to a result: a routing that amplifies it may be off by as much in float32.
    // EM routing amplifies differences that no change of the inputs makes (capsules of one dimension vote along one line, whatever they are),
    // and float32 rounds each number by itself: there votes, activations and the logits of each iteration are changed too.
    private static double Amplified(RoutingRun run, RoutingRun.Inputs numbers, string what, int i, List<int> wanted)
    {
        if (run.IsAllOfFloat64)
        {
            return 0;
        }

        var noise = run.Algorithm.StartsWith("em", StringComparison.Ordinal) ? LastPlaces : 0;
        var (outputs, gradients) = Twin(run, numbers);
        var worst = 0.0;
        for (var round = 0; round < 3; round++)
        {
            var (otherOutputs, otherGradients) = Twin(run, numbers.Select(tensor => NoisyVotes.Noisy(tensor, LastPlaces)), noise);
            worst = Math.Max(worst, what == "output" ? Draw.Distance(otherOutputs[i], outputs[i]) : Draw.Distance(otherGradients[wanted[i]], gradients[wanted[i]]));
        }

        return worst;
    }
}
