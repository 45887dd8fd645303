using static TorchSharp.torch;

namespace Capsules.Onnx.Tests;

public sealed class CapsuleModuleTests
{
    [Theory]
    [InlineData(Preset.Paper)]
    [InlineData(Preset.OfficialCode)]
    public void PrimaryCapsule_Presets_Agree(Preset preset)
    {
        using var layer = new PrimaryCapsule(3, capsuleTypes: 4, capsuleDim: 6, kernelSize: 5, stride: 2, preset: preset);
        Agreement.Check(layer, 3, 11, 14);
    }

    [Fact]
    public void PrimaryCapsule_EveryOption_Agrees()
    {
        using var layer = new PrimaryCapsule(
            2, 3, 4, kernelSize: (3, 5), stride: (2, 1), padding: (1, 2), dilation: (2, 1), bias: false, activation: nn.ReLU());
        using var low = new PrimaryCapsule(2, 3, 4, kernelSize: 3, stride: 1, kernel: ConvolutionKernel.Reference, preset: Preset.OfficialCode, bias: true);
        Agreement.Check(layer, 2, 10, 9);
        Agreement.Check(low, 2, 7, 7);
    }

    [Fact]
    public void PrimaryCapsule_BFloat16Convolution_ExportsFloat32()
    {
        using var half = new PrimaryCapsule(2, 3, 4, kernelSize: 3, computeDtype: ScalarType.BFloat16);
        using var full = new PrimaryCapsule(2, 3, 4, kernelSize: 3);
        full.load_state_dict(half.state_dict());
        Agreement.Check(half, full.call, 2, 8, 8);
    }

    [Fact]
    public void DepthwisePrimaryCapsule_Agrees()
    {
        using var layer = new DepthwisePrimaryCapsule(12, capsuleDim: 4, kernelSize: (3, 4), stride: (2, 1));
        using var unbiased = new DepthwisePrimaryCapsule(8, kernelSize: 5, bias: false);
        nn.init.normal_(layer.get_parameter("bias")!);
        Agreement.Check(layer, 12, 7, 8);
        Agreement.Check(unbiased, 8, 5, 5);
    }

    [Fact]
    public void Squashes_AlongAnyDimension_Agree()
    {
        using var squash = new Squash();
        using var other = new Squash(dim: 1, eps: 1e-3);
        using var exponential = new ExponentialSquash(dim: 1);
        using var length = new CapsuleLength();
        using var kept = new CapsuleLength(dim: 1, keepdim: true);
        foreach (var module in (nn.Module<Tensor, Tensor>[])[squash, other, exponential, length, kept])
        {
            Agreement.Check(module, 3, 4);
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1e-20f)]
    [InlineData(1e-6f)]
    [InlineData(1e-3f)]
    [InlineData(1e4f)]
    public void Squashes_ShortAndLongVectors_KeepTheirDigits(float length)
    {
        using var scope = NewDisposeScope();
        var graph = new OnnxGraph();
        var x = graph.Input("x", 3);
        graph.Output("squash", graph.Squash(x));
        graph.Output("exponential", graph.ExponentialSquash(x));
        using var run = new OnnxRun(graph);
        var input = tensor(new[] { 0.48f * length, -0.6f * length, 0.64f * length }).reshape(1, 3);
        var results = run.Run(input);
        foreach (var (actual, expected) in (IEnumerable<(Tensor, Tensor)>)
            [(results["squash"], Functional.squash(input)), (results["exponential"], Functional.exponential_squash(input))])
        {
            var error = (actual - expected).abs().max().item<float>();
            error.Should().BeLessThanOrEqualTo(2e-6f * expected.abs().max().item<float>());
        }
    }

    [Fact]
    public void Decoders_OfTheLongestCapsule_Agree()
    {
        using var masked = new MaskedDecoder(5, 4, [1, 6, 7], hiddenSizes: [8, 9]);
        using var official = new MaskedDecoder(5, 4, [2, 3, 3], hiddenSizes: [], preset: Preset.OfficialCode);
        using var shared = new ClassIndependentDecoder(5, 4, [1, 6, 7], hiddenSizes: [8]);
        foreach (var decoder in (CapsuleDecoder[])[masked, official, shared])
        {
            Agreement.Check(decoder, decoder.call, 5, 4);
        }
    }

    [Theory]
    [InlineData(13, 10, true, 8L, 6L, 5L)]
    [InlineData(9, 9, false, 4L, 4L)]
    [InlineData(8, 5, true, 3L)]
    public void ConvolutionalDecoder_AnySize_Agrees(long height, long width, bool classIndependent, params long[] channels)
    {
        using var decoder = new ConvolutionalDecoder(5, 4, [2, height, width], channels, classIndependent);
        Agreement.Check(decoder, decoder.call, 5, 4);
    }

    [Fact]
    public void MaskLongest_IsMask()
    {
        using var scope = NewDisposeScope();
        var graph = new OnnxGraph();
        graph.Output("y", graph.MaskLongest(graph.Input("x", 6, 3)));
        using var run = new OnnxRun(graph);
        var input = randn(9, 6, 3);
        Agreement.ShouldAgree(run.Run(input)["y"], Functional.mask(input));
    }

    [Fact]
    public void OwnModuleAndOwnDecoder_TakePart()
    {
        using var own = new Doubled();
        Agreement.Check(own, 4);
        using var network = nn.Sequential(own, nn.ReLU(), own);
        Agreement.Check(network, 4);
        using var decoder = new OwnDecoder();
        var graph = new OnnxGraph();
        graph.Invoking(g => g.Apply(decoder, g.Input("x", 2, 3))).Should().Throw<NotSupportedException>()
            .WithMessage("OwnDecoder (Capsules.Onnx.Tests.CapsuleModuleTests+OwnDecoder) cannot be exported to ONNX. *");
    }

    private sealed class Doubled() : nn.Module<Tensor, Tensor>(nameof(Doubled)), IOnnxModule
    {
        public override Tensor forward(Tensor input) => input + input;

        public OnnxValue Export(OnnxGraph graph, OnnxValue input) => graph.Plus(input, input);
    }

    private sealed class OwnDecoder() : CapsuleDecoder(nameof(OwnDecoder), 2, 3, [1, 2, 3], isClassIndependent: false)
    {
        protected override Tensor Decode(Tensor features) => features;
    }
}
