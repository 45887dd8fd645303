namespace Capsules.Samples;

/// <summary>A test error that others report.</summary>
/// <param name="Who">Whose it is.</param>
/// <param name="Error">The error in percent, as reported or as one hundred less the reported accuracy.</param>
/// <param name="Deviation">The standard deviation over trials in percent; null where none is reported.</param>
/// <param name="Remark">How it was found, where that bears on comparing.</param>
/// <param name="Source">Where it stands.</param>
/// <param name="IsBest">Whether it is the best of several looks at it, and not where a run ended. Default: false.</param>
/// <param name="IsEnsemble">Whether it is that of several networks together. Default: false.</param>
internal sealed record PublishedResult(
    string Who, double Error, double? Deviation, string Remark, string Source, bool IsBest = false, bool IsEnsemble = false);

/// <summary>What others report for the networks of the sample.</summary>
internal static class PublishedResults
{
    private const string Paper = "Sabour, Frosst, Hinton 2017", PaperSource = "arXiv:1710.09829, table 1";
    private const string Keras = "XifengGuo/CapsNet-Keras", ByTest = "best epoch chosen by the test images";

    /// <summary>Results of the network and task of some options, the authors' own first; empty where none are known.</summary>
    /// <param name="options">The options of a run.</param>
    /// <param name="dataset">The dataset that it was trained on.</param>
    public static IReadOnlyList<PublishedResult> For(TrainingOptions options, ImageDataset dataset)
    {
        if (!dataset.IsOriginal)
        {
            return [];
        }

        var isReconstructing = options.ReconstructionWeight > 0;
        return (dataset.Name, options.Model, options.RoutingIterations, isReconstructing) switch
        {
            ("mnist", "capsnet", 3, true) =>
            [
                new(Paper, 0.25, 0.005, "3 trials", PaperSource),
                new("apache/mxnet, example/capsnet", 0.303, null, "3 trials, up to 200 epochs; " + ByTest, "README", IsBest: true),
                new(Keras, 0.34, 0.016, "3 trials, 50 epochs; " + ByTest, "README", IsBest: true),
                new("XifengGuo/CapsNet-Pytorch", 0.34, 0.029, "3 trials; " + ByTest, "README", IsBest: true),
                new("gram-ai/capsule-networks", 0.30, null, "best of 500 epochs on shifted test images", "README", IsBest: true),
                new("naturomics/CapsNet-Tensorflow", 0.36, null, "best value on 5,000 validation images, no test result", "README",
                    IsBest: true),
                new("leftthomas/CapsNet", 0.43, null, "best of 30 epochs on shifted test images", "README", IsBest: true),
                new("InnerPeace-Wu/CapsNet-tensorflow", 0.79, null, "5,000 steps", "README"),
            ],
            ("mnist", "capsnet", 3, false) =>
            [
                new(Paper, 0.35, 0.036, "3 trials", PaperSource),
                new(Keras, 0.40, 0.016, "3 trials, 50 epochs; " + ByTest, "README", IsBest: true),
                new("soskek/dynamic_routing_between_capsules", 0.40, null, ByTest, "README", IsBest: true),
            ],
            ("mnist", "capsnet", 1, true) =>
            [
                new(Paper, 0.29, 0.011, "3 trials", PaperSource),
                new(Keras, 0.36, 0.009, "3 trials, 50 epochs; " + ByTest, "README", IsBest: true),
                new("XifengGuo/CapsNet-Pytorch", 0.36, 0.016, "3 trials; " + ByTest, "README", IsBest: true),
            ],
            ("mnist", "capsnet", 1, false) =>
            [
                new(Paper, 0.34, 0.032, "3 trials", PaperSource),
                new(Keras, 0.39, 0.024, "3 trials, 50 epochs; " + ByTest, "README", IsBest: true),
            ],
            ("mnist", "cnn", _, _) => [new(Paper + ", baseline", 0.39, null, "", PaperSource)],
            ("mnist", "efficient", _, _) =>
            [
                new("Mazzia, Salvetti, Chiaberge 2021", 0.16, null, "ensemble; no single network's error is given", "arXiv:2101.12491",
                    IsEnsemble: true),
            ],
            ("mnist", "matrix", _, _) => [new("Hinton, Sabour, Frosst 2018", 0.44, null, "", "as quoted in arXiv:2101.12491")],
            ("fashion-mnist", "capsnet", 3, true) =>
                [new("naturomics/CapsNet-Tensorflow", 9.40, null, "best value during training", "README", IsBest: true)],
            _ => [],
        };
    }
}
