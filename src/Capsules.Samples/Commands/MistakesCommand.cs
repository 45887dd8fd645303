using System.CommandLine;

namespace Capsules.Samples;

/// <summary><c>mistakes</c>: the wrongly classified images in which the network believed most.</summary>
internal static class MistakesCommand
{
    public static Command Create()
    {
        var count = CommonOptions.Valid(new Option<int>("--count") { Description = "So many images.", DefaultValueFactory = _ => 12 },
            value => value is >= 1 and <= 100, "between 1 and 100");
        var images = CommonOptions.AtLeast(new Option<int?>("--images") { Description = "Look at the first so many test images. [default: all]" }, 1);
        return InspectionCommand.Create(
            "mistakes", "Draw the most confident mistakes on the test images, with all class probabilities.",
            (inspection, result, cancellation) =>
            {
                var predictions = inspection.Predict(result.GetValue(images), cancellation);
                var mistakes = predictions.Mistakes;
                inspection.Console.Say($"{mistakes.Count} of {RunReport.Count(predictions.Count)} test images are read wrong.");
                if (mistakes.Count > 0)
                {
                    inspection.Write("mistakes.png", MistakesPicture.Of(inspection, predictions, [.. mistakes.Take(result.GetValue(count))]));
                }
            },
            [count, images]);
    }
}
