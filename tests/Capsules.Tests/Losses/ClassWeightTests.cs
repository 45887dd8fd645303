using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Losses;

/// <summary>What holds of the weights of classes in the losses that take them.</summary>
public class ClassWeightTests
{
    private static readonly Dictionary<string, Func<Tensor, Tensor, Tensor?, nn.Reduction, Tensor>> Functions = new()
    {
        ["margin_loss"] = (x, target, weight, reduction) => F.margin_loss(x, target, reduction: reduction, weight: weight),
        ["spread_loss"] = (x, target, weight, reduction) => F.spread_loss(x, target, reduction: reduction, weight: weight),
        ["capsule_cross_entropy"] = (x, target, weight, reduction) => F.capsule_cross_entropy(x, target, reduction: reduction, weight: weight),
    };

    public static TheoryData<string> Losses => [.. Functions.Keys];

    private static Tensor Target() => tensor([0L, 2L, 1L, 2L]);

    private static Tensor Weight() => tensor([0.5, 3.0, 2.0]);

    [Fact]
    public void MarginLoss_Weights_MultiplyEachClasssTerm()
    {
        using var scope = NewDisposeScope();
        // Length 0.8 of the class that is there, 0.3 and 0.5 of the others.
        var expected = 0.5 * 0.1 * 0.1 + 0.5 * (3 * 0.2 * 0.2 + 2 * 0.4 * 0.4);
        var lengths = tensor([0.8, 0.3, 0.5]).reshape(1, 3);
        F.margin_loss(lengths, tensor([0L]), weight: Weight()).item<double>().Should().BeApproximately(expected, 1e-12);
        F.margin_loss(lengths, tensor([0L]), preset: Preset.OfficialCode, weight: Weight()).item<double>().Should().BeApproximately(expected / 6, 1e-12);
        new MarginLoss(weight: Weight()).call(cat([lengths, lengths]), tensor([0L, 0L])).item<double>().Should().BeApproximately(expected, 1e-12, "the mean is over the batch");
    }

    [Theory]
    [InlineData(nn.Reduction.Mean)]
    [InlineData(nn.Reduction.Sum)]
    [InlineData(nn.Reduction.None)]
    public void CapsuleCrossEntropy_Weights_AreTorchs(nn.Reduction reduction)
    {
        using var scope = NewDisposeScope();
        var logits = randn([4, 3], float64);
        var expected = nn.functional.cross_entropy(logits, Target(), Weight(), reduction: reduction);
        F.capsule_cross_entropy(logits, Target(), reduction: reduction, weight: Weight()).ShouldBeClose(expected, 1e-12);
        new CapsuleCrossEntropyLoss(reduction: reduction, weight: Weight()).call(logits, Target()).ShouldBeClose(expected, 1e-12);
        F.capsule_cross_entropy(nn.functional.softmax(logits, dim: 1), Target(), probabilities: true, reduction, Weight()).ShouldBeClose(expected, 1e-12);
    }

    [Fact]
    public void SpreadLoss_Weights_AreThoseOfTheTargetsAndDivideTheMean()
    {
        using var scope = NewDisposeScope();
        var activations = rand([4, 3], float64);
        var each = F.spread_loss(activations, Target(), reduction: nn.Reduction.None) * tensor([0.5, 2.0, 3.0, 2.0]);
        F.spread_loss(activations, Target(), reduction: nn.Reduction.None, weight: Weight()).ShouldBeClose(each, 1e-12);
        F.spread_loss(activations, Target(), reduction: nn.Reduction.Sum, weight: Weight()).ShouldBeClose(each.sum(), 1e-12);
        new SpreadLoss(0.9, weight: Weight()).call(activations, Target()).ShouldBeClose(each.sum() / 7.5, 1e-12);
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void Loss_WeightsOfOne_ChangeNothingAndGradientsMatchFiniteDifferences(string name)
    {
        using var scope = NewDisposeScope();
        var loss = Functions[name];
        var x = rand([4, 3], float64).requires_grad_();
        loss(x, Target(), ones([3], float64), nn.Reduction.Mean).ShouldBeClose(loss(x, Target(), null, nn.Reduction.Mean), 1e-15);
        GradientCheck.Verify(() => loss(x, Target(), Weight(), nn.Reduction.Mean), x);
        loss(x.to(bfloat16), Target(), Weight().to(bfloat16), nn.Reduction.Mean).dtype.Should().Be(ScalarType.BFloat16);
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void Loss_WrongWeights_ThrowInWords(string name)
    {
        using var scope = NewDisposeScope();
        var input = name == "margin_loss" ? "lengths" : "activations";
        Action Calling(Tensor weight) => () => Functions[name](rand(4, 3), Target(), weight, nn.Reduction.Mean);
        Calling(ones(4)).Should().Throw<ArgumentException>().WithMessage($"{name} expected weight of shape (J) = (3), as {input} (4, 3), but got (4).*").WithParameterName("weight");
        Calling(ones([3], float64)).Should().Throw<ArgumentException>().WithMessage($"{name} expected weight of dtype Float32, as its {input}, but got Float64.*").WithParameterName("weight");
        Calling(ones(3, device: META)).Should().Throw<ArgumentException>().WithMessage($"{name} expected weight on cpu, as {input}, but got it on meta.*").WithParameterName("weight");
        Calling(ones(3).requires_grad_()).Should().Throw<ArgumentException>().WithMessage($"{name} gives its weight no gradient. Use weight.detach().*").WithParameterName("weight");
    }

    [Fact]
    public void LossModules_Weights_AreBuffersOfTheirOwn()
    {
        MarginLoss margin;
        SpreadLoss spread;
        CapsuleCrossEntropyLoss entropy;
        using (var inner = NewDisposeScope())
        {
            var weight = ones(3);
            (margin, spread, entropy) = (new(weight: weight), new(weight: weight), new(weight: weight));
            weight.zero_();
        }

        using var scope = NewDisposeScope();
        foreach (var (loss, weight) in ((nn.Module, Func<Tensor?>)[])[(margin, () => margin.Weight), (spread, () => spread.Weight), (entropy, () => entropy.Weight)])
        {
            loss.to(float64);
            loss.state_dict().Keys.Should().Equal("weight");
            weight()!.ToDoubles().Should().Equal(1, 1, 1);
            weight()!.dtype.Should().Be(ScalarType.Float64);
            loss.Dispose();
        }

        using var none = new MarginLoss();
        none.state_dict().Should().BeEmpty();
        none.Weight.Should().BeNull();
    }
}
