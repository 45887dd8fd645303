using TorchSharp;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Samples.Tests.Training;

/// <summary>Training and evaluation on images of two objects.</summary>
public sealed class PairTrainingTests : IDisposable
{
    private static readonly TrainingOptions Options = NetworkCatalog.Get("efficient").Recipe with
    {
        Dataset = MultiMnist.Name, Epochs = 2, BatchSize = 8, Validation = 4, Seed = 3, Augmentation = Augmentation.None,
    };

    private readonly TemporaryFolder _folders = new();
    private readonly ImageDataset _pairs = Pairs(44, 12);

    public void Dispose()
    {
        _pairs.Dispose();
        _folders.Dispose();
    }

    [Fact]
    public void Trainer_Pairs_TrainsTwoReconstructionsAndCountsBothRight()
    {
        using var trainer = Start(Options, "whole");
        trainer.Run(TestContext.Current.CancellationToken);

        trainer.History.Should().HaveCount(2).And.OnlyContain(row => double.IsFinite(row.Loss) && row.ValidationAccuracy != null);
        trainer.History[0].Loss.Should().NotBe(trainer.History[1].Loss);
        var test = trainer.Test(TestContext.Current.CancellationToken);
        (test.Images, test.Objects).Should().Be((12, 2));
        test.NoneRight.Should().BeLessThanOrEqualTo(test.Wrong);
    }

    [Theory]
    [InlineData("matrix")]
    [InlineData("inverted")]
    public void Options_ModelOfOneClassPerImage_RefusesPairs(string model) =>
        ((Action)(() => (Options with { Model = model }).Check(_pairs))).Should().Throw<UserException>()
            .WithMessage($"--model {model} learns one class per image, and those of * show several. Give one of capsnet, efficient, cnn, cnn-pooled.");

    // Partners and shifts are drawn by epoch and seed: what an interrupted run sees later is what it would have seen.
    [Fact]
    public void Trainer_PairsResumed_GivesTheNumbersOfAnUninterruptedRun()
    {
        using var whole = Start(Options, "whole");
        whole.Run(TestContext.Current.CancellationToken);
        var folder = RunFolder.Create(_folders.Path, "short");
        using (var one = Trainer.Start(Options with { Epochs = 1 }, _pairs, CPU, folder, new TrainingDisplay(new TestOutput().Console)))
        {
            one.Run(TestContext.Current.CancellationToken);
        }

        using var two = Trainer.Resume(folder, new RunEnd(2), _pairs, CPU, new TrainingDisplay(new TestOutput().Console));
        two.Run(TestContext.Current.CancellationToken);

        two.History.Select(row => row with { Seconds = 0, ImagesPerSecond = 0 }).Should().Equal(whole.History.Select(row => row with { Seconds = 0, ImagesPerSecond = 0 }));
    }

    [Fact]
    public void Network_TwoLabels_MakeTheMarginLossOfBothClassesAndAnImageOfEach()
    {
        using var scope = NewDisposeScope();
        using var network = new EfficientCapsNet(new ImageShape(1, 36, 36), classes: 10);
        var capsules = rand(3, 10, 16).mul(0.2);
        var labels = tensor(new long[] { 1, 2, 0, 9, 5, 4 }, [3, 2]);
        var presence = zeros(3, 10);
        (presence[0, 1], presence[0, 2], presence[1, 0], presence[1, 9], presence[2, 5], presence[2, 4]) = (1, 1, 1, 1, 1, 1);

        network.Loss(capsules, labels).item<float>().Should().BeApproximately(F.margin_loss(F.length(capsules), presence).item<float>(), 1e-6f);
        var each = network.Reconstruct(capsules, labels);
        each.shape.Should().Equal(3, 2, 1, 36, 36);
        each[.., 1].allclose(network.Reconstruct(capsules, labels[.., 1])).Should().BeTrue("the two objects share the decoder's weights");
    }

