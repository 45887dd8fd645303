using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Functional;

public sealed class TorchFunctionalTests
{
    [Fact]
    public void TorchFunctional_EachFunction_GivesWhatOursGives()
    {
        using var scope = NewDisposeScope();
        var (s, activations, labels) = (randn(2, 3, 4), rand(2, 3), tensor([2L, 0]));
        var (image, other) = (rand(2, 1, 4, 4), rand(2, 1, 4, 4));

        torch.nn.functional.squash(s).ShouldBeClose(F.squash(s), 0);
        nn.functional.squash(s, dim: 1, eps: 1e-7).ShouldBeClose(F.squash(s, 1, 1e-7), 0);
        nn.functional.exponential_squash(s, 1).ShouldBeClose(F.exponential_squash(s, 1), 0);
        nn.functional.margin_loss(activations, labels, 0.8, 0.2, 0.3, Preset.OfficialCode, nn.Reduction.None)
            .ShouldBeClose(F.margin_loss(activations, labels, 0.8, 0.2, 0.3, Preset.OfficialCode, nn.Reduction.None), 0);
        nn.functional.spread_loss(activations, labels, 0.3, nn.Reduction.Sum).ShouldBeClose(F.spread_loss(activations, labels, 0.3, nn.Reduction.Sum), 0);
        nn.functional.capsule_cross_entropy(activations, labels, true, nn.Reduction.Sum)
            .ShouldBeClose(F.capsule_cross_entropy(activations, labels, true, nn.Reduction.Sum), 0);
        nn.functional.reconstruction_loss(image, other, 0.1, nn.Reduction.Sum).ShouldBeClose(F.reconstruction_loss(image, other, 0.1, nn.Reduction.Sum), 0);
    }

    // The same defaults, so that both spellings always mean the same.
    [Fact]
    public void TorchFunctional_Signatures_AreThoseOfOurs()
    {
        static IEnumerable<string> Text(MethodInfo method) => method.GetParameters().Select(parameter => $"{parameter.ParameterType} {parameter.Name} = {parameter.RawDefaultValue}");
        var functions = typeof(TorchFunctional).GetMethods(BindingFlags.Public | BindingFlags.Static);

        functions.Should().HaveCount(6);
        foreach (var function in functions)
        {
            Text(function).Should().Equal(Text(typeof(F).GetMethod(function.Name)!), function.Name);
        }
    }
}
