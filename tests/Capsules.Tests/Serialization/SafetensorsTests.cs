using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using static TorchSharp.torch;

namespace Capsules.Tests.Serialization;

public sealed class SafetensorsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("capsules-").FullName;

    private string FilePath => Path.Combine(_folder, "weights.safetensors");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<ScalarType> Dtypes => new(
        ScalarType.Bool, ScalarType.Byte, ScalarType.Int8, ScalarType.Int16, ScalarType.Int32, ScalarType.Int64,
        ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float32, ScalarType.Float64, ScalarType.ComplexFloat32);

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void SaveAndLoad_EveryDtype_IsBitExact(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var tensor = zeros([3, 5, 2], dtype: dtype);
        new Random(1).NextBytes(tensor.bytes);      // any bits, also those of NaN
        if (dtype == ScalarType.Bool)
        {
            tensor = rand(3, 5, 2).gt(0.5);
        }

        Safetensors.Save(FilePath, new Dictionary<string, Tensor> { ["x"] = tensor });

        var loaded = Safetensors.Load(FilePath)["x"];

        loaded.dtype.Should().Be(dtype);
        loaded.shape.Should().Equal(tensor.shape);
        loaded.bytes.ToArray().Should().Equal(tensor.bytes.ToArray());
    }

    [Fact]
    public void SaveAndLoad_StridesScalarsAndEmpties_KeepValuesAndShapes()
    {
        using var scope = NewDisposeScope();
        var x = arange(24, dtype: float32).reshape(4, 6);
        var tensors = new Dictionary<string, Tensor>
        {
            ["transposed"] = x.t(), ["view"] = x.slice(0, 1, 3, 1).slice(1, 2, 5, 2), ["expanded"] = x[0].expand(3, 6), ["scalar"] = tensor(2.5),
            ["empty"] = zeros(0, 3), ["needs gradient"] = new TorchSharp.Modules.Parameter(x.clone()), ["naïve \"quoted\" 数"] = x,
        };
        Safetensors.Save(FilePath, tensors, new Dictionary<string, string> { ["format"] = "pt", ["é"] = "ü" });

        using var file = SafetensorsFile.Open(FilePath);

        file.Metadata.Should().BeEquivalentTo(new Dictionary<string, string> { ["format"] = "pt", ["é"] = "ü" });
        file.Entries.Select(entry => entry.Name).Should().BeEquivalentTo(tensors.Keys);
        foreach (var (name, tensor) in tensors)
        {
            var read = file.Read(name);
            read.shape.Should().Equal(tensor.shape, name);
            read.requires_grad.Should().BeFalse();
            read.ShouldBeClose(tensor, 0, name);
        }
    }

    // torch conjugates and negates by a mark: in memory lies the other value.
    [Fact]
    public void SaveAndLoad_ConjugatedOrNegatedByAMark_KeepsTheValue()
    {
        using var scope = NewDisposeScope();
        var z = tensor(new System.Numerics.Complex(1, 2)).to_type(complex64);
        Safetensors.Save(FilePath, new Dictionary<string, Tensor> { ["conjugated"] = z.conj(), ["negated"] = z.conj().imag });

        var loaded = Safetensors.Load(FilePath);

        loaded["conjugated"].imag.item<float>().Should().Be(-2);
        loaded["negated"].item<float>().Should().Be(-2);
    }

    // The format as published, byte by byte; nothing of ours takes part in the reading.
    [Fact]
    public void Save_KnownTensors_WritesThePublishedBytes()
    {
        using var scope = NewDisposeScope();
        Safetensors.Save(FilePath, new Dictionary<string, Tensor>
        {
            ["b"] = tensor([1f, -2f]), ["a"] = tensor((byte[])[7]), ["c"] = tensor(3L),
        });

        var bytes = File.ReadAllBytes(FilePath);
        var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        Encoding.UTF8.GetString(bytes, 8, length).TrimEnd(' ').Should().Be(
            """{"c":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"a":{"dtype":"U8","shape":[1],"data_offsets":[16,17]}}""");
        length.Should().Match(size => size % 8 == 0, "the data begins at a multiple of 8");
        bytes[(8 + length)..].Should().Equal(3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 7);
    }

    // Fixtures/read.py knows the published description of the format and nothing of ours.
    [Fact]
    public void Save_EveryDtype_IsReadByAnotherProgram()
    {
        using var scope = NewDisposeScope();
        var values = tensor([0.0, 1, 2, 0, 3, 1]).reshape(2, 3);
        var tensors = Dtypes.ToDictionary(row => $"{row.Data}", row => values.to_type(row.Data));
        tensors["extremes"] = tensor([float.NaN, float.PositiveInfinity, float.NegativeInfinity, -0f, float.Epsilon]);
        tensors["bfloat16"] = tensor([1 / 3f, -98304f]).to_type(bfloat16);
        tensors["float16"] = tensor([1 / 3f, 6e-8f]).to_type(float16);
        tensors["complex"] = tensor(new System.Numerics.Complex(1.5, -2)).to_type(complex64);
        tensors["int64"] = tensor([long.MinValue, long.MaxValue]);
        (tensors["scalar"], tensors["empty"], tensors["transposed é \""]) = (tensor(2.5), zeros(0, 3), values.t());
        Safetensors.Save(FilePath, tensors, new Dictionary<string, string> { ["format"] = "pt", ["é\n"] = "\"ü\\" });

        using var read = JsonDocument.Parse(Python.Run([Path.Combine(AppContext.BaseDirectory, "Serialization", "Fixtures", "read.py"), FilePath]));

        read.RootElement.GetProperty("metadata").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetString())
            .Should().BeEquivalentTo(new Dictionary<string, string> { ["format"] = "pt", ["é\n"] = "\"ü\\" });
        var found = read.RootElement.GetProperty("tensors").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value);
        found.Keys.Should().BeEquivalentTo(tensors.Keys);
        string Values(string name) => string.Join(' ', found[name].GetProperty("values").EnumerateArray());
        foreach (var row in Dtypes)
        {
            found[$"{row.Data}"].GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()).Should().Equal(2, 3);
            Values($"{row.Data}").Should().Be(row.Data switch
            {
                ScalarType.Bool => "False True True False True True",
                ScalarType.ComplexFloat32 => "0.0 0.0 1.0 0.0 2.0 0.0 0.0 0.0 3.0 0.0 1.0 0.0",
                ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64 => "0.0 1.0 2.0 0.0 3.0 1.0",
                _ => "0 1 2 0 3 1",
            }, $"{row.Data}");
        }

        Values("extremes").Should().Be("nan inf -inf -0.0 1.401298464324817e-45");
        Values("bfloat16").Should().Be("0.333984375 -98304.0");
        Values("float16").Should().Be("0.333251953125 5.960464477539063e-08");
        Values("complex").Should().Be("1.5 -2.0");
        Values("int64").Should().Be("-9223372036854775808 9223372036854775807");
        (Values("scalar"), Values("empty"), Values("transposed é \"")).Should().Be(("2.5", "", "0.0 0.0 1.0 3.0 2.0 1.0"));
    }

    [Theory]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, null)]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   """, 8, null)]
    [InlineData("""{}""", 0, null)]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "the data of 'x' would end behind the end of the file")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "1 bytes at its end belong to no tensor")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "do not go together")]
    [InlineData("""{"x":{"dtype":"F32","shape":[4611686018427387904,4,4],"data_offsets":[0,8]}}""", 8, "do not go together")]
    [InlineData("""{"x":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,9223372036854775807],"data_offsets":[0,8]}}""", 8, "do not go together")]
    [InlineData("""{"x":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904,0],"data_offsets":[0,0]}}""", 0, "do not go together")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3,0],"data_offsets":[0,0]}}""", 0, null)]
    [InlineData("""{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "no whole number")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "no whole number")]
    [InlineData("""{"x":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}""", 8, "a number was expected")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "ends before it begins")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}""", 8, "two data_offsets")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}}""", 8, "no whole number")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2]}}""", 8, "lacks dtype, shape")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "overlaps")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12, "4 bytes before the data of 'y'")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "'x' twice")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "String was expected")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}}""", 8, "a field 'more'")]
    [InlineData("""{"x":[[[[[[1]]]]]]}""", 0, "not the JSON")]
    [InlineData("""[]""", 0, "StartObject was expected")]
    [InlineData("""{"x":{}} {}""", 0, "not the JSON")]
    [InlineData("", 0, "not the JSON")]
    [InlineData(""" {"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "must begin with '{'")]
    public void Open_Header_IsTakenOrRefusedWithTheReason(string json, int dataBytes, string? problem)
    {
        Write(Encoding.UTF8.GetBytes(json), dataBytes);

        var open = () => SafetensorsFile.Open(FilePath).Dispose();

        if (problem is null)
        {
            open.Should().NotThrow();
        }
        else
        {
            open.Should().Throw<InvalidDataException>().WithMessage($"{FilePath} is not a whole safetensors file: *{problem}*Use another copy of it.");
        }
    }

    [Theory]
    [InlineData(new byte[0], "it has 0 bytes")]
    [InlineData(new byte[] { 1, 2, 3 }, "it has 3 bytes")]
    [InlineData(new byte[] { 255, 255, 255, 255, 255, 255, 255, 255 }, "its header would be")]
    [InlineData(new byte[] { 9, 0, 0, 0, 0, 0, 0, 0, 123, 125 }, "its header would be 9 bytes")]
    [InlineData(new byte[] { 2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0x28 }, "not the JSON")]
    public void Open_OtherBytes_AreRefused(byte[] bytes, string problem)
    {
        File.WriteAllBytes(FilePath, bytes);

        var open = () => SafetensorsFile.Open(FilePath);

        open.Should().Throw<InvalidDataException>().WithMessage($"*{problem}*");
    }

    // Bits flipped, bytes cut and runs doubled in a whole file: it opens and reads within its bounds, or says why not.
    [Fact]
    public void Open_TenThousandDamagedHeaders_GiveAFileOrAnInvalidDataException()
    {
        using var scope = NewDisposeScope();
        Safetensors.Save(FilePath, new Dictionary<string, Tensor> { ["a"] = ones(2, 3), ["b.weight"] = ones(4, dtype: int64), ["c"] = tensor(true) },
            new Dictionary<string, string> { ["format"] = "pt" });
        var (whole, random, opened, mostAllocated) = (File.ReadAllBytes(FilePath), new Random(1), 0, 0L);
        var header = (int)BinaryPrimitives.ReadUInt64LittleEndian(whole);
        for (var i = 0; i < 10_000; i++)
        {
            var json = Damaged(whole[8..(8 + header)], random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                var (entries, _) = SafetensorsHeader.Parse(json, whole.Length - 8 - header);
                entries.Sum(entry => entry.Bytes).Should().Be(whole.Length - 8 - header);
                opened++;
            }
            catch (InvalidDataException)
            {
            }

            mostAllocated = Math.Max(mostAllocated, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        opened.Should().BeInRange(100, 5000, "some changes only rename, most do harm");
        mostAllocated.Should().BeLessThan(100_000, "a header of some 250 bytes takes its dictionaries, an exception takes its message, and nothing takes what a number says");
    }

    // The length of the header, the shape and the offsets say terabytes; the file has less than a hundred bytes.
    [Theory]
    [InlineData(long.MaxValue, "{}")]
    [InlineData(99_999_999, "{}")]
    [InlineData(-1, """{"x":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8796093022208]}}""")]
    [InlineData(-1, """{"x":{"dtype":"U8","shape":[4611686018427387904],"data_offsets":[0,4611686018427387904]}}""")]
    public void Open_PromiseOfTerabytes_AllocatesNothingOfIt(long length, string json)
    {
        byte[] start = BitConverter.GetBytes(length < 0 ? json.Length : length);
        File.WriteAllBytes(FilePath, [.. start, .. Encoding.UTF8.GetBytes(json)]);
        var (before, memory) = (GC.GetAllocatedBytesForCurrentThread(), Environment.WorkingSet);

        FluentActions.Invoking(() => SafetensorsFile.Open(FilePath)).Should().Throw<InvalidDataException>();

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(10_000_000);
        (Environment.WorkingSet - memory).Should().BeLessThan(100_000_000);
    }

    private static byte[] Damaged(byte[] bytes, Random random)
    {
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var at = random.Next(bytes.Length);
            bytes = random.Next(4) switch
            {
                0 => [.. bytes[..at], (byte)(bytes[at] ^ (1 << random.Next(8))), .. bytes[(at + 1)..]],
                1 => [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + random.Next(8))..]],
                2 => [.. bytes[..at], .. bytes[at..Math.Min(bytes.Length, at + random.Next(1, 40))], .. bytes[at..]],
                _ => [.. bytes[..at], (byte)"0123456789{}[]\":,-e"[random.Next(19)], .. bytes[(at + 1)..]],
            };
            bytes = bytes.Length == 0 ? [0] : bytes;
        }

        return bytes;
    }

    [Fact]
    public void Read_UnknownNameOrDtype_SaysWhichThereAre()
    {
        Write("""{"x":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]}}"""u8.ToArray(), 3);
        using var file = SafetensorsFile.Open(FilePath);

        FluentActions.Invoking(() => file.Read("y")).Should().Throw<KeyNotFoundException>().WithMessage($"{FilePath} has no tensor 'y'. It has: x.");
        FluentActions.Invoking(() => file.Read("x")).Should().Throw<NotSupportedException>().WithMessage("'x' of * is of dtype F8_E4M3*");
    }

    [Fact]
    public void Read_AfterTheFileWasCut_ThrowsAndLeavesNoTensor()
    {
        using var scope = NewDisposeScope();
        Safetensors.Save(FilePath, new Dictionary<string, Tensor> { ["x"] = ones(1000) });
        using var file = SafetensorsFile.Open(FilePath);
        using (var cut = new FileStream(FilePath, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            cut.SetLength(1000);
        }

        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        FluentActions.Invoking(() => file.Read("x")).Should().Throw<InvalidDataException>().WithMessage("*has become shorter*");
        DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount.Should().Be(before);
    }

    [Fact]
    public void Save_BadTensors_AreRefusedAndTheOldFileStays()
    {
        using var scope = NewDisposeScope();
        File.WriteAllText(FilePath, "old");
        var disposed = ones(2);
        disposed.Dispose();
        foreach (var (tensors, message) in ((KeyValuePair<string, Tensor>[], string)[])
        [
            ([new("__metadata__", ones(1))], "*other than __metadata__*"),
            ([new("x", ones(1)), new("x", ones(1))], "*a name of its own*'x'*"),
            ([new("x", disposed)], "*'x' is null or disposed*"),
            ([new("x", null!)], "*'x' is null or disposed*"),
            ([new("x", ones(1, dtype: complex128))], "*'x' is of dtype ComplexFloat64*"),
        ])
        {
            FluentActions.Invoking(() => Safetensors.Save(FilePath, tensors)).Should().Throw<ArgumentException>().WithMessage(message);
        }

        File.ReadAllText(FilePath).Should().Be("old");
        Directory.GetFiles(_folder).Should().Equal(FilePath);
    }

    [Fact]
    public void Load_Repeatedly_LeavesOnlyItsResults()
    {
        using var scope = NewDisposeScope();
        Safetensors.Save(FilePath, new Dictionary<string, Tensor> { ["x"] = ones(3), ["y"] = ones(4).t() });
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        for (var i = 0; i < 5; i++)
        {
            foreach (var tensor in Safetensors.Load(FilePath).Values)
            {
                tensor.Dispose();
            }
        }

        DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount.Should().Be(before);
    }

    private void Write(byte[] json, int dataBytes)
    {
        var start = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(start, (ulong)json.Length);
        File.WriteAllBytes(FilePath, [.. start, .. json, .. new byte[dataBytes]]);
    }
}
