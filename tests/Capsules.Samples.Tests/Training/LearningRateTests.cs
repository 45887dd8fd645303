namespace Capsules.Samples.Tests.Training;

public class LearningRateTests
{
    [Theory]
    [InlineData(0, 1e-3)]
    [InlineData(50, 1e-3 * 0.7071067811865476)]
    [InlineData(100, 5e-4)]
    [InlineData(2000, 1e-6)]
    public void LearningRate_DecayOfAHalf_HalvesEveryEpochDownToTheFloor(long step, double expected) =>
        LearningRate.At(new TrainingOptions { Decay = 0.5 }, step, stepsPerEpoch: 100).Should().BeApproximately(expected, 1e-12);

    [Fact]
    public void LearningRate_OfficialCode_Is96PercentPer2000StepsWhateverTheEpoch() =>
        LearningRate.At(new TrainingOptions { Preset = Preset.OfficialCode }, 4000, stepsPerEpoch: 469).Should().BeApproximately(1e-3 * 0.96 * 0.96, 1e-12);

    [Fact]
    public void LearningRate_Efficient_Is97PercentPerEpochDownToItsOwnFloor()
    {
        var recipe = NetworkCatalog.Get("efficient").Recipe;
        LearningRate.At(recipe, 0, stepsPerEpoch: 3750).Should().Be(5e-4);
        LearningRate.At(recipe, 3750, stepsPerEpoch: 3750).Should().BeApproximately(5e-4 * 0.97, 1e-12);
        LearningRate.At(recipe, 100 * 3750, stepsPerEpoch: 3750).Should().Be(5e-5);
    }

    [Fact]
    public void LearningRate_Paper_IsNineTenthsPerEpoch() =>
        LearningRate.At(new TrainingOptions(), 200, stepsPerEpoch: 100).Should().BeApproximately(1e-3 * 0.81, 1e-12);

    [Theory]
    [InlineData(0, 1e-3)]
    [InlineData(99, 1e-6)]
    [InlineData(500, 1e-6)]
    public void LearningRate_Cosine_GoesFromTheFirstStepToTheFloorInTheLast(long step, double expected) =>
        LearningRate.At(Cosine, step, stepsPerEpoch: 25).Should().BeApproximately(expected, 1e-12);

    [Fact]
    public void LearningRate_Cosine_IsHalfwayInTheMiddleAndFollowsALaterEnd()
    {
        (LearningRate.At(Cosine, 49, 25) + LearningRate.At(Cosine, 50, 25)).Should().BeApproximately(1e-3 + 1e-6, 1e-12, "it is symmetric");
        LearningRate.At(Cosine with { Epochs = 8 }, 99, 25).Should().BeApproximately(5e-4, 1e-5);
    }

    [Fact]
    public void LearningRate_Constant_StaysWhatItIs() =>
        LearningRate.At(new TrainingOptions { Schedule = Schedule.Constant, LearningRate = 3e-4 }, 100_000, 10).Should().Be(3e-4);

    [Fact]
    public void LearningRate_OfficialByName_IsThatOfThePreset() =>
        LearningRate.At(new TrainingOptions { Schedule = Schedule.Official }, 777, 10)
            .Should().Be(LearningRate.At(new TrainingOptions { Preset = Preset.OfficialCode }, 777, 99));

    [Fact]
    public void TrainingOptions_Resolved_LeaveNothingOpen()
    {
        var paper = new TrainingOptions().Resolve();
        (paper.Schedule, paper.Decay, paper.WeightDecay).Should().Be((Schedule.Exponential, 0.9, 0));
        var official = new TrainingOptions { Preset = Preset.OfficialCode, Optimizer = OptimizerKind.AdamW }.Resolve();
        (official.Schedule, official.Decay, official.WeightDecay).Should().Be((Schedule.Official, null, 0.01));
        official.Resolve().Should().Be(official);
        new TrainingOptions { Select = Selection.Test }.Resolve().Validation.Should().Be(0);
    }

    private static TrainingOptions Cosine => new() { Schedule = Schedule.Cosine, Epochs = 4 };

    [Fact]
    public void LearningRate_BelowTheFloorFromTheStart_StaysWhatWasAsked() =>
        LearningRate.At(new TrainingOptions { LearningRate = 1e-8 }, 1000, 100).Should().Be(1e-8);
}
