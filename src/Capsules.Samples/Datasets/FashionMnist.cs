namespace Capsules.Samples;

/// <summary>Fashion-MNIST: MNIST's format and sizes, pieces of clothing in place of digits.</summary>
/// <remarks>Xiao, Rasul, Vollgraf, 2017, https://arxiv.org/abs/1708.07747. The checksums are those of TensorFlow Datasets, of the packed
/// files.</remarks>
internal static class FashionMnist
{
    public const string Name = "fashion-mnist";

    private static readonly IdxImages Format = new(
        Name, ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]);

    public static FileSet Files { get; } = new(
        "Fashion-MNIST", Name, "31 MB",
        [
            new("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"),
            new("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
        ],
        [
            DatasetFile.Gzipped("train-images-idx3-ubyte", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            DatasetFile.Gzipped("train-labels-idx1-ubyte", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            DatasetFile.Gzipped("t10k-images-idx3-ubyte", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            DatasetFile.Gzipped("t10k-labels-idx1-ubyte", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ]);

    public static DatasetKind Kind { get; } = new(
        Name, "Fashion-MNIST", "pieces of clothing, 28 x 28, 60,000 to train on and 10,000 to test on",
        "Zalando Research, https://github.com/zalandoresearch/fashion-mnist, MIT",
        [Files], source => Format.Load(source.Folders[0], source.Notice));
}
