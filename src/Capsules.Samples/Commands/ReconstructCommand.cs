using System.CommandLine;

namespace Capsules.Samples;

/// <summary><c>reconstruct</c>: inputs beside their reconstructions.</summary>
internal static class ReconstructCommand
{
    public static Command Create()
    {
        var wrongMasks = new Option<bool>("--wrong-masks") { Description = "Reconstruct each image from the capsule of every class." };
        var index = CommonOptions.AtLeast(new Option<long?>("--index") { Description = "Show this test image alone, counted from 0." }, 0);
        var images = CommonOptions.AtLeast(new Option<int>("--images")
        {
            Description = "Look for right and wrong examples among so many test images.",
            DefaultValueFactory = _ => 2000,
        }, 1);
        var count = CommonOptions.Valid(new Option<int>("--count")
        {
            Description = "So many images that are read right and as many that are read wrong.",
            DefaultValueFactory = _ => 10,
        }, value => value is >= 1 and <= 50, "between 1 and 50");
        return InspectionCommand.Create(
            "reconstruct", "Draw test images beside their reconstructions (figure 3 of the 2017 paper; of two overlapping objects, figure 5).",
            (inspection, result, cancellation) =>
            {
                inspection.RequireDecoder();
                if (inspection.HasPairs)
                {
                    if (result.GetValue(wrongMasks))
                    {
                        throw new UserException(
                            $"--wrong-masks is for images of one object, and those of {inspection.Dataset.Name} show two. Leave it out.");
                    }

                    Pairs(inspection, result.GetValue(index), result.GetValue(images), result.GetValue(count));
                }
                else if (result.GetValue(wrongMasks))
                {
                    WrongMasks(inspection, result.GetValue(index), result.GetValue(count));
                }
                else
                {
                    var predictions = result.GetValue(index) is { } only
                        ? Only(inspection, only)
                        : Among(inspection, result.GetValue(images), result.GetValue(count), cancellation);
                    inspection.Write("reconstructions.png", ReconstructionPicture.Of(inspection, predictions.Right, predictions.Wrong));
                }
            },
            [wrongMasks, index, count, images],
            takesPairs: true)
            .Refusing(images, with: wrongMasks)
            .Refusing(images, with: index)
            .Refusing(count, with: index);
    }

    // Images of two objects: figure 5.
    private static void Pairs(Inspection inspection, long? index, int images, int count)
    {
        var (right, wrong) = (new List<long>(), new List<long>());
        var range = index is { } only ? [inspection.Find(only, null)] : Batches.InOrder(Math.Min(images, inspection.Dataset.Test.Count));
        foreach (var batch in range.Chunk(100))
        {
            using var scope = TorchSharp.torch.NewDisposeScope();
            var (pictures, labels) = inspection.Take(batch);
            var l = SeparationPicture.Pairs(labels);
            var p = SeparationPicture.Pairs(SeparationPicture.PredictedPairs(inspection.Network, inspection.Network.call(pictures)));
            for (var i = 0; i < batch.Length; i++)
            {
                (SeparationPicture.IsRight(l[i], p[i]) ? right : wrong).Add(batch[i]);
            }

            if (right.Count >= count && wrong.Count >= count)
            {
                break;
            }
        }

        inspection.Write("separation.png", SeparationPicture.Of(inspection, [.. right.Take(count)], [.. wrong.Take(count)]));
    }

    private static void WrongMasks(Inspection inspection, long? index, int count)
    {
        long[] indices = index is not null
            ? [inspection.Find(index, null)]
            : ReconstructionSheet.FirstOfEachClass(inspection.Dataset.Test.Labels.data<long>().ToArray(), count);
        inspection.Write("wrong-masks.png", WrongMaskPicture.Of(inspection, indices));
    }

    private static (long[] Right, (long, long)[] Wrong) Only(Inspection inspection, long index)
    {
        var (images, labels) = inspection.Take(inspection.Find(index, null));
        var predicted = inspection.Network.Predict(images).cpu().item<long>();
        return predicted == labels.item<long>() ? ([index], []) : ([], [(index, predicted)]);
    }

    // Right ones of every class in turn, and the first mistakes.
    private static (long[] Right, (long, long)[] Wrong) Among(Inspection inspection, int images, int count, CancellationToken cancellation)
    {
        var predictions = inspection.Predict(images, cancellation);
        var right = Enumerable.Range(0, predictions.Count).Where(predictions.IsRight).ToArray();
        var chosen = ReconstructionSheet.FirstOfEachClass([.. right.Select(image => predictions.Labels[image])], count);
        var wrong = predictions.Mistakes.Order().Take(count).Select(image => ((long)image, (long)predictions.Predicted(image)));
        return ([.. chosen.Select(place => (long)right[place])], [.. wrong]);
    }
}
