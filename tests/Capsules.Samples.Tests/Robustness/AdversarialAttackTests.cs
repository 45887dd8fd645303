using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Robustness;

public sealed class AdversarialAttackTests : IDisposable
{
    private const double Epsilon = 0.1;

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    // Both networks' strides leave the last row and column of 28 x 28 unseen: no gradient comes from there.
    [Theory]
    [InlineData("efficient")]
    [InlineData("capsnet")]
    public void Attack_Fgsm_MovesEverySeenPixelByEpsilonAndRaisesTheObjective(string model)
    {
        using var inspection = TestRun.Inspect(_folder.Path, model: model);
        var (images, labels) = inspection.Take(0, 1, 2, 3);
        images = images.mul(0.6).add(0.2);      // so that no pixel reaches the ends of [0, 1]
        var attacked = AdversarialAttack.Attack(inspection.Network, images, labels, Epsilon, new AttackOptions());
        attacked.requires_grad.Should().BeFalse();
        var moved = attacked.sub(images).abs();
        moved.narrow(2, 0, 27).narrow(3, 0, 27).sub(Epsilon).abs().max().item<float>().Should().BeLessThan(1e-6f);
        moved.narrow(2, 27, 1).max().item<float>().Should().BeLessThan(1e-6f);
        Objective(inspection.Network, attacked, labels).Should().BeGreaterThan(Objective(inspection.Network, images, labels));
    }

    // The gradient comes through the fused routing kernel; its direction must agree with what moving along it does.
    [Fact]
    public void Attack_FgsmOnThe2017Network_FollowsTheFiniteDifference()
    {
        using var inspection = TestRun.Inspect(_folder.Path, model: "capsnet");
        var (images, labels) = inspection.Take(0);
        images = images.mul(0.6).add(0.2);
        var direction = AdversarialAttack.Attack(inspection.Network, images, labels, 1e-3, new AttackOptions()).sub(images).sign();
        var (up, down) = (Objective(inspection.Network, images.add(direction.mul(1e-3)), labels), Objective(inspection.Network, images.sub(direction.mul(1e-3)), labels));
        var input = images.detach().requires_grad_();
        AdversarialAttack.Objective(inspection.Network, input, labels, useTrainingLoss: false).backward();
        var slope = input.grad!.abs().sum().item<float>();      // the derivative along the sign of the gradient
        ((up - down) / 2e-3).Should().BeApproximately(slope, 0.02 * slope).And.BeGreaterThan(0);
    }

    [Fact]
    public void Attack_FgsmAtTheEndsOfTheRange_StaysInIt()
    {
        using var inspection = TestRun.Inspect(_folder.Path);
        var (images, labels) = inspection.Take(0, 1);
        var attacked = AdversarialAttack.Attack(inspection.Network, images, labels, Epsilon, new AttackOptions());
        attacked.min().item<float>().Should().BeGreaterThanOrEqualTo(0);
        attacked.max().item<float>().Should().BeLessThanOrEqualTo(1);
        attacked.sub(images).abs().max().item<float>().Should().BeLessThanOrEqualTo((float)Epsilon + 1e-6f);
    }

    [Fact]
    public void Attack_Pgd_StaysWithinReachIsReproducibleAndStrongerThanFgsm()
    {
        using var inspection = TestRun.Inspect(_folder.Path);
        var (images, labels) = inspection.Take(0, 1, 2, 3);
        var pgd = new AttackOptions(Steps: 8, RandomStart: true, Seed: 5);
        var attacked = AdversarialAttack.Attack(inspection.Network, images, labels, Epsilon, pgd);
        attacked.sub(images).abs().max().item<float>().Should().BeLessThanOrEqualTo((float)Epsilon + 1e-6f);
        attacked.Equals(AdversarialAttack.Attack(inspection.Network, images, labels, Epsilon, pgd)).Should().BeTrue();
        attacked.Equals(AdversarialAttack.Attack(inspection.Network, images, labels, Epsilon, pgd with { Seed = 6 })).Should().BeFalse();
        var fgsm = AdversarialAttack.Attack(inspection.Network, images, labels, Epsilon, new AttackOptions());
        Objective(inspection.Network, attacked, labels).Should().BeGreaterThan(Objective(inspection.Network, fgsm, labels));
    }

    [Fact]
    public void Objective_Scores_IsTheBestWrongOneMinusTheLabels()
    {
        using var network = new GivenScores();
        var scores = tensor([0.9f, 0.2f, 0.5f, 0.1f, 0.3f, 0.2f], [2, 3]);
        var labels = tensor([0L, 1L]);
        AdversarialAttack.Objective(network, scores, labels, useTrainingLoss: false).item<float>().Should().BeApproximately(0.5f - 0.9f + (0.2f - 0.3f), 1e-6f);
        AdversarialAttack.Objective(network, scores, labels, useTrainingLoss: true).item<float>().Should().Be(2 * 7, "the mean loss times the images");
    }

    [Fact]
    public void AttackRun_CleanAndAttacked_ComparesTheSameImages()
    {
        using var inspection = TestRun.Inspect(_folder.Path);
        using (no_grad())
        {
            var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            var done = 0;
            var results = AttackRun.Run(inspection.Network, inspection.Dataset.Test, 12, [0, 0.2], new AttackOptions(), CPU,
                count => done = count, TestContext.Current.CancellationToken);
            results.Select(result => result.Epsilon).Should().Equal(0, 0.2);
            results.Should().OnlyContain(result => result.IsRight.Length == 12 && result.Distances.Length == 12);
            done.Should().Be(24);
            results[1].Accuracy.Should().BeLessThanOrEqualTo(results[0].Accuracy);
            DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(live);
        }
    }

    [Fact]
    public void AttackRun_NetworkWithoutDecoder_HasNoDistancesAndItsPictureNoReconstructions()
    {
        using var noGradient = no_grad();
        using var with = TestRun.Inspect(_folder.Path);
        using var without = TestRun.Inspect(_folder.Path, reconstruction: 0);
        var results = AttackRun.Run(without.Network, without.Dataset.Test, 4, [0, 0.1], new AttackOptions(), CPU, cancellation: TestContext.Current.CancellationToken);
        results.Should().OnlyContain(result => result.Distances.Length == 0 && result.IsRight.Length == 4);
        (AttackPicture.Of(with, "FGSM", results, new AttackOptions()).Width - AttackPicture.Of(without, "FGSM", results, new AttackOptions()).Width)
            .Should().Be(8 * 56, "eight reconstructions of 28 pixels, twice as large");
    }

    private static double Objective(ImageNetwork network, Tensor images, Tensor labels)
    {
        using var noGradient = no_grad();
        return AdversarialAttack.Objective(network, images, labels, useTrainingLoss: false).item<float>();
    }

    // The images are the scores.
    private sealed class GivenScores() : ImageNetwork("GivenScores")
    {
        public override string LossName => "seven";

        public override Tensor forward(Tensor images) => images.alias();

        public override Tensor Scores(Tensor output) => output.alias();

        public override Tensor Probabilities(Tensor output) => output.alias();

        public override Tensor Loss(Tensor output, Tensor labels) => tensor(7f);
    }
}
