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

    [Fact]
    public void LearningRate_BelowTheFloorFromTheStart_StaysWhatWasAsked() =>
        LearningRate.At(new TrainingOptions { LearningRate = 1e-8 }, 1000, 100).Should().Be(1e-8);
}
