using Capsules.Onnx;
using Capsules.Samples;
using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>How far a trained network of the sample and the same in ONNX Runtime agree on test images.</summary>
/// <param name="Network">Which network of what images.</param>
/// <param name="Images">How many images.</param>
/// <param name="Errors">Images that this library classifies wrongly.</param>
/// <param name="OnnxErrors">Images that ONNX Runtime classifies wrongly.</param>
/// <param name="Alike">Images to which both give one class.</param>
/// <param name="Differences">The largest difference of each output, in the order of the file; NaN where one is not finite.</param>
internal sealed record OnnxAgreement(string Network, int Images, int Errors, int OnnxErrors, int Alike, IReadOnlyList<double> Differences)
{
    public const double Tolerance = 1e-5;

    private const int BatchSize = 100;

    /// <summary>Whether every class is the same and no output differs by more than <see cref="Tolerance"/>.</summary>
    public bool Agrees => Alike == Images && Differences.All(difference => difference <= Tolerance);

    /// <summary>Runs the network of a run in both.</summary>
    /// <exception cref="UserException">There is no such run, or not the images that it was trained on.</exception>
    /// <exception cref="NotSupportedException">The network cannot be exported.</exception>
    public static async Task<OnnxAgreement> OfAsync(string run, int images, string? data, CancellationToken cancellation)
    {
        var (checkpoint, network) = Checkpoint.Load(RunFolder.BestIn(run), CPU);
        using (network)
        {
            network.eval();
            var facts = checkpoint.Dataset;
            using var dataset = await DatasetCatalog.OpenAsync(
                facts.Name, data, Console.Error.WriteLine, facts.OptionsFor(facts.Name), cancellation: cancellation);
            images = (int)Math.Min(images, dataset.Test.Count);
            var preset = checkpoint.Options.Preset == Preset.OfficialCode ? " --preset official" : "";
            var title = $"{checkpoint.Options.Model}{preset}, {facts.Name}, epoch {checkpoint.State.History.Count}";
            var file = Path.GetTempFileName();
            try
            {
                var graph = new OnnxGraph();
                network.Export(graph, graph.Input("images", facts.Image.Channels, facts.Image.Height, facts.Image.Width));
                graph.Save(file);
                using var session = new OnnxSession(file, get_num_threads());
                return Compare(title, network, session, dataset, images);
            }
            finally
            {
                File.Delete(file);
            }
        }
    }

    private static OnnxAgreement Compare(string title, ImageNetwork network, OnnxSession session, ImageDataset dataset, int images)
    {
        using var inference = inference_mode();
        var total = new OnnxAgreement(title, 0, 0, 0, 0, []);
        for (var start = 0; start < images; start += BatchSize)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(BatchSize, images - start);
            var batch = Batches.Take(dataset.Test, [.. Enumerable.Range(start, count).Select(i => (long)i)], CPU);
            if (batch.Labels.dim() != 1)
            {
                throw new UserException($"{dataset.Name} shows several objects in an image, and errors are counted of one. Check a run on another dataset.");
            }

            var theirs = session.All(batch.Images.data<float>().ToArray(), batch.Images.shape);
            Tensor[] ours = [.. Outputs(network, batch.Images)];
            var differences = ours.Zip(theirs, (mine, other) => Difference(mine, tensor(other).reshape(mine.shape))).ToList();
            var (classes, onnxClasses) = (ours[1].argmax(1), tensor(theirs[1]).reshape(ours[1].shape).argmax(1));
            total = total with
            {
                Images = total.Images + count,
                Errors = total.Errors + Count(classes.ne(batch.Labels)),
                OnnxErrors = total.OnnxErrors + Count(onnxClasses.ne(batch.Labels)),
                Alike = total.Alike + Count(classes.eq(onnxClasses)),
                Differences = total.Images == 0 ? differences : [.. total.Differences.Zip(differences, Math.Max)],
            };
        }

        return total;
    }

    // As ImageNetwork.Export orders them: what the class is read from, how probable the classes are, and what a decoder makes of it.
    private static IEnumerable<Tensor> Outputs(ImageNetwork network, Tensor images)
    {
        var output = network.call(images);
        yield return output;
        yield return network.Probabilities(output);
        if (network.HasDecoder)
        {
            yield return network.Reconstruct(output);
        }
    }

    private static double Difference(Tensor ours, Tensor theirs) => ours.sub(theirs).abs().max().item<float>();

    private static int Count(Tensor condition) => (int)condition.sum().item<long>();
}
