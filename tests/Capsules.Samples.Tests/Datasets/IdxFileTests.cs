namespace Capsules.Samples.Tests;

public sealed class IdxFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void IdxFile_PlainOrGzip_GivesDimensionsValuesAndChecksum(bool isPacked)
    {
        var content = IdxBytes.Of([2, 3], [1, 2, 3, 4, 5, 250]);

        // The name says nothing: a packed file without .gz and a plain one with it are both read.
        var path = _folder.Write(isPacked ? "packed" : "plain.gz", isPacked ? IdxBytes.Gzip(content) : content);
        var file = IdxBytes.Read(path);

        file.Dimensions.Should().Equal(2, 3);
        file.Values.Should().Equal(1, 2, 3, 4, 5, 250);
        file.Sha256.Should().Be(IdxBytes.Sha256(content));
    }

    [Fact]
    public void IdxFile_EmptyFile_SaysSo() =>
        MessageFor([]).Should().Be("* is cut short: expected were 4 bytes of an IDX header, but it ends after 0.");

    [Fact]
    public void IdxFile_WebPage_IsNoIdxFile() =>
        MessageFor("<!DOCTYPE html>"u8.ToArray()).Should().Be(
            "* is not an IDX file: it begins with 3C21444F, but expected were 0000, the type and the number of dimensions.");

    [Fact]
    public void IdxFile_FloatValues_AreRefused() =>
        MessageFor(IdxBytes.Of([1], [0, 0, 0, 0], type: 0x0D)).Should().Be(
            "* holds values of IDX type 0x0D, but expected were unsigned bytes (0x08).");

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(255)]
    public void IdxFile_ImpossibleNumberOfDimensions_IsRefused(byte dimensions) =>
        MessageFor([0, 0, 8, dimensions, .. new byte[2000]]).Should().Be(
            $"* claims to have {dimensions} dimensions, but expected were 1 to 4.");

    [Fact]
    public void IdxFile_CutWithinTheHeader_SaysSo() =>
        MessageFor(IdxBytes.Of([2, 3, 4], [])[..9]).Should().Be("* is cut short: it promises 12 bytes of dimensions, but can hold no more than 9.");

    [Fact]
    public void IdxFile_CutWithinTheValues_SaysHowMuchThereCanBe() =>
        MessageFor(IdxBytes.Of([100, 28, 28], new byte[5000])).Should().Be(
            "* is cut short: it promises 78,400 bytes of 100 x 28 x 28 values, but can hold no more than 5,016.");

    [Fact]
    public void IdxFile_PackedAfterBeingCut_SaysHowManyAreLeft() =>
        MessageFor(IdxBytes.Gzip(IdxBytes.Of([100, 28, 28], new byte[77_000]))).Should().Be(
            "* is cut short: expected were 78,400 bytes of 100 x 28 x 28 values, but it ends after 77,000.");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void IdxFile_BytesBeyondTheEnd_AreRefused(bool isPacked)
    {
        var content = IdxBytes.Of([2, 2], [1, 2, 3, 4, 5]);

        MessageFor(isPacked ? IdxBytes.Gzip(content) : content).Should().Be("* goes on after its 2 x 2 values.");
    }

    [Theory]
    [InlineData(20)]
    [InlineData(2_000)]
    [InlineData(9_900)]
    public void IdxFile_GzipCutShort_SaysHowManyAreLeft(int missing)
    {
        var noise = new byte[10_000];
        new Random(1).NextBytes(noise);

        MessageFor(IdxBytes.Gzip(IdxBytes.Of([10_000], noise))[..^missing]).Should().Match(
            "* is cut short: expected were 10,000 bytes of 10000 values, but it ends after *.");
    }

    [Fact]
    public void IdxFile_GzipOfNothing_IsCutShort() =>
        MessageFor([0x1F, 0x8B]).Should().Be("* is cut short: expected were 4 bytes of an IDX header, but it ends after 0.");

    [Fact]
    public void IdxFile_GzipWithOneBitFlipped_IsRefused()
    {
        var noise = new byte[10_000];
        new Random(1).NextBytes(noise);
        var packed = IdxBytes.Gzip(IdxBytes.Of([10_000], noise));
        packed[packed.Length / 2] ^= 4;

        MessageFor(packed).Should().Be("* cannot be unpacked: its gzip data is damaged or cut short.");
    }

    [Theory]
    [InlineData("4294967295 x 28 x 28", 4294967295L, 28L, 28L)]
    [InlineData("4294967295 x 4294967295 x 4294967295 x 4294967295", 4294967295L, 4294967295L, 4294967295L, 4294967295L)]
    [InlineData("65536 x 65536 x 65536 x 65536", 65536L, 65536L, 65536L, 65536L)] // 2^64: nothing, to a product that wraps around
    [InlineData("0 x 4294967295", 0L, 4294967295L)]
    public void IdxFile_AbsurdSizes_AreRefused(string shape, params long[] dimensions) =>
        MessageFor(IdxBytes.Of(Array.ConvertAll(dimensions, size => (uint)size), new byte[50])).Should().Match(
            $"* claims to hold * bytes of {shape} values, but at most 1,073,741,824 are expected.");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void IdxFile_SizesBeyondTheFile_AreRefusedBeforeTheyAreAllocated(bool isPacked)
    {
        var content = IdxBytes.Of([1_000_000, 32, 32], new byte[100]);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var message = MessageFor(isPacked ? IdxBytes.Gzip(content) : content);

        message.Should().StartWith("* is cut short: it promises 1,024,000,000 bytes of 1000000 x 32 x 32 values, but ");
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(10_000_000);
    }

    // The message with the path, which must begin it, replaced by a star.
    private string MessageFor(byte[] content)
    {
        var path = _folder.Write("some-file", content);
        var read = () => IdxBytes.Read(path);
        var message = read.Should().Throw<InvalidDataException>().Which.Message;
        message.Should().StartWith(path);
        return "*" + message[path.Length..];
    }
}
