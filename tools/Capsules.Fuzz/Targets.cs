using Capsules.Samples;
using Capsules.Samples.Tests;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Fuzz;

/// <summary>Every reader of files that the library and the sample have.</summary>
internal static class Targets
{
    public static readonly string[] Names = ["idx", "packed", "mat", "images", "safetensors", "pt", "config", "checkpoint", "network", "events"];

    private static readonly Func<Exception, bool> OfSample = failure => failure is UserException && !failure.Message.Contains('\n');

    // As Weights.Load documents them.
    private static readonly Func<Exception, bool> OfLibrary = failure =>
        failure is InvalidDataException or NotSupportedException or IOException or UnauthorizedAccessException;

    public static FuzzTarget Get(string name) => name switch
    {
        "idx" => Datasets(name, ["mnist"], (_, bytes, random) => Mutation.Apply(bytes, random)),
        "packed" => Datasets(name, ["fashion-mnist", "emnist-digits", "cifar10", "smallnorb"], InPacked),
        "mat" => Datasets(name, ["svhn", "affnist"], InMat),
        "images" => Images(name),
        "safetensors" => Tensors(name, Safetensors(), (_, bytes, random) =>
            random.Next(3) == 0 ? Mutation.Apply(bytes, random) : Packings.InSafetensors(bytes, random)),
        "pt" => Tensors(name, PyTorch(), (_, bytes, random) => random.Next(3) == 0
            ? Mutation.Apply(bytes, random)
            : Packings.InZip(bytes, random, (entry, content, source) => Mutation.Apply(content, source))),
        "config" => Config(name),
        "checkpoint" => Checkpoints(name),
        "network" => Networks(name),
        "events" => Events(name),
        _ => throw new ArgumentException($"There is no target '{name}'. Known: {string.Join(", ", Names)}."),
    };

    private static FuzzTarget Datasets(string name, string[] datasets, Func<string, byte[], Random, byte[]> damage) => new(
        name,
        [.. datasets.SelectMany(dataset => SmallFiles.Of(dataset).Select(file => (Path.Combine(dataset, file.Key), file.Value)))],
        damage,
        path =>
        {
            using var download = new DatasetDownload();
            var folder = Path.GetDirectoryName(path)!;
            var catalog = new DatasetCatalog(new DataFolders(folder, null, null), download, _ => { });
            catalog.OpenAsync(Path.GetFileName(folder)).GetAwaiter().GetResult().Dispose();
        },
        OfSample);

    private static byte[] InPacked(string file, byte[] bytes, Random random) => random.Next(3) switch
    {
        0 => Mutation.Apply(bytes, random),
        _ when file.EndsWith(".zip", StringComparison.Ordinal) =>
            Packings.InZip(bytes, random, (_, content, source) => Packings.InGzip(content, source, (plain, noise) => Mutation.Apply(plain, noise))),
        _ => Packings.InGzip(bytes, random, (plain, noise) => Mutation.Apply(plain, noise)),
    };

    private static byte[] InMat(string file, byte[] bytes, Random random) => random.Next(3) switch
    {
        0 => Mutation.Apply(bytes, random),
        _ when file.EndsWith(".zip", StringComparison.Ordinal) => Packings.InZip(bytes, random, (_, content, source) => Packings.InMat(content, source)),
        _ when file.EndsWith(".mat", StringComparison.Ordinal) => Packings.InMat(bytes, random),
        _ => Mutation.Apply(bytes, random),
    };

    private static FuzzTarget Images(string name)
    {
        using var bitmap = new SKBitmap(24, 18);
        for (var i = 0; i < 24 * 18; i++)
        {
            bitmap.SetPixel(i % 24, i / 24, new SKColor((byte)(i * 7), (byte)(i * 3), (byte)i, (byte)(i % 5 == 0 ? 128 : 255)));
        }

        (string, byte[])[] seeds = [Encoded("a.png", SKEncodedImageFormat.Png), Encoded("a.jpg", SKEncodedImageFormat.Jpeg), Encoded("a.webp", SKEncodedImageFormat.Webp), ("a.bmp", Bmp())];
        var (plain, coloured) = (new PictureInput(new ImageShape(1, 28, 28), isOnDark: true), new PictureInput(new ImageShape(3, 32, 32), isOnDark: false));
        return new(name, seeds,
            (file, bytes, random) => file == "a.png" && random.Next(3) > 0 ? Packings.InPng(bytes, random) : Mutation.Apply(bytes, random),
            path =>
            {
                using var scope = NewDisposeScope();
                using var picture = PictureFile.Read(path);
                plain.Read(picture, path);
                coloured.Read(picture, path);
                plain.Read(picture, path, fit: true);
            },
            OfSample);

        (string, byte[]) Encoded(string file, SKEncodedImageFormat format)
        {
            using var data = bitmap.Encode(format, 80);
            return (file, data.ToArray());
        }
    }

    // Four pixels a row, 24 bits: the header of 54 bytes and 3 rows.
    private static byte[] Bmp()
    {
        int[] header = [54 + 36, 0, 54, 40, 4, 3, 24 << 16 | 1, 0, 36, 0, 0, 0, 0];
        return [(byte)'B', (byte)'M', .. header.SelectMany(BitConverter.GetBytes), .. SmallFiles.Ramp(36).Select(value => (byte)(value * 7))];
    }

    private static FuzzTarget Tensors(string name, IReadOnlyList<(string, byte[])> seeds, Func<string, byte[], Random, byte[]> damage)
    {
        var module = new CapsuleLayer(6, 4, 3, 5, bias: true);
        return new(name, seeds, damage, path => Weights.Load(module, path, strict: false), OfLibrary);
    }

