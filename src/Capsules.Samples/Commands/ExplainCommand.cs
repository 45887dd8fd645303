using System.CommandLine;

namespace Capsules.Samples;

/// <summary><c>explain</c>: which primary capsules a class capsule listened to.</summary>
internal static class ExplainCommand
{
    public static Command Create()
    {
        var (digit, index) = (CommonOptions.Digit(), CommonOptions.Index());
        return InspectionCommand.Create(
            "explain", "Draw the coupling coefficients from primary capsules to class capsules for an image, and all capsule lengths.",
            (inspection, result, _) =>
            {
                var image = inspection.Find(result.GetValue(index), result.GetValue(digit));
                inspection.Write($"explain-{image}.png", ExplanationPicture.Of(inspection, image));
            },
            [digit, index]).Refusing(digit, with: index);
    }
}
