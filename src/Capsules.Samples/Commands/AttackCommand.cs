using System.CommandLine;
using System.Globalization;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>attack</c>: accuracy under attack, and how well attacks show in the reconstruction.</summary>
internal static class AttackCommand
{
    private const string Fgsm = "fgsm", Pgd = "pgd", Score = "score", Training = "training";

    public static Command Create()
    {
        var method = CommonOptions.Among(new Option<string>("--method")
        {
            Description = "fgsm, one step by the sign of the gradient, or pgd, several from a random start.",
            DefaultValueFactory = _ => Fgsm,
        }, Fgsm, Pgd);
        var epsilon = Epsilons();
        var steps = CommonOptions.AtLeast(new Option<int>("--steps") { Description = "The steps of pgd.", DefaultValueFactory = _ => 10 }, 1);
        var loss = CommonOptions.Among(new Option<string>("--loss")
        {
            Description = "What the attack climbs: score, the best wrong score minus the label's, or training, the loss of training.",
            DefaultValueFactory = _ => Score,
        }, Score, Training);
        var images = CommonOptions.AtLeast(new Option<int>("--images")
        {
            Description = "Attack the first so many test images.",
            DefaultValueFactory = _ => 500,
        }, 1);
        var seed = new Option<int>("--seed") { Description = "The seed of pgd's random starts.", DefaultValueFactory = _ => 1 };
        return InspectionCommand.Create(
            "attack", "Measure accuracy on adversarial images (FGSM, PGD), and their detection by reconstruction (Frosst, Sabour, Hinton 2018).",
            (inspection, result, cancellation) =>
            {
                var isPgd = result.GetValue(method) == Pgd;
                if (!isPgd && new Option[] { steps, seed }.FirstOrDefault(result.IsGiven) is { } useless)
                {
                    throw new UserException($"{useless.Name} means nothing to --method fgsm. Leave it out, or give --method pgd.");
                }

                var options = new AttackOptions(isPgd ? result.GetValue(steps) : 1, isPgd, result.GetValue(loss) == Training, result.GetValue(seed));
                Run(inspection, result.GetValue(method)!, [0, .. result.GetValue(epsilon)!], options, result.GetValue(images), cancellation);
            },
            [method, epsilon, steps, loss, images, seed]);
    }

    private static void Run(
        Inspection inspection, string method, double[] epsilons, AttackOptions options, int count, CancellationToken cancellation)
    {
        var (network, test) = (inspection.Network, inspection.Dataset.Test);
        count = (int)Math.Min(count, test.Count);
        var results = new TrainingDisplay(inspection.Console).TrackImages("attack", count * epsilons.Length, report => AttackRun.Run(
            network, test, count, epsilons, options, inspection.Device, report, cancellation));
        Show(inspection.Console, results, network.HasDecoder);
        var model = inspection.Checkpoint.Options.Model;
        var path = inspection.PathOf($"attack-{method}.csv");
        AtomicFile.WriteText(path, AttackResult.Csv(model, method, options, results));
        inspection.Console.Say(path);
        inspection.Write($"attack-{method}.png", AttackPicture.Of(inspection, method.ToUpperInvariant(), results, options));
    }

    private static void Show(IAnsiConsole console, IReadOnlyList<AttackResult> results, bool detects)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("epsilon", "accuracy", "fooled");
        if (detects)
        {
            table.AddColumns("ROC AUC", "detected", "undetected");
        }

        foreach (var result in results)
        {
            var harm = result.Against(results[0]);
            string[] row =
            [
                result.Epsilon == 0 ? "clean" : Text(result.Epsilon, "0.###"), Percent(result.Accuracy), $"{harm.Fooled} of {result.IsRight.Length}",
            ];
            table.AddRow(detects ? [.. row, Text(harm.Area, "0.000"), Percent(harm.Detected), Percent(harm.Undetected)] : row);
        }

        console.Write(table);
        console.Say(detects
            ? $"Detected: of the fooling images, those farther from their reconstruction than " +
                $"{AttackResult.FalsePositives:p0} of the clean ones are. Undetected: of all images."
            : "This network has no decoder, so nothing is detected by reconstruction.");
    }

    private static string Text(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";

    private static string Percent(double? value) => value is { } share ? string.Create(CultureInfo.InvariantCulture, $"{100 * share:f1} %") : "-";

    private static Option<double[]> Epsilons()
    {
        var option = new Option<double[]>("--epsilon")
        {
            Description = "The most by which a pixel changes, of a range of 1; several separated by commas.",
            DefaultValueFactory = _ => [0.05, 0.1, 0.2, 0.3],
        };
        option.CustomParser = argument =>
        {
            var parts = argument.Tokens.SelectMany(token => token.Value.Split(',')).ToArray();
            var values = parts
                .Select(part => double.TryParse(part, CultureInfo.InvariantCulture, out var value) && value is > 0 and <= 1 ? value : double.NaN)
                .ToArray();
            if (values.Any(double.IsNaN))
            {
                argument.AddError($"--epsilon must be numbers above 0 and at most 1, separated by commas, but is {string.Join(',', parts)}.");
            }

            return values;
        };
        return option;
    }
}
