namespace Capsules.Samples;

/// <summary>A row of the project's table of results.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it shows.</param>
/// <param name="Train">The options of <c>train</c>, but for seeds and folders.</param>
internal sealed record ResultRow(string Name, string Description, string Train)
{
    /// <summary>The folder of its runs.</summary>
    public string FolderIn(string output) => Path.Combine(output, Name);
}

/// <summary>The rows of docs/results.md.</summary>
internal static class ResultRows
{
    // A learning rate that falls to 0 gets furthest in whatever number of epochs there is time for. The papers leave number and decay open.
    private const string Mnist = "--dataset mnist --epochs 50 --schedule cosine";

    // Sabour, Frosst, Hinton 2017, section 5.1: both networks are stopped at about the same accuracy on translated digits.
    private const string Affine = "--dataset affnist-like --epochs 20 --stop-at 0.9923";

    // There the convolutional network has about as many parameters as the capsule network. With pooling it has half as many on 40 x 40; without, five times.
    private const string Pooled = "--model cnn-pooled";

    // The same for a machine without a GPU: both stop sooner, and look five times in a pass over the images whether they may.
    private const string AffineShort = "--dataset affnist-like --images 11000 --epochs 50 --decay 0.98 --stop-at 0.975";

    public static readonly IReadOnlyList<ResultRow> All =
    [
        new("capsnet", "the 2017 network as the paper's text has it; there 0.25 %", Mnist),
        new("capsnet-no-reconstruction", "the same without the decoder; there 0.35 %", $"{Mnist} --reconstruction-weight 0"),
        new("capsnet-1-iteration", "one iteration of routing; there 0.29 %", $"{Mnist} --routing-iterations 1"),
        new("capsnet-1-iteration-no-reconstruction", "one iteration and no decoder; there 0.34 %", $"{Mnist} --routing-iterations 1 --reconstruction-weight 0"),
        new("capsnet-official", "the 2017 network as its authors' code has it", "--dataset mnist --preset official --epochs 640"),
        new("capsnet-official-short", "the same with a learning rate that ends with the run", "--dataset mnist --preset official --epochs 50 --schedule cosine"),
        new("capsnet-reconstruction", "the paper's network with 20 times the weight on reconstruction, one of the settings of its authors' code",
            $"{Mnist} --reconstruction-weight 0.01"),
        new("cnn", "the paper's convolutional baseline; there 0.39 %", $"--model cnn {Mnist}"),
        new("efficient", "Efficient-CapsNet by its authors' recipe", "--model efficient --dataset mnist --epochs 150"),
        new("efficient-short", "Efficient-CapsNet with a learning rate that ends with the run",
            "--model efficient --dataset mnist --epochs 30 --batch-size 32 --learning-rate 0.001 --schedule cosine"),
        new("multimnist", "two overlapping digits; in the paper 5.2 %", "--dataset multimnist --images 60000 --epochs 100 --schedule cosine"),
        new("affine-capsnet", "trained on translated digits, tested on affinely transformed ones; in the paper 79 % right, on affNIST", Affine),
        new("affine-cnn", "the same of a convolutional network; in the paper 66 % right", $"{Pooled} {Affine}"),
        new("affine-capsnet-short", "the same, stopped at 97.5 % of translated digits", AffineShort),
        new("affine-cnn-short", "the same of the convolutional network", $"{Pooled} {AffineShort}"),
        new("fashion-mnist", "the 2017 network on pieces of clothing", "--dataset fashion-mnist --epochs 50 --schedule cosine"),
    ];

    /// <summary>The row of that name.</summary>
    /// <exception cref="UserException">There is none.</exception>
    public static ResultRow Get(string name) => All.FirstOrDefault(row => row.Name == name)
        ?? throw new UserException(
            $"There is no row '{name}'.{Suggestion.Sentence(name, All.Select(row => row.Name))} reproduce without a row lists them.");
}
