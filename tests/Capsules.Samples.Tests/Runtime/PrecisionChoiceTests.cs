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
    public void Resolve_Auto_IsFloat32WhereBFloat16IsNotFast()
    {
        Assert.SkipWhen(MixedPrecision.IsFast(ScalarType.BFloat16), "Here it measures, which takes a second.");
        var output = new TestOutput();
        PrecisionChoice.Resolve("auto", CPU, output.Console).Should().Be(Precision.Float32);
        output.Text.Should().Contain("precision: float32. This processor multiplies bfloat16 no faster.");
    }
}
