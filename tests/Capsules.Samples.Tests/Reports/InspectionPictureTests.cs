using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Reports;

public sealed class InspectionPictureTests : PictureTests
{
    [Fact]
    public void Sweep_Offsets_AreThoseOfThePaper()
    {
        SweepPicture.Offsets.Should().HaveCount(11).And.BeInAscendingOrder().And.HaveElementAt(0, -0.25f).And.HaveElementAt(5, 0f).And.HaveElementAt(10, 0.25f);
        SweepPicture.Offsets[6].Should().Be(0.05f);
    }

    [Fact]
    public void Sweep_OneImage_MovesOneEntryAtATime()
    {
        using var inspection = TestRun.Inspect(Folder);
        var (image, _) = inspection.Take(3);
        var capsules = inspection.Network.call(image);
        var sweep = SweepPicture.Sweep(inspection.Network, capsules, label: 4);
        sweep.shape.Should().Equal(16, 11, 1, 28, 28);

        var label = tensor([4L]);
        var plain = inspection.Network.Reconstruct(capsules, label);
        sweep[TensorIndex.Colon, 5].sub(plain).abs().max().item<float>().Should().BeLessThan(1e-6f, "the middle column is the plain reconstruction");
        var moved = capsules.clone();
        moved[0, 4, 2] = moved[0, 4, 2].add(0.25f);
        sweep[2, 10].sub(inspection.Network.Reconstruct(moved, label)[0]).abs().max().item<float>().Should().BeLessThan(1e-6f);
        sweep[2, 10].sub(plain[0]).abs().max().item<float>().Should().BeGreaterThan(1e-4f, "moving an entry changes the picture");
    }

    [Fact]
    public void WrongMasks_EveryClass_ReconstructsFromItsCapsule()
    {
        using var inspection = TestRun.Inspect(Folder);
        var (images, _) = inspection.Take(0, 1);
        var capsules = inspection.Network.call(images);
        var all = WrongMaskPicture.UnderEveryMask(inspection.Network, capsules, 10);
        all.shape.Should().Equal(2, 10, 1, 28, 28);
        all[1, 7].sub(inspection.Network.Reconstruct(capsules, tensor([0L, 7L]))[1]).abs().max().item<float>().Should().BeLessThan(1e-6f);
        all[1, 7].sub(all[1, 3]).abs().max().item<float>().Should().BeGreaterThan(1e-4f);
    }

    [Theory]
    [InlineData("capsnet", 32, 6)]
    [InlineData("efficient", 16, 1)]
    public void Route_Images_GivesTheCapsulesOfForwardAndCouplingOnTheGrid(string model, long types, long grid)
    {
        using var inspection = TestRun.Inspect(Folder, model: model);
        var (images, _) = inspection.Take(0, 1);
        var view = inspection.Capsules.Route(images);
        view.Result.Capsules.sub(inspection.Network.call(images)).abs().max().item<float>().Should().BeLessThan(1e-5f);
        view.Coupling.shape.Should().Equal(2, types, grid, grid, 10);
        view.GridLengths.shape.Should().Equal(2, types, grid, grid);
        view.Coupling.sum(-1).sub(1).abs().max().item<float>().Should().BeLessThan(1e-4f, "an input capsule is shared among the classes");
        ExplanationPicture.Of(inspection, 0).Height.Should().BeGreaterThan(300);
    }

    [Fact]
    public void Predictions_OfImages_AreThoseOfTheNetworkAndRankMistakes()
    {
        using var inspection = TestRun.Inspect(Folder, test: 120);
        var predictions = inspection.Predict(count: 110, TestContext.Current.CancellationToken);
        predictions.Count.Should().Be(110);
        var (images, labels) = inspection.Take(105);
        predictions.Predicted(105).Should().Be((int)inspection.Network.Predict(images).item<long>());
        predictions.IsRight(105).Should().Be(predictions.Predicted(105) == labels.item<long>());
        predictions.Mistakes.Should().NotBeEmpty().And.OnlyContain(image => !predictions.IsRight(image));
        predictions.Mistakes.Select(image => predictions.Probabilities[image].Max()).Should().BeInDescendingOrder();
        MistakesPicture.Of(inspection, predictions, [.. predictions.Mistakes.Take(5)]).Width.Should().BeGreaterThan(4 * 200);
    }

    [Fact]
    public void ReconstructionPicture_RightAndWrong_HasBothParts()
    {
        using var inspection = TestRun.Inspect(Folder);
        var right = ReconstructionPicture.Of(inspection, [0, 1, 2], []);
        var both = ReconstructionPicture.Of(inspection, [0, 1, 2], [(3, 0), (4, 1)]);
        both.Height.Should().BeGreaterThan(right.Height + 3 * 84);
    }

    [Fact]
    public void Find_ClassOrIndexThatIsNotThere_SaysWhatThereIs()
    {
        using var inspection = TestRun.Inspect(Folder);
        inspection.Find(4, "9").Should().Be(4, "an index goes before a class");
        inspection.Dataset.Test.Labels[inspection.Find(null, "7")].item<long>().Should().Be(7);
        ((Action)(() => inspection.Find(20, null))).Should().Throw<UserException>().WithMessage("There is no test image 20: builtin has 20, counted from 0. Give a smaller --index.");
        ((Action)(() => inspection.Find(null, "seven"))).Should().Throw<UserException>().WithMessage("builtin has no class 'seven'.*Known: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.");
    }

    [Fact]
    public void Inspection_ConvolutionalBaseline_HasNeitherCapsulesNorDecoder()
    {
        using var inspection = TestRun.Inspect(Folder, model: "cnn");
        ((Action)(() => _ = inspection.Capsules)).Should().Throw<UserException>().WithMessage("Convolutional baseline (2017) has no class capsules whose lengths and couplings could be drawn. Give a run of --model capsnet.");
        ((Action)inspection.RequireDecoder).Should().Throw<UserException>().WithMessage("The run's network has no decoder*");
        inspection.Network.Probabilities(tensor([0f, MathF.Log(3)], [1, 2])).data<float>().ToArray()
            .Should().SatisfyRespectively(first => first.Should().BeApproximately(0.25f, 1e-6f), second => second.Should().BeApproximately(0.75f, 1e-6f));
    }
}
