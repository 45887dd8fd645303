using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using TorchSharp;

namespace Capsules.Samples.Tests;

/// <summary>Files that once made a reader fail otherwise than with a UserException of one line, as tools/Capsules.Fuzz found them.</summary>
public sealed class FoundByFuzzingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Dataset_TarThatClaimsASizeBeyond64Bits_IsDamaged()
    {
        using var unpacked = new MemoryStream();
        using (var gzip = new GZipStream(new MemoryStream(SmallFiles.Cifar([9, 0, 3], [1, 2])), CompressionMode.Decompress))
        {
            gzip.CopyTo(unpacked);
        }

        var tar = unpacked.ToArray();
        tar.AsSpan(124, 12).Fill(0xFF);      // the first entry's size, in base 256
        _folder.Write(Path.Combine("data", "cifar-10-binary.tar.gz"), IdxBytes.Gzip(tar));
        using var download = new DatasetDownload();
        var catalog = new DatasetCatalog(new DataFolders(_folder.PathOf("data"), null, null), download, _ => { });
        var act = () => catalog.OpenAsync("cifar10").GetAwaiter().GetResult();
        act.Should().Throw<UserException>().WithMessage("*cifar-10-binary.tar.gz cannot be unpacked: *Replace it with a fresh copy*");
    }

    [Fact]
    public void Message_WithWhatADamagedFileHolds_IsOneLineWithoutControlCharacters() =>
        new UserException("lacks its field a\n\u001b[2Jb").Message.Should().Be("lacks its field a  [2Jb");

    // Which would be a square of 60,000 pixels a side with room at its sides.
    [Fact]
    public void Picture_ALineOfManyPixels_IsRefusedInWords()
    {
        using var picture = new SkiaSharp.SKBitmap(new SkiaSharp.SKImageInfo(60_000, 1, SkiaSharp.SKColorType.Rgba8888, SkiaSharp.SKAlphaType.Opaque));
        var input = new PictureInput(new ImageShape(1, 28, 28), isOnDark: true);
        Failure(() => input.Read(picture, "line.png")).Should().StartWith("line.png has 60000 x 1 pixels and is too narrow for images of 28 x 28.");
    }

    [Theory]
    [InlineData("Dataset.Name", "null", "it does not say which dataset it is of, and its classes")]
    [InlineData("Dataset.ClassNames", "null", "it does not say which dataset it is of, and its classes")]
    [InlineData("Dataset.ClassNames", "[]", "it does not say which dataset it is of, and its classes")]
    [InlineData("Dataset.ClassNames", "[null]", "it does not say which dataset it is of, and its classes")]
    [InlineData("Dataset.Image.Channels", "0", "it claims images of 0 x 28 x 28, beyond 64 x 4096 x 4096")]
    [InlineData("Dataset.Image.Height", "9223372036854775807", "it claims images of 1 x 9223372036854775807 x 28, beyond 64 x 4096 x 4096")]
    [InlineData("Dataset.CroppedFrom", "{ \"Channels\": 1, \"Height\": 27, \"Width\": 28 }", "it claims windows of 28 x 28 in images of 27 x 28")]
    [InlineData("Options.Model", "null", "its option Model has a value that no run can have")]
    [InlineData("Options.BatchSize", "0", "its option BatchSize has a value that no run can have")]
    [InlineData("Options.LearningRate", "1e400", "its option LearningRate has a value that no run can have")]
    [InlineData("Options.Augmentation", "77", "its option Augmentation has a value that no run can have")]
    public void Description_WithAValueThatNoRunHas_IsDamaged(string where, string value, string problem)
    {
        TestRun.Save(_folder.Path);
        var checkpoint = _folder.PathOf("last.ckpt");
        NetworkFile.Save(checkpoint, _folder.PathOf("a.safetensors"));
        Rewrite(checkpoint, contents => Change(contents["Checkpoint"]!, where, value));
        Failure(() => Checkpoint.Describe(checkpoint)).Should().StartWith($"{checkpoint} is not a whole checkpoint ({problem}).");

        using var run = new StreamReader(ZipFile.OpenRead(checkpoint).GetEntry("checkpoint.json")!.Open());
        var config = JsonNode.Parse(run.ReadToEnd())!["Checkpoint"]!;
        var folder = RunFolder.At(_folder.PathOf("run"));
        File.WriteAllText(Path.Combine(folder.FullPath, "config.json"), config.ToJsonString());
        Failure(() => folder.ReadConfig()).Should().EndWith($"config.json is damaged: {problem}. Start a new run.");
    }

    [Fact]
    public void Checkpoint_WeightsDamagedUnderAChecksumThatFits_IsNotWhole()
    {
        TestRun.Save(_folder.Path);
        var checkpoint = _folder.PathOf("last.ckpt");
        byte[] weights = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        Rewrite(checkpoint, contents => contents["ModelSha256"] = Convert.ToHexStringLower(SHA256.HashData(weights)), weights);
        Failure(() => Checkpoint.Load(checkpoint, torch.CPU)).Should().StartWith($"{checkpoint} is not a whole checkpoint (model.dat does not fit its description");
    }

    [Fact]
    public void Checkpoint_EntryPackedALotMoreTightly_IsRefusedBeforeItIsUnpacked()
    {
        TestRun.Save(_folder.Path);
        var checkpoint = _folder.PathOf("last.ckpt");
        using (var zip = ZipFile.Open(checkpoint, ZipArchiveMode.Update))
        {
            zip.GetEntry("checkpoint.json")!.Delete();
            using var entry = zip.CreateEntry("checkpoint.json", CompressionLevel.Optimal).Open();
            entry.Write(new byte[10_000_000]);
        }

        Failure(() => Checkpoint.Describe(checkpoint)).Should().Contain("checkpoint.json is packed");
    }

    [Fact]
    public void Events_RecordThatIsNoEvent_EndsTheFile()
    {
        var path = _folder.PathOf("events.out.tfevents.0000000001.x");
        using (var events = new RunEvents(_folder.Path))
        {
            events.Open(0, 0);
            events.Step(1, 0.5, 1e-3);
        }

        var file = EventFile.Find(_folder.Path)!;
        var whole = File.ReadAllBytes(file);
        foreach (var record in (byte[][])[[0x0A, 0xFF], [0x2A, 0x00]])      // a field that breaks off; a summary without a value
        {
            using (var stream = new FileStream(file, FileMode.Create))
            {
                stream.Write(whole);
                RecordFile.Write(stream, record);
            }

            using var events = new RunEvents(_folder.Path);
            events.Open(2, 1);
            events.StepLosses.Should().Equal(0.5);
        }
    }

    // A checksum that fits, over a length below 0.
    [Fact]
    public void Records_NegativeLength_EndsThem()
    {
        using var stream = new MemoryStream();
        RecordFile.Write(stream, [1, 2, 3]);
        var one = stream.ToArray();
        var crc = uint.MaxValue;
        var length = BitConverter.GetBytes(-1L);
        foreach (var value in length)
        {
            crc = System.Numerics.BitOperations.Crc32C(crc, value);
        }

        byte[] bad = [.. length, .. BitConverter.GetBytes(System.Numerics.BitOperations.RotateRight(~crc, 15) + 0xa282ead8), .. new byte[16]];
        RecordFile.Read(new MemoryStream([.. one, .. bad])).Should().ContainSingle();
    }

    private static string Failure(Action act) => act.Should().Throw<UserException>().Which.Message;

    private static void Rewrite(string checkpoint, Action<JsonNode> change, byte[]? model = null)
    {
        using var zip = ZipFile.Open(checkpoint, ZipArchiveMode.Update);
        JsonNode contents;
        using (var reader = new StreamReader(zip.GetEntry("checkpoint.json")!.Open()))
        {
            contents = JsonNode.Parse(reader.ReadToEnd())!;
        }

        change(contents);
        Replace("checkpoint.json", System.Text.Encoding.UTF8.GetBytes(contents.ToJsonString()));
        if (model is not null)
        {
            Replace("model.dat", model);
        }

        void Replace(string name, byte[] bytes)
        {
            zip.GetEntry(name)!.Delete();
            using var entry = zip.CreateEntry(name, CompressionLevel.NoCompression).Open();
            entry.Write(bytes);
        }
    }

    private static void Change(JsonNode node, string where, string value)
    {
        var names = where.Split('.');
        foreach (var name in names[..^1])
        {
            node = node[name]!;
        }

        node[names[^1]] = JsonNode.Parse(value);
    }
}
