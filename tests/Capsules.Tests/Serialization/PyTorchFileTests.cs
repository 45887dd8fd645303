using System.IO.Compression;
using System.Text;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Serialization;

/// <summary>Files that PyTorch 1.13 wrote by Fixtures/make.py.</summary>
public sealed class PyTorchFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("capsules-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "Serialization", "Fixtures", name);

    [Fact]
    public void Load_EveryDtypeAndStride_GivesPyTorchsValues()
    {
        using var scope = NewDisposeScope();
        var tensors = PyTorchFile.Load(Fixture("dtypes.pt"));
        var x = arange(24, dtype: float32).reshape(4, 6);

        tensors["transposed"].ShouldBeClose(x.t(), 0);
        tensors["view"].ShouldBeClose(x.slice(0, 1, 3, 1).slice(1, 2, 5, 1), 0);
        tensors["same storage"].ShouldBeClose(x, 0);
        tensors["scalar"].item<double>().Should().Be(2.5);
        tensors["empty"].shape.Should().Equal(0, 3);
        foreach (var (name, dtype) in ((string, ScalarType)[])
            [("int64", int64), ("int32", int32), ("int16", int16), ("int8", int8), ("uint8", uint8), ("float16", float16), ("bfloat16", bfloat16)])
        {
            tensors[name].dtype.Should().Be(dtype);
            tensors[name].to(float64).data<double>().ToArray().Should().Equal(1, 2, 3);
        }

        tensors["bool"].data<bool>().ToArray().Should().Equal(true, false, true);
        tensors["complex64"].real.item<float>().Should().Be(1);
        tensors["complex64"].imag.item<float>().Should().Be(2);
        tensors.Values.Should().OnlyContain(tensor => tensor.is_contiguous() && !tensor.requires_grad);
    }

    [Fact]
    public void Load_WeightsOfAPyTorchCapsuleNetwork_GivesItsOutputs()
    {
        using var scope = NewDisposeScope();
        var outputs = PyTorchFile.Load(Fixture("peer-outputs.pt"));
        using var conv1 = nn.Conv2d(1, 8, 5);
        using var primary = new PrimaryCapsule(8, capsuleTypes: 3, capsuleDim: 4, kernelSize: 3, stride: 2);
        using var digits = new CapsuleLayer(primary.OutputShape(8, 8).Capsules, 4, 5, 6);
        using var network = nn.Sequential(("conv1", conv1), ("primary", primary), ("digits", digits));
        static Tensor TypeMajor(IReadOnlyList<Tensor> parts) => stack(parts, 1).flatten(0, 1);      // D convolutions of T channels to T * D
        var mapping = new WeightsMapping
        {
            { "conv1.weight", "conv1.weight" },
            { "conv1.bias", "conv1.bias" },
            { "primary.weight", [.. Enumerable.Range(0, 4).Select(d => $"primary_capsules.capsules.{d}.weight")], TypeMajor },
            { "primary.bias", [.. Enumerable.Range(0, 4).Select(d => $"primary_capsules.capsules.{d}.bias")], TypeMajor },
            { "digits.weight", "digit_capsules.route_weights", weight => weight.permute(1, 0, 2, 3) },
        };

        Weights.Load(network, Fixture("peer.pt"), mapping, key: "state_dict").IsExact.Should().BeTrue();
        var capsules = digits.call(primary.call(nn.functional.relu(conv1.call(outputs["images"]))));

        (capsules - outputs["expected"]).abs().max().item<float>().Should().BeLessThan(1e-5f);
        F.length(capsules).max().item<float>().Should().BeGreaterThan(0.1f, "the agreement is not one of zeros");
    }

    [Theory]
    [InlineData("peer.pt", null, "its entry 'state_dict' is no tensor. Give one of its dictionaries, 'state_dict', as key.")]
    [InlineData("peer.pt", "model", "it has no dictionary 'model'; it has 'state_dict', 'epoch'.")]
    [InlineData("module.pt", null, "it asks for torch.nn.modules.linear.Linear, and nothing but dictionaries of tensors is read (a file is never executed). Save model.state_dict() in PyTorch.")]
    public void Load_NoDictionaryOfTensors_SaysWhatToDo(string fixture, string? key, string problem)
    {
        FluentActions.Invoking(() => PyTorchFile.Load(Fixture(fixture), key)).Should().Throw<InvalidDataException>()
            .Which.Message.Should().Be($"{Fixture(fixture)} cannot be read as PyTorch's file of a state dict: {problem}");
    }

    [Theory]
    [InlineData("cos\nsystem\nX\u0004\u0000\u0000\u0000true\u0085R.", "it asks for os.system, and nothing but dictionaries of tensors is read")]
    [InlineData("c__builtin__\neval\nX\u0001\u0000\u0000\u00001\u0085R.", "it asks for __builtin__.eval")]
    [InlineData("N)R.", "its pickle is damaged")]
    [InlineData("NK\u0001K\u0001s.", "its pickle is damaged")]
    [InlineData("NK\u0001a.", "its pickle is damaged")]
    [InlineData("}", "its pickle is cut short")]
    [InlineData(".", "its pickle is damaged")]
    [InlineData("N.", "it holds no dictionary")]
    [InlineData("I1\n.", "the opcode 0x49")]
    [InlineData("X\u00ff\u00ff\u00ff\u00ffabc.", "its pickle is cut short")]
    [InlineData("t.", "its pickle is damaged")]
    [InlineData("h\u0007.", "its pickle is damaged")]
    public void Load_OtherPickle_IsRefusedAndNotRun(string pickle, string problem)
    {
        var path = Write(zip => Put(zip, "x/data.pkl", [.. pickle.Select(character => (byte)character)]));

        FluentActions.Invoking(() => PyTorchFile.Load(path)).Should().Throw<InvalidDataException>().WithMessage($"*{problem}*");
    }

    [Theory]
    [InlineData("U1099511627776", "U0", "shows elements of its storage many times over")]
    [InlineData("U3", "U1", "reaches beyond its storage")]
    [InlineData("U2", "U1", null)]
    public void Load_SizesAndStrides_StayWithinTheStorage(string size, string stride, string? problem)
    {
        using var scope = NewDisposeScope();
        var path = WriteTensor($"{Long(size)}\u0085{Long(stride)}\u0085\u0089Nt");

        ShouldBeOfTwoOrRefused(path, problem);
    }

    [Theory]
    [InlineData("N", null)]
    [InlineData("}", null)]
    [InlineData("}X\u0004\0\0\0conj\u0088s", "conjugated or negated by a mark")]
    public void Load_Marks_AreRefused(string metadata, string? problem)
    {
        using var scope = NewDisposeScope();
        var path = WriteTensor($"K\u0002\u0085K\u0001\u0085\u0089N{metadata}t");

        ShouldBeOfTwoOrRefused(path, problem);
    }

    private static void ShouldBeOfTwoOrRefused(string path, string? problem)
    {
        var load = () => PyTorchFile.Load(path)["w"].shape;

        if (problem is null)
        {
            load().Should().Equal(2);
        }
        else
        {
            load.Should().Throw<InvalidDataException>().WithMessage($"*{problem}*");
        }
    }

    // A tensor under many names, each of which takes ten bytes of the file and a tensor of its own.
    [Theory]
    [InlineData(15, false)]
    [InlineData(16, true)]
    public void Load_OneTensorUnderManyNames_IsCopiedWithinBounds(int more, bool refused)
    {
        using var scope = NewDisposeScope();
        var path = WriteTensor("K\u0002\u0085K\u0001\u0085\u0089Nt", string.Concat(Enumerable.Range(0, more).Select(i => $"X\u0001\0\0\0{(char)('A' + i)}h\u0001s")));

        var load = () => PyTorchFile.Load(path);

        if (refused)
        {
            load.Should().Throw<InvalidDataException>().WithMessage("*show what it stores more than 16 times over.");
            return;
        }

        var tensors = load();
        tensors.Should().HaveCount(1 + more);
        tensors["A"].fill_(1);
        tensors["w"].sum().item<float>().Should().Be(0, "each is a tensor of its own");
    }

    // Each byte of the pickle changed in turn, and each cut: refused or read, never another exception and never beyond a storage.
    [Fact]
    public void Load_DamagedPickles_GiveTensorsOrAnInvalidDataException()
    {
        using var scope = NewDisposeScope();
        using var source = ZipFile.OpenRead(Fixture("dtypes.pt"));
        var files = source.Entries.ToDictionary(entry => entry.FullName, entry =>
        {
            using var stream = entry.Open();
            var bytes = new byte[entry.Length];
            stream.ReadExactly(bytes);
            return bytes;
        });
        var name = files.Keys.Single(key => key.EndsWith("data.pkl", StringComparison.Ordinal));
        var (random, read) = (new Random(3), 0);
        for (var i = 0; i < 500; i++)
        {
            using var each = NewDisposeScope();
            var pickle = (byte[])files[name].Clone();
            pickle[random.Next(pickle.Length)] = (byte)random.Next(256);
            var path = Write(zip =>
            {
                foreach (var (file, bytes) in files)
                {
                    Put(zip, file, file == name ? pickle : bytes);
                }
            });
            try
            {
                PyTorchFile.Load(path);
                read++;
            }
            catch (Exception failure) when (failure is InvalidDataException or NotSupportedException)
            {
            }
        }

        read.Should().BeInRange(20, 480);
    }

    [Fact]
    public void Load_NoPyTorchFile_SaysSo()
    {
        var path = Write(zip => Put(zip, "readme.txt", [1]));
        FluentActions.Invoking(() => PyTorchFile.Load(path)).Should().Throw<InvalidDataException>().WithMessage("*it has no data.pkl*");

        File.WriteAllBytes(path, [0x80, 2, 0x8a, 10]);      // PyTorch before 1.6
        FluentActions.Invoking(() => PyTorchFile.Load(path)).Should().Throw<InvalidDataException>()
            .Which.Message.Should().StartWith($"{path} cannot be read").And.EndWith(".").And.NotEndWith("..");
    }

    private static string Long(string number) => "\u008a\u0008" +
        Encoding.Latin1.GetString(BitConverter.GetBytes(long.Parse(number[1..], System.Globalization.CultureInfo.InvariantCulture)));

    // A file whose "w" shows two floats; what is given are the arguments from the size on, and more entries, which find the tensor at 1 of the memo.
    private string WriteTensor(string arguments, string more = "") => Write(zip =>
    {
        Put(zip, "x/data/0", new byte[8]);
        Put(zip, "x/data.pkl", Encoding.Latin1.GetBytes(
            "}X\u0001\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\u00000X\u0003\0\0\0cpuK\u0002tQK\0" +
            $"{arguments}Rq\u0001s{more}."));
    });

    private string Write(Action<ZipArchive> write)
    {
        var path = Path.Combine(_folder, "file.pt");
        File.Delete(path);
        using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
        write(zip);
        return path;
    }

    private static void Put(ZipArchive zip, string name, byte[] bytes)
    {
        using var entry = zip.CreateEntry(name, CompressionLevel.NoCompression).Open();
        entry.Write(bytes);
    }
}
