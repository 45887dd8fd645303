using static TorchSharp.torch;

namespace Capsules.Tests.Decoders;

/// <summary>What every decoder does.</summary>
public class EveryDecoderTests
{
    public static TheoryData<string> Names => ["masked", "class-independent", "convolutional", "convolutional, masked"];

    private static CapsuleDecoder Make(string name, long classes = 3, ScalarType dtype = ScalarType.Float32) => name switch
    {
        "masked" => new MaskedDecoder(classes, 2, [1, 3, 2], hiddenSizes: [5], dtype: dtype),
        "class-independent" => new ClassIndependentDecoder(classes, 2, [1, 3, 2], hiddenSizes: [5], dtype: dtype),
        "convolutional" => new ConvolutionalDecoder(classes, 2, [1, 3, 2], channels: [2, 2], dtype: dtype),
        _ => new ConvolutionalDecoder(classes, 2, [1, 3, 2], channels: [2, 2], classIndependent: false, dtype: dtype),
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoder_NothingSaid_DecodesTheLongest(string name)
    {
        using var scope = NewDisposeScope();
        using var decoder = Make(name);
        var capsules = randn(5, 3, 2);
        var images = decoder.call(capsules);
        images.ShouldBeClose(decoder.call(capsules, Capsules.Functional.longest(capsules)));
        var shortest = Capsules.Functional.length(capsules).argmin(1);
        images.sub(decoder.call(capsules, shortest)).abs().max().item<float>().Should().BeGreaterThan(1e-4f, "another capsule is another image");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoder_DecodeEach_IsOneImagePerObject(string name)
    {
        using var scope = NewDisposeScope();
        using var decoder = Make(name, classes: 4);
        var capsules = randn(2, 4, 2);
        var labels = Capsules.Functional.longest(capsules, 2);
        var each = decoder.DecodeEach(capsules, labels);
        each.shape.Should().Equal(2, 2, 1, 3, 2);
        for (var k = 0; k < 2; k++)
        {
            each.select(1, k).ShouldBeClose(decoder.call(capsules, labels.select(1, k)));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoder_CapsulesAndParameters_MatchFiniteDifferences(string name)
    {
        using var scope = NewDisposeScope();
        using var decoder = Make(name, dtype: ScalarType.Float64);
        var capsules = randn([2, 3, 2], float64).requires_grad_();
        GradientCheck.Verify(() => decoder.call(capsules, tensor([1L, 2L])), [capsules, .. decoder.parameters()]);
    }
}