    [Fact]
    public void Baseline_TwoLabels_IsBinaryCrossEntropySummedOverClasses()
    {
        using var scope = NewDisposeScope();
        using var network = new ConvolutionalBaseline(new ImageShape(1, 8, 8), classes: 3);
        var loss = network.Loss(zeros(2, 3), tensor(new long[] { 0, 1, 2, 0 }, [2, 2]));

        loss.item<float>().Should().BeApproximately(3 * MathF.Log(2), 1e-5f);
    }

    [Fact]
    public void Options_AugmentationOfPairs_IsRefused() =>
        ((Action)(() => (Options with { Augmentation = Augmentation.Shift }).Check(_pairs))).Should().Throw<UserException>()
            .WithMessage("multimnist shifts its objects itself, and its images are not augmented. Give --augmentation none, or leave it out.");

    // A pair with a held-out digit would show it in training.
    [Fact]
    public void Trainer_HeldOutDigits_AreInNoTrainingPairAndTheOthersInNoneThatIsHeldOut()
    {
        var seen = new List<(long Digit, long[]? Pool)>();
        using var digits = BuiltInDigits.Create(44, 12);
        using var watched = new ImageDataset(MultiMnist.Name, "watched", digits.ClassNames,
            new WatchedSplit(digits.Train.Images.alias(), digits.Train.Labels.alias(), seen),
            new WatchedSplit(digits.Test.Images.alias(), digits.Test.Labels.alias(), []));
        using var trainer = Trainer.Start(
            Options, watched, CPU, RunFolder.Create(_folders.Path, "watched"), new TrainingDisplay(new TestOutput().Console));
        trainer.Run(TestContext.Current.CancellationToken);

        seen.Should().OnlyContain(made => made.Pool != null && made.Pool.Contains(made.Digit), "both digits of a pair come from one pool");
        var pools = seen.Select(made => made.Pool!).Distinct().ToList();
        pools.Should().HaveCount(2);
        pools[0].Intersect(pools[1]).Should().BeEmpty();
        pools.Select(pool => pool.Length).Should().BeEquivalentTo([4, 40]);
    }

    [Fact]
    public void Batches_Vary_GivesEachEpochOtherVariationsOfTheSameDigits()
    {
        long[] stored = [4, 0, 2];
        var (first, again, second) = (Vary(1), Vary(1), Vary(2));

        first.Should().Equal(again).And.NotEqual(second);
        first.Select(address => address % _pairs.Train.Count).Should().Equal(stored);
        using var plain = SmallDigits.Create(10, 10);
        Batches.Vary(stored, plain.Train, seed: 1, epoch: 1).Should().BeSameAs(stored);

        long[] Vary(int epoch) => Batches.Vary(stored, _pairs.Train, seed: 1, epoch);
    }

    // Notes which digit a pair is made of, and what its partner would be drawn from.
    private sealed record WatchedSplit(Tensor Images, Tensor Labels, List<(long Digit, long[]? Pool)> Seen) : MadeSplit(Images, Labels)
    {
        private long[]? _pool;

        public override long Variations => 10;

        public override int Objects => 2;

        public override ImageShape Shape => new(1, 36, 36);

        public override ImageSplit DrawnFrom(long[] stored) => this with { _pool = stored };

        protected override void Make(long address, Span<byte> target, Span<long> labels)
        {
            lock (Seen)
            {
                Seen.Add((address % Count, _pool));
            }

            (labels[0], labels[1]) = (0, 1);
        }
    }

    private static ImageDataset Pairs(int train, int test)
    {
        var digits = BuiltInDigits.Create(train, test);
        return new ImageDataset(MultiMnist.Name, "pairs", digits.ClassNames,
            new PairSplit(digits.Train.Images, digits.Train.Labels, 4, SharesShift: false, Stream: 0),
            new PairSplit(digits.Test.Images, digits.Test.Labels, 4, SharesShift: false, Stream: 2));
    }

    private Trainer Start(TrainingOptions options, string name) =>
        Trainer.Start(options, _pairs, CPU, RunFolder.Create(_folders.Path, name), new TrainingDisplay(new TestOutput().Console));
}
