using System.CommandLine;
using System.Text.Json;
using SkiaSharp;
using Spectre.Console;

namespace Capsules.Samples.Tests.Commands;

public sealed class InspectionCommandTests(SavedRun saved) : IClassFixture<SavedRun>
{
    private static readonly string[] SmallPictures = ["reconstruct --images 20 --count 3", "reconstruct --wrong-masks --count 2", "mistakes --images 20 --count 5"];

    [Theory]
    [InlineData("sweep --dimension 3", "Unrecognized command or argument '--dimension'.")]
    [InlineData("sweep --index -1", "--index must be at least 0, but is -1.")]
    [InlineData("reconstruct --count 0", "--count must be between 1 and 50, but is 0.")]
    [InlineData("mistakes --count many", "--count must be between 1 and 100, but is many.")]
    [InlineData("attack --epsilon 0.1,big", "--epsilon must be numbers above 0 and at most 1, separated by commas, but is 0.1,big.")]
    [InlineData("attack --epsilon 0", "--epsilon must be numbers above 0 and at most 1, separated by commas, but is 0.")]
    [InlineData("sweep --index 3 --digit 5", "--digit means nothing with --index. Leave it out.")]
    [InlineData("explain --class 5 --index 3", "--digit means nothing with --index. Leave it out.")]
    [InlineData("reconstruct --wrong-masks --images 20", "--images means nothing with --wrong-masks. Leave it out.")]
    [InlineData("reconstruct --index 3 --images 20", "--images means nothing with --index. Leave it out.")]
    [InlineData("reconstruct --index 3 --count 2", "--count means nothing with --index. Leave it out.")]
    [InlineData("reconstruct --wrong-masks --index 3 --count 2", "--count means nothing with --index. Leave it out.")]
    [InlineData("attack --method cw", "--method must be fgsm or pgd, but is cw.")]
    public async Task Command_ImpossibleOption_IsOneMessageAndExitCodeOne(string line, string message)
    {
        var words = line.Split(' ');
        var (code, _, error) = await TestRun.CommandLine([words[0], saved.Folder, .. words[1..]]);
        code.Should().Be(1);
        error.Trim().Should().StartWith(message);
    }

    [Fact]
    public async Task Command_FolderWithoutRun_SaysWhatToGive()
    {
        using var folder = new TemporaryFolder();
        var (code, _, error) = await TestRun.CommandLine("explain", folder.Path);
        code.Should().Be(1);
        error.Trim().Should().Be($"There is no run in {folder.Path}: it has no last.ckpt. Give the folder that train named when it started.");
    }

    [Fact]
    public async Task Pictures_OfARun_GoToItsFolderOrToTheOneGiven()
    {
        using var folder = new TemporaryFolder();
        foreach (var line in SmallPictures)
        {
            var words = line.Split(' ');
            var (code, _, error) = await TestRun.CommandLine([words[0], saved.Folder, .. words[1..], "--data", saved.Folder, "--output", folder.PathOf("pictures")]);
            error.Should().BeEmpty();
            code.Should().Be(0);
        }

        Directory.GetFiles(folder.PathOf("pictures")).Select(Path.GetFileName).Should().BeEquivalentTo("reconstructions.png", "wrong-masks.png", "mistakes.png");
        var (ended, output, _) = await TestRun.CommandLine("sweep", saved.Folder, "--index", "7", "--data", saved.Folder);
        ended.Should().Be(0);
        output.Trim().Should().EndWith(Path.Combine(saved.Folder, "sweep-7.png"));
        using var sweep = SKBitmap.Decode(Path.Combine(saved.Folder, "sweep-7.png"));
        sweep.Width.Should().BeGreaterThan(11 * 56 + 112, "11 columns beside the input");
        sweep.Height.Should().BeGreaterThan(16 * 56, "16 rows");
    }

    [Fact]
    public async Task Attack_OfARun_WritesTableAndPicture()
    {
        using var folder = new TemporaryFolder();
        var (code, output, error) = await TestRun.CommandLine(
            "attack", saved.Folder, "--method", "pgd", "--steps", "2", "--epsilon", "0.05,0.3", "--images", "10", "--data", saved.Folder, "--output", folder.Path);
        error.Should().BeEmpty();
        code.Should().Be(0);
        output.Should().Contain("undetected").And.Contain("clean").And.Contain("0.05").And.Contain("of 10");
        var lines = await File.ReadAllLinesAsync(folder.PathOf("attack-pgd.csv"), TestContext.Current.CancellationToken);
        lines.Should().HaveCount(4);
        lines[0].Should().StartWith("model,method,steps,loss,epsilon,images,accuracy");
        lines[3].Should().StartWith("efficient,pgd,2,score,0.3,10,");
        File.Exists(folder.PathOf("attack-pgd.png")).Should().BeTrue();
        var (refused, _, reason) = await TestRun.CommandLine("attack", saved.Folder, "--steps", "3", "--data", saved.Folder);
        refused.Should().Be(1);
        reason.Trim().Should().Be("--steps means nothing to --method fgsm. Leave it out, or give --method pgd.");
    }

