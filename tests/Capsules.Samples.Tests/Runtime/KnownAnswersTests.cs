using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Runtime;

public sealed class KnownAnswersTests
{
    [Fact]
    public void KnownAnswers_Cpu_AreAllRight() => Check(CPU);

    [Fact]
    public void KnownAnswers_Cuda_AreAllRight()
    {
        Assert.SkipUnless(cuda.is_available(), "There is no CUDA device.");
        Check(CUDA);
    }

    private static void Check(Device device) =>
        KnownAnswers.Run(device).Should().HaveCount(6).And.AllSatisfy(answer => answer.Wrong.Should().BeNull(answer.Name));
}
