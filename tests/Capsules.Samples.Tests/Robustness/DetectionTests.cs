namespace Capsules.Samples.Tests.Robustness;

public class DetectionTests
{
    [Theory]
    [InlineData(new[] { 1f, 2f }, new[] { 3f, 4f }, 1)]
    [InlineData(new[] { 3f, 4f }, new[] { 1f, 2f }, 0)]
    [InlineData(new[] { 1f, 2f, 3f }, new[] { 1f, 2f, 3f }, 0.5)]
    [InlineData(new[] { 1f, 3f }, new[] { 2f }, 0.5)]
    [InlineData(new[] { 1f, 1f, 1f, 2f }, new[] { 1f, 2f }, (0.375 + 0.875) / 2)]
    public void Area_OfValues_IsTheShareOfPairsInOrder(float[] clean, float[] attacked, double expected) =>
        Detection.Area(clean, attacked).Should().BeApproximately(expected, 1e-12);

    [Fact]
    public void Threshold_FivePercent_IsExceededByNoMore()
    {
        var clean = Enumerable.Range(1, 100).Select(i => (float)i).ToArray();
        Detection.Threshold(clean, 0.05).Should().Be(95);
        Detection.Threshold([3f, 1f, 2f], 0.05).Should().Be(3);
    }

    [Fact]
    public void Against_CleanImages_CountsThoseThatWereReadRight()
    {
        var clean = new AttackResult(0, [true, true, true, false], [1, 2, 3, 4]);
        var attacked = new AttackResult(0.1, [false, false, true, false], [9, 2.5f, 3, 9]);
        var harm = attacked.Against(clean);
        harm.Fooled.Should().Be(2);
        harm.Area.Should().BeApproximately((4 + 2) / 8.0, 1e-12);
        harm.Detected.Should().Be(0.5, "9 is above the clean images' 4, and 2.5 is not");
        harm.Undetected.Should().Be(0.25);
        attacked.Accuracy.Should().Be(0.25);
        clean.Against(clean).Should().Be(new Harm(0, null, null, null));
        new AttackResult(0.1, [false], []).Against(new AttackResult(0, [true], [])).Should().Be(new Harm(1, null, null, null), "without a decoder nothing is known of distances");

        AttackResult.Csv("capsnet", "fgsm", new AttackOptions(), [clean, attacked]).Should().Be(
            "model,method,steps,loss,epsilon,images,accuracy,fooled,auc,detected,undetected\n" +
            "capsnet,fgsm,1,score,0,4,0.7500,0,,,\n" +
            "capsnet,fgsm,1,score,0.1,4,0.2500,2,0.7500,0.5000,0.2500\n");
    }
}