    [Fact]
    public async Task Attack_OfTheConvolutionalBaseline_MeasuresAccuracyAndSaysThatNothingIsDetected()
    {
        using var folder = new TemporaryFolder();
        TestRun.Save(folder.Path, "cnn");
        foreach (var (method, line) in ((string, string)[])[("fgsm", "--loss score"), ("pgd", "--loss training --steps 2")])
        {
            var (code, output, error) = await TestRun.CommandLine(
                ["attack", folder.Path, "--method", method, .. line.Split(' '), "--epsilon", "0.3", "--images", "4", "--data", folder.Path]);
            error.Should().BeEmpty();
            code.Should().Be(0);
            output.Should().Contain("accuracy").And.Contain("fooled").And.Contain("of 4").And.NotContain("ROC AUC").And.NotContain("undetected");
            output.Should().Contain("This network has no decoder, so nothing is detected by reconstruction.");
            var rows = await File.ReadAllLinesAsync(folder.PathOf($"attack-{method}.csv"), TestContext.Current.CancellationToken);
            rows.Should().HaveCount(3);
            rows.Skip(1).Should().AllSatisfy(row => row.Should().StartWith($"cnn,{method},").And.EndWith(",,,", "the columns of detection are empty"));
            rows[2].Should().Contain(",0.3,4,");
            using var picture = SKBitmap.Decode(folder.PathOf($"attack-{method}.png"));
            picture.Should().NotBeNull();
        }
    }

    [Fact]
    public async Task Predict_FileAndStandardInput_GiveTheSameAsJson()
    {
        using var folder = new TemporaryFolder();
        using var digit = new SKBitmap(60, 90);
        using (var canvas = new SKCanvas(digit))
        using (var paint = new SKPaint { Color = SKColors.Black })
        {
            canvas.Clear(SKColors.White);
            canvas.DrawRect(25, 10, 10, 70, paint);
        }

        using var png = digit.Encode(SKEncodedImageFormat.Png, 100);
        var path = folder.Write("one.png", png.ToArray());
        var (code, text, error) = await Predict(png.ToArray(), saved.Folder, path, "-", "--json", "--fit");
        error.Should().BeEmpty();
        code.Should().Be(0);
        using var json = JsonDocument.Parse(text);
        json.RootElement.GetArrayLength().Should().Be(2);
        var (first, second) = (json.RootElement[0], json.RootElement[1]);
        first.GetProperty("picture").GetString().Should().Be(path);
        second.GetProperty("picture").GetString().Should().Be("-");
        first.GetProperty("inverted").GetBoolean().Should().BeTrue();
        first.GetProperty("fitted").GetBoolean().Should().BeTrue();
        var probabilities = first.GetProperty("probabilities");
        probabilities.EnumerateObject().Select(property => property.Name).Should().Equal("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");
        probabilities.GetProperty(first.GetProperty("class").GetString()!).GetDouble().Should().Be(probabilities.EnumerateObject().Max(property => property.Value.GetDouble()));
        second.GetProperty("probabilities").GetProperty("3").GetDouble().Should().BeApproximately(probabilities.GetProperty("3").GetDouble(), 1e-6);
    }

    [Fact]
    public async Task Predict_InputThatIsNoPicture_IsReported()
    {
        var (code, _, error) = await Predict("no picture"u8.ToArray(), saved.Folder, "-");
        code.Should().Be(1);
        error.Should().Be("Standard input is not a picture that can be read. Give a PNG, JPEG, BMP or WebP file.");
        (code, _, error) = await Predict([], saved.Folder, "-", "-");
        code.Should().Be(1);
        error.Should().Be("Standard input holds one picture, but - is given more than once.");
    }

    // The command by itself, with a standard input of its own.
    private static async Task<(int Code, string Output, string Error)> Predict(byte[] input, params string[] args)
    {
        var output = new TestOutput();
        var savedConsole = AnsiConsole.Console;
        AnsiConsole.Console = output.Console;
        try
        {
            var root = new RootCommand { PredictCommand.Create(() => new MemoryStream(input)) };
            var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false };
            return (await root.Parse(["predict", .. args]).InvokeAsync(configuration, TestContext.Current.CancellationToken), output.Text, "");
        }
        catch (UserException failure)
        {
            return (1, output.Text, failure.Message);
        }
        finally
        {
            AnsiConsole.Console = savedConsole;
        }
    }
}

/// <summary>A saved run that the tests of a class share.</summary>
public sealed class SavedRun : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public SavedRun() => TestRun.Save(_folder.Path);

    public string Folder => _folder.Path;

    public void Dispose() => _folder.Dispose();
}
