using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Spectre.Console;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary><c>predict</c>: the classes of pictures.</summary>
internal static class PredictCommand
{
    private const string StandardInput = "-";

    private sealed record Options(bool? Invert, bool Fit, bool Json);

    private sealed record Prediction(
        string Picture, string Class, float Probability, IReadOnlyDictionary<string, float> Probabilities, bool Inverted, bool Fitted);

    /// <param name="input">Opens standard input; null for the process's own.</param>
    public static Command Create(Func<Stream>? input = null)
    {
        var run = CommonOptions.Run();
        var pictures = new Argument<string[]>("pictures")
        {
            Description = "Picture files of any size (PNG, JPEG, ...), or - for one from standard input.",
            Arity = ArgumentArity.OneOrMore,
        };
        var invert = new Option<bool?>("--invert")
        {
            Description = "Invert the pictures, or with false do not. [default: where light on dark is wanted and a picture's border is light]",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var fit = new Option<bool>("--fit")
        {
            Description = "Cut out the ink, scale it and centre it by its mass, as MNIST's digits are: for drawings and photographs.",
        };
        var json = new Option<bool>("--json") { Description = "Print JSON, with the probabilities of all classes." };
        var device = CommonOptions.Device();
        var threads = CommonOptions.Threads();
        var command = new Command("predict", "Classify pictures with a trained network. Probabilities are the lengths of the class capsules.")
        {
            run, pictures, invert, fit, json, device, threads,
        };
        command.SetBackgroundAction((result, cancellation) =>
        {
            var options = new Options(result.IsGiven(invert) ? result.GetValue(invert) ?? true : null, result.GetValue(fit), result.GetValue(json));
            var place = Session.Open(result.GetValue(device)!, result.GetValue(threads));
            var (checkpoint, network) = Checkpoint.Load(RunFolder.BestIn(result.GetValue(run)!), place);
            using (network)
            {
                network.eval();
                var predictions = Predict(
                    checkpoint, network, place, result.GetValue(pictures)!, options, input ?? Console.OpenStandardInput, cancellation);
                Show(AnsiConsole.Console, predictions, options.Json);
            }

            return Task.FromResult(0);
        });
        return command;
    }

    private static List<Prediction> Predict(
        Checkpoint checkpoint, ImageNetwork network, Device device, string[] pictures, Options options, Func<Stream> input,
        CancellationToken cancellation)
    {
        if (pictures.Count(picture => picture == StandardInput) > 1)
        {
            throw new UserException("Standard input holds one picture, but - is given more than once.");
        }

        using var inference = inference_mode();      // no gradients, and no decoder runs
        var reader = PictureInput.For(checkpoint.Dataset);
        var names = checkpoint.Dataset.ClassNames;
        var predictions = new List<Prediction>();
        foreach (var chunk in pictures.Chunk(100))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var read = chunk.Select(picture => Read(reader, picture, options, input)).ToArray();
            var probabilities = network.Probabilities(network.call(cat([.. read.Select(pair => pair.Image)]).to(device))).cpu();
            for (var i = 0; i < chunk.Length; i++)
            {
                var values = probabilities[i].data<float>().ToArray();
                var best = Array.IndexOf(values, values.Max());
                predictions.Add(new Prediction(chunk[i], names[best], values[best],
                    names.Zip(values).ToDictionary(pair => pair.First, pair => pair.Second), read[i].IsInverted, options.Fit));
            }
        }

        return predictions;
    }

    private static (Tensor Image, bool IsInverted) Read(PictureInput reader, string picture, Options options, Func<Stream> input)
    {
        if (picture != StandardInput)
        {
            using var file = PictureFile.Read(picture);
            return reader.Read(file, picture, options.Invert, options.Fit);
        }

        using var stream = input();
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        using var piped = PictureFile.Decode(bytes.ToArray(), "Standard input");
        return reader.Read(piped, "Standard input", options.Invert, options.Fit);
    }

    private static void Show(IAnsiConsole console, List<Prediction> predictions, bool asJson)
    {
        if (asJson)
        {
            console.Say(JsonSerializer.Serialize(predictions, Json));
            return;
        }

        var rows = predictions.Select(Row).Prepend(["picture", "class", "probability", "next", ""]).ToArray();
        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            console.Say(string.Join("  ", row.Select((text, column) => text.PadRight(widths[column]))).TrimEnd());
        }
    }

    private static string[] Row(Prediction prediction)
    {
        var next = prediction.Probabilities.OrderByDescending(pair => pair.Value).Where(pair => pair.Key != prediction.Class).Take(2);
        return
        [
            prediction.Picture, prediction.Class, Text(prediction.Probability),
            string.Join(", ", next.Select(pair => $"{pair.Key} {Text(pair.Value)}")),
            prediction.Inverted ? "dark on light, inverted" : "",
        ];
    }

    private static string Text(float value) => value.ToString("f3", CultureInfo.InvariantCulture);

    private static readonly JsonSerializerOptions Json = new(RunJson.Options) { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
}
