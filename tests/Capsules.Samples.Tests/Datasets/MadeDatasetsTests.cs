using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

/// <summary>Datasets whose images are made from stored digits when asked for.</summary>
public sealed class MadeDatasetsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("multimnist", 60_000)]
    [InlineData("multimnist-code", 10_000)]
    public void MultiMnist_Addresses_ReachEveryPairWithoutStoringThem(string name, int digits)
    {
        using var split = Blank(name, digits);

        split.Count.Should().Be(digits);
        (split.Count * split.Variations).Should().Be(1000L * digits);
        using var scope = NewDisposeScope();
        var last = split.Take([split.Count * split.Variations - 1]);
        last.Images.shape.Should().Equal(1, 1, 36, 36);
        last.Labels.shape.Should().Equal(1, 2);
        last.Parts!.shape.Should().Equal(1, 2, 1, 36, 36);
        ((Action)(() => split.Take([split.Count * split.Variations]))).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Theory]
    [InlineData("multimnist", 4)]
    [InlineData("multimnist-code", 6)]
    public void MultiMnist_Pairs_AreTwoShiftedDigitsOfDifferentClassesUnderOneLight(string name, int maxShift)
    {
        using var split = Pairs(name);
        using var scope = NewDisposeScope();
        long[] addresses = [.. Enumerable.Range(0, 200).Select(i => 7L * i)];
        var (images, labels, parts) = split.Take(addresses);

        var classes = labels.data<long>().ToArray().Chunk(2).ToArray();
        classes.Should().OnlyContain(pair => pair[0] != pair[1]);
        var sum = parts!.to(ScalarType.Int32).sum(dim: 1).clamp_max(255).to(ScalarType.Byte);
        sum.Equals(images).Should().BeTrue();
        var shifts = new HashSet<(int, int)>();
        for (var i = 0; i < addresses.Length; i++)
        {
            var digit = addresses[i] % split.Count;
            classes[i][0].Should().Be(split.Labels[digit].item<long>());
            shifts.Add(ShiftOf(parts[i, 0, 0], split.Images[digit, 0], maxShift));
        }

        shifts.Select(shift => shift.Item1).Should().Contain(maxShift).And.Contain(-maxShift);
        shifts.Should().HaveCountGreaterThan(20);
    }

    [Fact]
    public void MultiMnist_SameAddress_GivesTheSamePairWhateverIsAskedWithIt()
    {
        using var split = Pairs("multimnist");
        using var scope = NewDisposeScope();

        var (alone, among) = (split.Take([123]), split.Take([5, 123, 400]));

        alone.Images[0].Equals(among.Images[1]).Should().BeTrue();
        alone.Labels[0].Equals(among.Labels[1]).Should().BeTrue();
        split.Take([5]).Images.Equals(alone.Images).Should().BeFalse();
    }

    // 1000 pairs of a digit: in the code's variant the digit itself stands still and its partners move.
    [Theory]
    [InlineData("multimnist", false)]
    [InlineData("multimnist-code", true)]
    public void MultiMnist_VariationsOfADigit_ShareItsShiftInTheCodeAlone(string name, bool isShared)
    {
        using var split = Pairs(name);
        using var scope = NewDisposeScope();
        var parts = split.Take([3, 3 + split.Count, 3 + 2 * split.Count, 3 + 3 * split.Count]).Parts!;

        Enumerable.Range(1, 3).All(i => parts[i, 0].Equals(parts[0, 0])).Should().Be(isShared);
        Enumerable.Range(1, 3).All(i => parts[i, 1].Equals(parts[0, 1])).Should().BeFalse();
    }

    // Computed by another program from the same formulas: partners must be the same on every machine and in every release.
    [Theory]
    [InlineData("multimnist", 8, 9, 8, 9, 2, 7, 0, 3)]
    [InlineData("multimnist-code", 2, 2, 6, 5, 1, 1, 6, 2)]
    public void MultiMnist_Partners_AreTheSameEverywhere(string name, params int[] partners)
    {
        using var split = Blank(name, 5000);
        using var scope = NewDisposeScope();

        split.Take([0, 1, 2, 3, 4999, 5000, 4_999_999, 1_234_567]).Labels[.., 1].contiguous().data<long>().ToArray()
            .Should().Equal(partners.Select(partner => (long)partner));
    }

    // Computed for uniform shifts: the mean overlap of a side is 85.2 and 78.5 %, and that squared for the area.
    [Theory]
    [InlineData("multimnist", 0.852, 0.726)]
    [InlineData("multimnist-code", 0.785, 0.616)]
    public void MultiMnist_Overlap_IsAsComputed(string name, double side, double area)
    {
        using var split = Blank(name, 5000);

        var measured = split.Overlap(5000);

        measured.Side.Should().BeApproximately(side, 0.005);
        measured.Area.Should().BeApproximately(area, 0.005);
    }

    [Fact]
    public void MultiMnist_DrawnFromSome_HasPartnersFromThoseAlone()
    {
        using var split = Pairs("multimnist", 40);
        long[] some = [0, 1, 2, 3, 4];
        var allowed = some.Select(i => split.Labels[i].item<long>()).ToHashSet();
        using var scope = NewDisposeScope();

        var labels = split.DrawnFrom(some).Take([.. Enumerable.Range(0, 50).Select(i => some[i % 5] + split.Count * i)]).Labels;

        labels.data<long>().ToArray().Should().OnlyContain(label => allowed.Contains(label));
        ((Action)(() => split.DrawnFrom([0]))).Should().Throw<UserException>().WithMessage("Pairs need digits of two classes*");
    }

    [Fact]
    public async Task MultiMnist_Opened_IsMadeFromMnistAndSaysItsOverlap()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var notices = new List<string>();

        using var dataset = await Open("multimnist", notices);

        (dataset.Shape, dataset.Classes).Should().Be((new ImageShape(1, 36, 36), 10));
        (dataset.Train.Count, dataset.Test.Count, dataset.Train.Objects).Should().Be((3, 2, 2));
        notices[^1].Should().MatchRegex(@"^multimnist: the digits' boxes of 20 x 20 pixels overlap by [78]\d\.\d % of a side and [67]\d\.\d % of their area");
        using var code = await Open("multimnist-code", notices);
        code.Fingerprint.Should().NotBe(dataset.Fingerprint, "a run must not go on with the other variant");
    }

    [Fact]
    public async Task MultiMnist_DigitsOfOneClass_AreRefused()
    {
        IdxBytes.WriteTinyMnist(_folder);
        _folder.Write("t10k-labels-idx1-ubyte", IdxBytes.Labels(4, 4));

        (await ((Func<Task>)(() => Open("multimnist", []))).Should().ThrowAsync<UserException>()).Which.Message
            .Should().StartWith("Pairs need digits of two classes, but the 2 that they would be drawn from are of one.");
    }

    [Theory]
    [InlineData("multimnist", "t10k-labels-idx1-ubyte", "Pairs need digits of two classes*")]
    [InlineData("affnist", "test.mat.zip", "*test.mat.zip*")]
    public async Task MadeDataset_RestOfItFails_KeepsNoTensor(string name, string file, string problem)
    {
        SmallFiles.Write(_folder, "affnist", within: "");
        _folder.Write(file, name == "multimnist" ? IdxBytes.Labels(4, 4) : [1, 2, 3]);
        var live = Live();

        await ((Func<Task>)(() => Open(name, []))).Should().ThrowAsync<UserException>().WithMessage(problem);

        Live().Should().Be(live);

        static long Live() => DisposeScopeManager.Statistics.ThreadTotalLiveCount;
    }

    [Fact]
    public void Translated_Variations_AreThe169PlacesWithTheMiddleFirst()
    {
        using var digits = BuiltInDigits.Create(4, 4);
        using var split = new TranslatedSplit(digits.Train.Images, digits.Train.Labels);
        using var scope = NewDisposeScope();
        var all = split.Take([.. Enumerable.Range(0, 169).Select(v => 1 + 4L * v)]);

        split.Variations.Should().Be(169);
        all.Images.shape.Should().Equal(169, 1, 40, 40);
        all.Labels.data<long>().ToArray().Should().OnlyContain(label => label == digits.Train.Labels[1].item<long>());
        all.Images[0, 0, 6..34, 6..34].Equals(digits.Train.Images[1, 0]).Should().BeTrue();
        Enumerable.Range(0, 169).Select(v => ShiftOf(all.Images[v, 0], digits.Train.Images[1, 0], 6)).Distinct().Should().HaveCount(169);
    }

    [Fact]
    public void Affine_Images_KeepAllInkInSightAndTheDigitsClass()
    {
        using var digits = BuiltInDigits.Create(4, 30);
        using var split = new AffineSplit(digits.Test.Images, digits.Test.Labels);
        using var scope = NewDisposeScope();
        long[] addresses = [.. Enumerable.Range(0, 300).Select(i => (long)i)];
        var (images, labels) = split.Take(addresses);

        images.shape.Should().Equal(300, 1, 40, 40);
        labels.data<long>().ToArray()[30..60].Should().Equal(digits.Test.Labels.data<long>().ToArray());
        var ink = images.to(ScalarType.Float64).sum(1L, 2L, 3L).div(digits.Test.Images.to(ScalarType.Float64).sum(1L, 2L, 3L).repeat(10)).data<double>().ToArray();
        // Ink grows with the two scales, each of 0.8 to 1.2.
        ink.Min().Should().BeGreaterThan(0.6);
        ink.Max().Should().BeLessThan(1.48);
        ink.Average().Should().BeApproximately(1, 0.05);
        images[0].Equals(images[30]).Should().BeFalse("variations differ");
        split.Take([77]).Images[0].Equals(images[77]).Should().BeTrue();
    }

    [Fact]
    public async Task AffNist_ItsOwnFile_IsTheTestSet()
    {
        SmallFiles.Write(_folder, "affnist", within: "");

        using (var dataset = await Open("affnist", []))
        {
            (dataset.Train.Shape, dataset.Test.Shape).Should().Be((new ImageShape(1, 40, 40), new ImageShape(1, 40, 40)));
            dataset.Test.Labels.data<long>().Should().Equal(8, 3);
            dataset.Test.Images[1, 0, 2, 5].item<byte>().Should().Be((byte)(7 + 2 * 40 + 5), "a column of the file is an image, row by row");
        }
    }

    [Theory]
    [InlineData("0.9 0.1 0.8 0.2", "0 2", 1, 1)]
    [InlineData("0.9 0.1 0.8 0.2", "2 0", 1, 1)]
    [InlineData("0.9 0.1 0.8 0.2", "0 1", 0, 1)]
    [InlineData("0.9 0.1 0.8 0.2", "3 1", 0, 0)]
    [InlineData("0.9 0.1 0.8 0.2", "0", 1, 1)]
    [InlineData("0.9 0.1 0.8 0.2", "2", 0, 0)]
    public void Hits_Count_WantsEveryObjectAndNotesOne(string scores, string labels, int all, int some)
    {
        using var scope = NewDisposeScope();
        var classes = labels.Split(' ').Select(long.Parse).ToArray();
        var target = classes.Length == 1 ? tensor(classes) : tensor(classes).unsqueeze(0);

        Hits.Count(tensor(scores.Split(' ').Select(text => float.Parse(text, CultureInfo.InvariantCulture)).ToArray()).unsqueeze(0), target)
            .Should().Be(new Hits(all, some));
    }

    private static PairSplit Pairs(string name, int digits = 60)
    {
        using var made = BuiltInDigits.Create(digits, 1);
        return new PairSplit(made.Train.Images.alias(), made.Train.Labels.alias(), name == "multimnist" ? 4 : 6, name != "multimnist", Stream: 0);
    }

    // As many digits as it takes, without a stroke on them.
    private static PairSplit Blank(string name, int digits) => new(
        zeros(digits, 1, 28, 28, dtype: ScalarType.Byte), arange(digits, dtype: ScalarType.Int64).remainder(10),
        name == "multimnist" ? 4 : 6, name != "multimnist", Stream: 0);

    // Where a digit of 28 x 28 stands in a larger image, seen from the middle.
    private static (int Y, int X) ShiftOf(Tensor image, Tensor digit, int max)
    {
        var (size, pad) = ((int)image.size(0), (int)(image.size(0) - 28) / 2);
        var wide = nn.functional.pad(digit, [20, 20, 20, 20]);
        for (var y = -max; y <= max; y++)
        {
            for (var x = -max; x <= max; x++)
            {
                var (top, left) = (20 - pad - y, 20 - pad - x);
                if (wide[top..(top + size), left..(left + size)].Equals(image))
                {
                    return (y, x);
                }
            }
        }

        throw new InvalidOperationException("the digit is not there");
    }

    private async Task<ImageDataset> Open(string name, List<string> notices)
    {
        using var download = new DatasetDownload();
        var catalog = new DatasetCatalog(new DataFolders(_folder.Path, null, null), download, notices.Add);
        return await catalog.OpenAsync(name, null, TestContext.Current.CancellationToken);
    }
}
