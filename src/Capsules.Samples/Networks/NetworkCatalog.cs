namespace Capsules.Samples;

/// <summary>A network that <c>--model</c> names.</summary>
/// <param name="Name">Its name on the command line and in checkpoints.</param>
/// <param name="Title">Its name for readers.</param>
/// <param name="Description">What it is, in a line.</param>
/// <param name="Recipe">How it is trained where nothing else is said.</param>
/// <param name="WithoutOptions">Options of <c>train</c> that mean nothing to it.</param>
/// <param name="Sizes">What its authors report of its size on MNIST.</param>
/// <param name="Make">Assembles it with fresh weights, for options, image shape and number of classes.</param>
internal sealed record NetworkKind(
    string Name,
    string Title,
    string Description,
    TrainingOptions Recipe,
    IReadOnlyList<string> WithoutOptions,
    PublishedSizes Sizes,
    Func<TrainingOptions, ImageShape, int, ImageNetwork> Make)
{
    /// <summary>Whether it learns from images of several objects, with labels (B, K). Default: true.</summary>
    public bool TakesSeveralObjects { get; init; } = true;

    /// <summary>
    /// The published figures where results of a run compare with them: on the original MNIST, else null. The error is that of the run's
    /// own settings, by <see cref="PublishedResults"/>.
    /// </summary>
    public PublishedFigures? PublishedOn(TrainingOptions options, ImageDataset dataset)
    {
        if (!dataset.IsOriginal || dataset.Name != Mnist.Name)
        {
            return null;
        }

        var result = PublishedResults.For(options, dataset) is [var first, ..] ? first : null;
        return new PublishedFigures(Percent(result?.Error), Percent(100 - result?.Error), Sizes.Parameters, Sizes.ParametersWithDecoder);

        string Percent(double? share) =>
            share is null ? "" : FormattableString.Invariant($"{share:f2} %{(result!.IsEnsemble ? " (ensemble)" : "")}");
    }
}

/// <summary>Parameters of a network as a paper counts them, as text; empty where it does not.</summary>
internal sealed record PublishedSizes(string Parameters, string ParametersWithDecoder);

/// <summary>Figures of a paper on MNIST, as text for the closing table; empty where it has none.</summary>
internal sealed record PublishedFigures(string Error, string Accuracy, string Parameters, string ParametersWithDecoder);

/// <summary>The networks of the sample, in the order in which they are listed. To add one: its file, and an entry here.</summary>
internal static class NetworkCatalog
{
    public const string Default = CapsNetName;

    private const string CapsNetName = "capsnet", EfficientName = "efficient", MatrixName = "matrix", InvertedName = "inverted", BaselineName = "cnn", PooledName = "cnn-pooled";

    public static IReadOnlyList<NetworkKind> All { get; } =
    [
        new(CapsNetName, "CapsNet (2017)", "the network of Sabour, Frosst, Hinton 2017",
            new TrainingOptions(),
            WithoutOptions: [],
            new PublishedSizes("6.8M", "8.2M"),
            (options, image, classes) => new CapsNet(
                image, classes, options.RoutingIterations, options.Preset, withDecoder: options.ReconstructionWeight > 0, options.Precision)),
        new(EfficientName, "Efficient-CapsNet (2021)", "the network of Mazzia, Salvetti, Chiaberge 2021, 161,824 parameters and a decoder",
            new TrainingOptions
            {
                Model = EfficientName,
                BatchSize = 16,
                LearningRate = 5e-4,
                Decay = 0.97,
                LearningRateFloor = 5e-5,
                Augmentation = Augmentation.Efficient,      // and 0.0005 x squared errors, which on 28 x 28 is its 0.392 x their mean
            },
            WithoutOptions: ["--preset", "--routing-iterations", "--precision"],
            new PublishedSizes("161K", "161K and decoder"),
            (options, image, classes) => new EfficientCapsNet(image, classes, withDecoder: options.ReconstructionWeight > 0)),
        new(MatrixName, "Matrix capsules with EM routing (2018)", "the network of Hinton, Sabour, Frosst 2018 in a size for one CPU",
            new TrainingOptions
            {
                Model = MatrixName,
                BatchSize = 64,
                LearningRate = 3e-3,
                WeightDecay = 2e-7,      // where others reconstruct
                RoutingIterations = 2,
                ReconstructionWeight = 0,
            },
            WithoutOptions: ["--preset", "--reconstruction-weight", "--precision"],
            new PublishedSizes("310K", ""),
            (options, image, classes) => new MatrixCapsNet(image, classes, AtLeastOne(options, MatrixName))) { TakesSeveralObjects = false },
        new(InvertedName, "Inverted dot-product attention (2020)", "capsules as in Tsai, Srivastava, Goh, Salakhutdinov 2020 on a small backbone",
            new TrainingOptions { Model = InvertedName, RoutingIterations = 2, ReconstructionWeight = 0 },
            WithoutOptions: ["--preset", "--reconstruction-weight", "--precision"],
            new PublishedSizes("", ""),
            (options, image, classes) => new InvertedAttentionCapsNet(image, classes, AtLeastOne(options, InvertedName))) { TakesSeveralObjects = false },
        new(BaselineName, "Convolutional baseline (2017)", "the plain convolutional network that it is compared with",
            new TrainingOptions { Model = BaselineName, ReconstructionWeight = 0 },
            WithoutOptions: ["--preset", "--routing-iterations", "--reconstruction-weight", "--precision"],
            new PublishedSizes("35.4M", ""),
            (_, image, classes) => new ConvolutionalBaseline(image, classes)),
        new(PooledName, "Convolutional baseline with max-pooling", "the same with max-pooling, for images larger than MNIST's",
            new TrainingOptions { Model = PooledName, ReconstructionWeight = 0 },
            WithoutOptions: ["--preset", "--routing-iterations", "--reconstruction-weight", "--precision"],
            new PublishedSizes("", ""),
            (_, image, classes) => new ConvolutionalBaseline(image, classes, pooling: true)),
    ];

    /// <summary>Finds a network by its name.</summary>
    /// <exception cref="UserException">There is none of that name.</exception>
    public static NetworkKind Get(string name) => All.FirstOrDefault(kind => kind.Name == name) ?? throw new UserException(
        $"There is no model '{name}'.{Suggestion.Sentence(name, Names)} Known: {string.Join(", ", Names)}.");

    // Dynamic routing alone knows what no iteration means.
    private static int AtLeastOne(TrainingOptions options, string model) => options.RoutingIterations >= 1
        ? options.RoutingIterations
        : throw new UserException($"--model {model} needs at least 1 of --routing-iterations.");

    private static IEnumerable<string> Names => All.Select(kind => kind.Name);
}
