namespace Capsules.Samples;

/// <summary>CIFAR-100 in its binary version, by its 100 fine classes.</summary>
/// <remarks>
/// A record begins with two labels: one of 20 coarse classes, which is left out, and one of 100 fine classes. The archive's checksum is
/// that of TensorFlow Datasets, the class names are those of the publishers' fine_label_names.txt, spaces for underscores.
/// </remarks>
internal static class Cifar100
{
    public const string Name = "cifar100";

    private static readonly PublishedFile Archive =
        new("cifar-100-binary.tar.gz", 168_513_733, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec");

    private static readonly CifarRecords Format = new(
        new FileSet(
            "CIFAR-100", Name, "169 MB", [new("https://www.cs.toronto.edu/~kriz/")],
            [new("train.bin", Archive), new("test.bin", Archive)])
        { Unpacked = "cifar-100-binary" },
        [
            "apple", "aquarium fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
            "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
            "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
            "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
            "lamp", "lawn mower", "leopard", "lion", "lizard", "lobster", "man", "maple tree", "motorcycle", "mountain",
            "mouse", "mushroom", "oak tree", "orange", "orchid", "otter", "palm tree", "pear", "pickup truck", "pine tree",
            "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket",
            "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
            "squirrel", "streetcar", "sunflower", "sweet pepper", "table", "tank", "telephone", "television", "tiger", "tractor",
            "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow tree", "wolf", "woman", "worm",
        ],
        LabelBytes: 2);

    public static DatasetKind Kind { get; } = new(
        Name, "CIFAR-100",
        "photographs of 100 kinds of things, plants and animals, 32 x 32, colour, 50,000 to train on and 10,000 to test on",
        "Krizhevsky, Nair, Hinton, https://www.cs.toronto.edu/~kriz/cifar.html, no licence stated",
        [Format.Files], source => Format.Load(Name, source.Folders[0], source.Notice));
}