    private static List<(string, byte[])> Safetensors()
    {
        using var folder = new TemporaryFolder();
        using var module = new CapsuleLayer(6, 4, 3, 5, bias: true);
        Weights.Save(module, folder.PathOf("a"), new Dictionary<string, string> { ["made by"] = "a test" });
        Capsules.Safetensors.Save(folder.PathOf("b"), new Dictionary<string, Tensor>
        {
            ["half"] = zeros([2, 3], float16), ["empty"] = zeros([0, 4]), ["scalar"] = tensor(1.5), ["flags"] = ones([5], @bool), ["whole"] = ones([3], int64),
        });
        return [("a.safetensors", File.ReadAllBytes(folder.PathOf("a"))), ("b.safetensors", File.ReadAllBytes(folder.PathOf("b")))];
    }

    private static List<(string, byte[])> PyTorch() =>
        [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Seeds"), "*.pt")
            .Where(path => !Path.GetFileName(path).StartsWith("peer", StringComparison.Ordinal) && Path.GetFileName(path) != "module.pt")      // which are refused
            .Select(path => (Path.GetFileName(path), File.ReadAllBytes(path)))];

    private static (Checkpoint Checkpoint, ImageNetwork Network, ImageDataset Dataset) Small()
    {
        var dataset = BuiltInDigits.Create(4, 2);
        var options = NetworkCatalog.Get("efficient").Recipe with { ReconstructionWeight = 0 };
        var state = new TrainingState { History = [new EpochResult(1, 0.5, 0.9, 0.8, 1e-3, 12)], BestEpoch = 1, ComputedOn = "cpu" };
        var checkpoint = new Checkpoint(options.Resolve(), DatasetFacts.Of(dataset), state);
        return (checkpoint, checkpoint.MakeNetwork(), dataset);
    }

    private static byte[] InJson(string file, byte[] bytes, Random random) => random.Next(4) == 0 ? Mutation.Apply(bytes, random) : JsonMutation.Apply(bytes, random);

    private static FuzzTarget Config(string name)
    {
        using var folder = new TemporaryFolder();
        var (checkpoint, network, dataset) = Small();
        network.Dispose();
        var run = RunFolder.Create(folder.Path, "a");
        run.WriteConfig(RunConfig.Of(checkpoint.Options, dataset, CPU));
        run.WriteResult(new RunResult(1, 2, 1, "validation", 100, 5, 4));
        return new(name,
            [(Path.Combine("run", "config.json"), File.ReadAllBytes(Path.Combine(run.FullPath, "config.json"))),
             (Path.Combine("run", "result.json"), File.ReadAllBytes(Path.Combine(run.FullPath, "result.json")))],
            InJson,
            path =>
            {
                var opened = RunFolder.Open(Path.GetDirectoryName(path)!);
                opened.ReadResult();
                var config = opened.ReadConfig();
                config.Dataset.RequireSame(dataset);
                new RunEnd().Of(config.Options).Resolve().Check(dataset);
                new Checkpoint(config.Options, config.Dataset, new TrainingState()).MakeNetwork().Dispose();
            },
            OfSample);
    }

    private static FuzzTarget Checkpoints(string name)
    {
        using var folder = new TemporaryFolder();
        var (checkpoint, network, dataset) = Small();
        using var optimizer = optim.SGD(network.parameters(), 0.1);
        checkpoint.Save(folder.PathOf("last.ckpt"), network, optimizer);
        network.Dispose();
        return new(name, [("last.ckpt", File.ReadAllBytes(folder.PathOf("last.ckpt")))],
            (_, bytes, random) => random.Next(4) == 0 ? Mutation.Apply(bytes, random) : Packings.InCheckpoint(bytes, random),
            path =>
            {
                using var scope = NewDisposeScope();
                var (loaded, made) = Checkpoint.Load(path, CPU);
                using (made)
                {
                    loaded.Dataset.RequireSame(dataset);
                    new RunEnd().Of(loaded.Options).Resolve().Check(dataset);
                }
            },
            OfSample);
    }

    private static FuzzTarget Networks(string name)
    {
        using var folder = new TemporaryFolder();
        var (checkpoint, network, _) = Small();
        NetworkFile.Save(checkpoint, network, folder.PathOf("a.safetensors"));
        network.Dispose();
        return new(name, [("a.safetensors", File.ReadAllBytes(folder.PathOf("a.safetensors")))],
            (_, bytes, random) => random.Next(4) switch
            {
                0 => Mutation.Apply(bytes, random),
                1 => Packings.InSafetensors(bytes, random),
                _ => Packings.InDescription(bytes, random),
            },
            path => NetworkFile.Load(path, CPU).Network.Dispose(),
            OfSample);
    }

    private static FuzzTarget Events(string name)
    {
        using var folder = new TemporaryFolder();
        using (var events = new RunEvents(folder.Path))
        {
            events.Open(0, 0);
            for (var step = 1; step <= 3; step++)
            {
                events.Step(step, 0.5 / step, 1e-3);
            }

            events.Epoch(new EpochResult(1, 0.5, 0.9, 0.8, 1e-3, 12), "validation");
        }

        return new(name, [(Path.Combine("run", "events.out.tfevents.0000000001.x"), File.ReadAllBytes(EventFile.Find(folder.Path)!))],
            (_, bytes, random) => random.Next(3) == 0 ? Mutation.Apply(bytes, random) : Packings.InRecords(bytes, random),
            path =>
            {
                using var events = new RunEvents(Path.GetDirectoryName(path)!);
                events.Open(2, 1);
            },
            OfSample);
    }
}
