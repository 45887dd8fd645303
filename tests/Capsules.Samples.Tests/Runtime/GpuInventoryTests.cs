namespace Capsules.Samples.Tests;

/// <summary>What <c>info</c> can say of GPUs whatever the driver answers.</summary>
public sealed class GpuInventoryTests
{
    private const string Whole = "Stub GPU, 3.0 GiB, 84 multiprocessors, compute capability 8.6";

    [Fact]
    public void Read_DriverThatAnswers_IsListedWhole()
    {
        var inventory = GpuInventory.Read(StubDriver.With());
        inventory.Version.Should().Be(new Version(12, 8));
        inventory.Failure.Should().BeNull();
        inventory.Gpus.Select(gpu => $"{gpu}").Should().Equal(Whole, Whole);
        BackEnd.Served(inventory).Should().Be("the driver serves up to 12.8");
    }

    [Theory]
    [InlineData("cuDeviceGetAttribute 16", "Stub GPU, 3.0 GiB, compute capability 8.6; the driver does not tell: multiprocessors")]
    [InlineData("cuDeviceGetAttribute 75", "Stub GPU, 3.0 GiB, 84 multiprocessors; the driver does not tell: compute capability")]
    [InlineData("cuDeviceGetAttribute 76", "Stub GPU, 3.0 GiB, 84 multiprocessors; the driver does not tell: compute capability")]
    [InlineData("cuDeviceTotalMem_v2", "Stub GPU, 84 multiprocessors, compute capability 8.6; the driver does not tell: memory")]
    [InlineData("cuDeviceGetName", "a GPU, 3.0 GiB, 84 multiprocessors, compute capability 8.6; the driver does not tell: name")]
    public void Read_OneQuestionUnanswered_ListsTheRestAndSaysWhatIsMissing(string question, string expected)
    {
        var inventory = GpuInventory.Read(StubDriver.With(new() { [question] = 999 }));
        var text = $"{expected} ({question.Split(' ')[0]} gave error 999, a stub's error)";
        inventory.Gpus.Select(gpu => $"{gpu}").Should().Equal(text, text);
        inventory.Failure.Should().BeNull();
    }

    [Fact]
    public void Read_SeveralQuestionsUnanswered_NamesEach()
    {
        var inventory = GpuInventory.Read(StubDriver.With(new() { ["cuDeviceGetAttribute 16"] = 1 }, "cuDeviceTotalMem_v2"));
        $"{inventory.Gpus[1]}".Should().Be(
            "Stub GPU, compute capability 8.6; the driver does not tell: " +
            "memory (NVIDIA's driver is too old for cuDeviceTotalMem_v2), " +
            "multiprocessors (cuDeviceGetAttribute gave error 1, a stub's error)");
    }

    [Fact]
    public void Read_VersionUnanswered_StillListsTheGpus()
    {
        var inventory = GpuInventory.Read(StubDriver.With(new() { ["cuDriverGetVersion"] = 999 }));
        inventory.Version.Should().BeNull();
        inventory.Gpus.Should().HaveCount(2);
        BackEnd.Served(inventory).Should().Be("the driver does not tell which version it serves");
        BackEnd.WhyNoGpu(inventory).Should().NotContain("no NVIDIA driver");
    }

    [Theory]
    [InlineData("cuInit", null)]
    [InlineData("cuDeviceGetCount", "12.8")]
    public void Read_DriverThatFails_SaysWhichCallAndHow(string call, string? version)
    {
        var inventory = GpuInventory.Read(StubDriver.With(new() { [call] = 803 }));
        inventory.Gpus.Should().BeEmpty();
        inventory.Version?.ToString().Should().Be(version);
        BackEnd.WhyNoGpu(inventory).Should().Be($"NVIDIA's driver does not tell of GPUs: {call} gave error 803, a stub's error");
        BackEnd.Served(inventory).Should().EndWith($". NVIDIA's driver does not tell of GPUs: {call} gave error 803, a stub's error");
    }

    [Theory]
    [InlineData("cuInit")]
    [InlineData("cuGetErrorString")]
    [InlineData("cuDeviceGetCount")]
    public void Read_DriverWithoutAFunction_SaysThatItIsTooOld(string function) =>
        BackEnd.WhyNoGpu(GpuInventory.Read(StubDriver.With(null, function)))
            .Should().Be($"NVIDIA's driver is too old for {function}");

    [Fact]
    public void Read_NoDriver_SaysSo() => BackEnd.WhyNoGpu(GpuInventory.Read(() => throw new DllNotFoundException()))
        .Should().Be("no NVIDIA driver with a GPU on this machine");

    [Fact]
    public void Read_DriverWithoutGpu_SaysSo() => BackEnd.WhyNoGpu(GpuInventory.Read(StubDriver.With(new() { ["cuInit"] = 100 })))
        .Should().Be("no NVIDIA driver with a GPU on this machine");
}
