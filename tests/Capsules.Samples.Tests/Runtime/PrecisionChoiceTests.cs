using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

public class PrecisionChoiceTests
{
    [Fact]
    public void Resolve_EveryName_GivesAPrecisionAndSaysWhatItsNameDoesNot()
    {
        var output = new TestOutput();
        PrecisionChoice.Resolve("float32", CPU, output.Console).Should().Be(Precision.Float32);
        output.Text.Should().BeEmpty();
        PrecisionChoice.Resolve("bfloat16", CPU, output.Console).Should().Be(Precision.BFloat16);
        output.Text.Contains("no faster than float32", StringComparison.Ordinal).Should().Be(!MixedPrecision.IsFast(ScalarType.BFloat16));
    }

    [Fact]
    public void Apply_Cuda_RoundsProductsWithTf32Alone()
    {
        Assert.SkipUnless(cuda.is_available(), "There is no CUDA device.");
        try
        {
            using var ones = TorchSharp.torch.ones([256, 256], device: CUDA);
            using var finer = ones.mul(1 + 1.0 / 4096);      // between TF32's neighbours of 1
            Precision.Float32.Apply(CUDA);
            finer.mm(ones)[0, 0].item<float>().Should().BeApproximately(256.0625f, 1e-3f);
            Precision.Tf32.Apply(CUDA);
            finer.mm(ones)[0, 0].item<float>().Should().Be(256f);
        }
        finally
        {
            Precision.Float32.Apply(CUDA);
        }
    }

    [Fact]
    public void Resolve_Auto_IsFloat32WhereBFloat16IsNotFast()
    {
        Assert.SkipWhen(MixedPrecision.IsFast(ScalarType.BFloat16), "Here it measures, which takes a second.");
        var output = new TestOutput();
        PrecisionChoice.Resolve("auto", CPU, output.Console).Should().Be(Precision.Float32);
        output.Text.Should().Contain("precision: float32. This processor multiplies bfloat16 no faster.");
    }
}
