using System.CommandLine;

namespace Capsules.Samples;

/// <summary><c>sweep</c>: what the dimensions of a class capsule stand for.</summary>
internal static class SweepCommand
{
    public static Command Create()
    {
        var (digit, index) = (CommonOptions.Digit(), CommonOptions.Index());
        return InspectionCommand.Create(
            "sweep", "Draw the reconstructions of an image with each dimension of its capsule moved in [-0.25, 0.25] (figure 4 of the 2017 paper).",
            (inspection, result, _) =>
            {
                inspection.RequireDecoder();
                var image = inspection.Find(result.GetValue(index), result.GetValue(digit));
                inspection.Write($"sweep-{image}.png", SweepPicture.Of(inspection, image));
            },
            [digit, index]).Refusing(digit, with: index);
    }
}
