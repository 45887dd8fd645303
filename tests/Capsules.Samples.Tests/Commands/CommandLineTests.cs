namespace Capsules.Samples.Tests.Commands;

public sealed class CommandLineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("train --epochs 0", "--epochs must be at least 1, but is 0.")]
    [InlineData("train --batch-size -3", "--batch-size must be at least 1, but is -3.")]
    [InlineData("train --learning-rate 0", "--learning-rate must be above 0, but is 0.")]
    [InlineData("train --decay 1.5", "--decay must be above 0 and at most 1, but is 1.5.")]
    [InlineData("train --routing-iterations -1", "--routing-iterations must be at least 0, but is -1.")]
    [InlineData("train --reconstruction-weight NaN", "--reconstruction-weight must be at least 0, but is NaN.")]
    [InlineData("train --preset papper", "--preset must be paper or official, but is papper.")]
    [InlineData("train --device gpu", "--device must be auto, cpu or cuda, but is gpu.")]
    [InlineData("train --dataset minst", "There is no dataset 'minst'. Did you mean 'mnist'? Known: auto, mnist, ")]
    [InlineData("train --epochs many", "--epochs must be at least 1, but is many.")]
    [InlineData("train --decay fast", "--decay must be above 0 and at most 1, but is fast.")]
    [InlineData("train --dataset nowhere --learning-rate 0,001", "--learning-rate must be above 0, but is 0,001.")]
    [InlineData("train --dataset nowhere --save-every 2,5", "--save-every must be between 0 and 1000000, but is 2,5.")]
    [InlineData("train --shift 100000", "--shift must be between 0 and 1000, but is 100000.")]
    [InlineData("train --threads 200000", "--threads must be between 0 and ")]
    [InlineData("train --dataset builtin --shift 28", "--shift 28 would move images of 28 x 28 pixels out of sight. Give a smaller one.")]
    [InlineData("train --model capsnte", "There is no model 'capsnte'. Did you mean 'capsnet'? Known: ")]
    [InlineData("train --model cnn --preset official", "--preset means nothing to --model cnn. Leave it out.")]
    [InlineData("train --model efficient --routing-iterations 2", "--routing-iterations means nothing to --model efficient. Leave it out.")]
    [InlineData("train --model matrix --reconstruction-weight 1", "--reconstruction-weight means nothing to --model matrix. Leave it out.")]
    [InlineData("train --weight-decay -1", "--weight-decay must be at least 0, but is -1.")]
    [InlineData("train --augmentation flip", "--augmentation must be shift, efficient, light or none, but is flip.")]
    [InlineData("info --device cpu", "--device means nothing without --check. Leave it out, or give --check too.")]
    [InlineData("info --check --model cnn", "--model means nothing with --check. Leave it out.")]
    [InlineData("info --model lenet", "There is no model 'lenet'. Known: ")]
    [InlineData("train --precision half", "--precision must be float32, bfloat16, tf32 or auto, but is half.")]
    [InlineData("train --device cpu --dataset builtin --precision tf32", "--precision tf32 is of NVIDIA GPUs, and this run computes on the CPU.")]
    [InlineData("train --schedule linear", "--schedule must be exponential, official, cosine or constant, but is linear.")]
    [InlineData("train --schedule cosine --decay 0.5", "--decay means nothing to --schedule cosine. Leave it out.")]
    [InlineData("train --optimizer sgd", "--optimizer must be adam or adamw, but is sgd.")]
    [InlineData("train --clip-gradients 0", "--clip-gradients must be above 0, but is 0.")]
    [InlineData("train --early-stop -1", "--early-stop must be at least 0, but is -1.")]
    [InlineData("train --dataset builtin --early-stop 3 --validation 0", "--early-stop needs held-out images to stop by, but --validation is 0.")]
    [InlineData("train --stop-at 99", "--stop-at must be above 0 and at most 1, but is 99.")]
    [InlineData("reproduce capsnte", "There is no row 'capsnte'. Did you mean 'capsnet'? reproduce without a row lists them.")]
    [InlineData("reproduce capsnet --seeds 0", "--seeds must be at least 1, but is 0.")]
    [InlineData("train --select best", "--select must be held-out or test, but is best.")]
    [InlineData("train --select test --validation 100", "--validation holds images out, and with --select test none are chosen by.")]
    [InlineData("train --save-every -1", "--save-every must be between 0 and 1000000, but is -1.")]
    [InlineData("train --seeds 0", "--seeds must be at least 1, but is 0.")]
    [InlineData("evaluate one two", "Several runs are evaluated as one: give --ensemble, or one run.")]
    [InlineData("train --dataset mnist --image-size 20", "--image-size means nothing to --dataset mnist. Leave it out.")]
    [InlineData("train --dataset builtin --grey", "--grey means nothing to --dataset builtin. Leave it out.")]
    [InlineData("train --dataset folder", "--dataset folder needs --data with the folder of images.")]
    [InlineData("train --dataset builtin --crop 29", "--crop 29 is more than the 28 x 28 pixels of the images. Give a smaller one.")]
    [InlineData("train --dataset builtin --crop 0", "--crop must be between 1 and 1024, but is 0.")]
    [InlineData("train --dataset builtin --crop 20 --shift 1", "--shift means nothing with --augmentation none.")]
    [InlineData("datasets --crop 20", "--crop needs a dataset to look at: datasets mnist --crop ...")]
    [InlineData("datasets --sheet a.png", "--sheet needs a dataset to look at: datasets mnist --sheet ...")]
    [InlineData("evaluate run --images 0", "--images must be at least 1, but is 0.")]
    [InlineData("--threads 2 train --dataset nowhere", "--threads means nothing before train. Put it after train.")]
    [InlineData("--output runs info", "--output means nothing before info. Leave it out.")]
    [InlineData("--epochs 3 train", "Unrecognized command or argument '--epochs'.")]
    [InlineData("train --dataset builtin --augmentation none --shift 1", "--shift means nothing with --augmentation none. Leave it out, ")]
    [InlineData("train --dataset multimnist --shift 3", "multimnist shifts its objects itself, and --shift has no part in it. Leave it out.")]
    [InlineData("train --model cnn --reconstruction-weight 1", "--reconstruction-weight means nothing to --model cnn. Leave it out.")]
    [InlineData("tarin", "Unrecognized command or argument 'tarin'.")]
    public async Task CommandLine_ImpossibleValue_IsOneMessageAndExitCodeOne(string line, string message)
    {
        var (code, _, error) = await Run(line.Split(' '));
        code.Should().Be(1);
        error.Trim().Should().StartWith(message);
        error.Should().NotContain("   at ", "no stack trace");
    }

    // Ten images to train on, one of them held out.
    [Fact]
    public async Task Train_MoreImagesThanThereAre_SaysHowManyAnEpochHas()
    {
        TestRun.Save(_folder.Path);
        string[] train = ["train", "--model", "efficient", "--epochs", "1", "--dataset", "mnist", "--data", _folder.Path, "--output", _folder.PathOf("runs")];
        var (code, output, _) = await Run([.. train, "--images", "60000"]);
        code.Should().Be(0);
        output.Should().Contain("--images is 60,000, but an epoch has 9: all training images that are not held out");
        (_, output, _) = await Run([.. train, "--images", "9"]);
        output.Should().NotContain("--images is");
    }

    [Fact]
    public async Task CommandLine_CudaWithoutCuda_NamesTheBuildProperty()
    {
        Assert.SkipWhen(TorchSharp.torch.cuda.is_available(), "This machine has a CUDA device.");
        var (code, _, error) = await Run("train", "--device", "cuda", "--dataset", "builtin", "--output", _folder.Path);
        code.Should().Be(1);
        error.Should().StartWith("No CUDA device is available to this build. Build with -p:TorchBackend=cuda on a machine with");
    }

    [Fact]
    public async Task Train_DataFolderWithoutFiles_SaysHowToGetThemAndMakesNoRun()
    {
        var (code, _, error) = await Run("train", "--dataset", "mnist", "--data", _folder.Path, "--output", Path.Combine(_folder.Path, "runs"));
        code.Should().Be(1);
        error.Should().Contain("train-images-idx3-ubyte").And.Contain(_folder.Path).And.NotContain("   at ");
        Directory.Exists(Path.Combine(_folder.Path, "runs")).Should().BeFalse();
    }

    [Theory]
    [InlineData("--profile", "--profile measures one network, and --replicas makes several. Leave one of the two out.")]
    [InlineData("--detect-anomaly", "--detect-anomaly watches one network, and --replicas makes several. Leave one of the two out.")]
    public async Task Train_ReplicasWithWhatIsOfOneNetwork_IsRefusedAndMakesNoRun(string option, string message)
    {
        var (code, _, error) = await Run(
            "train", "--device", "cpu", "--dataset", "builtin", "--model", "cnn", "--replicas", "2", option, "--output", _folder.PathOf("runs"));
        (code, error.Trim()).Should().Be((1, message));
        Directory.Exists(_folder.PathOf("runs")).Should().BeFalse("no run was begun");
    }

    [Theory]
    [InlineData("--replicas 2 --model efficient", "--replicas is for networks that see each image by itself, and EfficientCapsNet normalises by its batch.")]
    [InlineData("--crop 10", "CapsNet's two 9 x 9 convolutions need images of at least 17 x 17 pixels, but these are 10 x 10.")]
    public async Task Train_NetworkThatCannotBe_IsRefusedAndMakesNoRun(string options, string message)
    {
        var (code, _, error) = await Run(["train", "--device", "cpu", "--dataset", "builtin", .. options.Split(' '), "--output", _folder.PathOf("runs")]);
        code.Should().Be(1);
        error.Should().StartWith(message);
        Directory.Exists(_folder.PathOf("runs")).Should().BeFalse("no run was begun");
    }

    [Fact]
    public async Task Train_OutputThatIsAFile_IsReported()
    {
        var file = Path.Combine(_folder.Path, "file");
        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
        var (code, _, error) = await Run("train", "--dataset", "builtin", "--output", file);
        code.Should().Be(1);
        error.Should().StartWith($"The run folder cannot be made in {file}: ").And.Contain("Give another folder with --output.");
    }

    [Fact]
    public async Task Train_ResumeWithAnOptionOfTheRun_IsRefused()
    {
        var (code, _, error) = await Run("train", "--resume", _folder.Path, "--batch-size", "5");
        code.Should().Be(1);
        error.Trim().Should().Be("--batch-size is fixed by the run that --resume goes on with. Leave it out, or start a new run without --resume.");
    }

    [Fact]
    public async Task Train_ResumeOfNoRun_IsReported()
    {
        var (code, _, error) = await Run("train", "--resume", _folder.Path);
        code.Should().Be(1);
        error.Trim().Should().Be($"There is no run in {_folder.Path}: it has no last.ckpt. Give the folder that train named when it started.");
    }

    // Not the run whose folder the mistyped file would be in.
    [Fact]
    public async Task Train_ResumeOfAFileThatIsNotThere_IsReported()
    {
        TestRun.Save(_folder.Path);
        var (code, _, error) = await Run("train", "--resume", _folder.PathOf("lsat.ckpt"), "--data", _folder.Path);
        code.Should().Be(1);
        error.Trim().Should().Be($"There is no {_folder.PathOf("lsat.ckpt")}. Give the folder that train named when it started, or a checkpoint in it.");
    }

    [Fact]
    public async Task Evaluate_FileThatIsNoCheckpoint_IsReported()
    {
        var file = Path.Combine(_folder.Path, "photo.png");
        await File.WriteAllTextAsync(file, "not a checkpoint", TestContext.Current.CancellationToken);
        var (code, _, error) = await Run("evaluate", file);
        code.Should().Be(1);
        error.Should().StartWith($"{file} is not a whole checkpoint (");
    }

    [Fact]
    public async Task Info_Always_ShowsTheParameterCount()
    {
        var (code, output, _) = await Run("info");
        code.Should().Be(0);
        output.Should().Contain("8,215,568").And.Contain("digits.weight").And.Contain("TorchSharp");
    }

    [Fact]
    public async Task Datasets_Alone_ListsAllWithWhatTheyNeed()
    {
        var (code, output, _) = await Run("datasets", "--data", _folder.Path);
        code.Should().Be(0);
        foreach (var kind in DatasetCatalog.All)
        {
            output.Should().Contain($"{kind.Name}: {kind.Description}");
        }

        output.Should().Contain("cifar-10-binary.tar.gz (170 MB): not on this machine");
    }

    [Fact]
    public async Task Datasets_Pairs_AreShownAsAPicture()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var sheet = _folder.PathOf("sheet.png");
        var (code, output, _) = await Run("datasets", "multimnist", "--data", _folder.Path, "--sheet", sheet);
        code.Should().Be(0);
        output.Should().Contain("to train on: 3 stored images, of which 3,000 images can be made: pairs, shift 4");
        output.Should().MatchRegex(@"\n7\+[09]  0\+[79]  9\+[70]  7").And.Contain("\n1+2  2+1  1+2");
        using var picture = SkiaSharp.SKBitmap.Decode(sheet);
        (picture.Width, picture.Height).Should().Be((6 + 10 * (144 + 6), 6 + 6 * (72 + 6)));
    }

    [Fact]
    public async Task Info_AnotherModel_ShowsItsParameters()
    {
        var (code, output, _) = await Run("info", "--model", "cnn");
        code.Should().Be(0);
        output.Should().Contain("35,445,522").And.Contain("classifier.0.weight").And.Contain("Convolutional baseline (2017)");
    }

    [Theory]
    [InlineData("capsnet")]
    [InlineData("efficient")]
    public async Task TrainAndEvaluate_FewDigits_WorkTogether(string model)
    {
        using var data = new TemporaryFolder();
        using (var digits = SmallDigits.Create(size: 28))
        {
            SmallDigits.WriteMnist(data.Path, digits);
        }

        string[] further = model == "capsnet" ? ["--precision", "auto"] : [];      // the other networks compute in float32 alone
        var (code, output, error) = await Run(
            ["train", "--model", model, "--dataset", "mnist", "--data", data.Path, "--images", "40", "--epochs", "1", "--batch-size", "20",
                "--validation", "20", "--profile", .. further, "--output", _folder.Path]);
        error.Should().BeEmpty();
        code.Should().Be(0);
        output.Should().Contain("test error").And.NotContain("0.25 %", "the paper's figure is for the original MNIST");
        output.Contains("precision: ", StringComparison.Ordinal).Should().Be(model == "capsnet");
        output.Should().Contain("profile: none, for the run had no more than 3 steps");

        var run = Directory.GetDirectories(_folder.Path).Single();
        File.Exists(Path.Combine(run, "reconstructions.png")).Should().BeTrue();
        File.ReadAllText(Path.Combine(run, "log.txt")).Should().Contain("epoch 1/1").And.Contain("test error: ").And.NotContain("paper:");
        var (again, evaluation, _) = await Run("evaluate", run, "--data", data.Path);
        again.Should().Be(0);
        var wrong = System.Text.RegularExpressions.Regex.Match(File.ReadAllText(Path.Combine(run, "log.txt")), @"\d+ of 20 wrong").Value;
        wrong.Should().NotBeEmpty();
        evaluation.Should().Contain(wrong, "evaluate finds what train found").And.Contain("images/s");

        // The sheet is a picture as good as any; its class is one of ten.
        var picture = Path.Combine(run, "reconstructions.png");
        var (predicted, classes, _) = await Run("predict", run, picture, picture, "--invert");
        predicted.Should().Be(0);
        classes.Should().MatchRegex(@"^picture +class +probability +next\n(.*reconstructions\.png +[0-9] +[01]\.\d{3} +[0-9] 0\.\d{3}, [0-9] 0\.\d{3} +dark on light, inverted\n){2}$");
        var (refused, _, reason) = await Run("predict", run, Path.Combine(run, "log.txt"));
        refused.Should().Be(1);
        reason.Should().Contain("log.txt is not a picture that can be read.");
        run.Should().EndWith($"-mnist-{model}");
    }

    [Fact]
    public async Task QuickStart_Shortened_TrainsReportsAndSaysWhatIsNext()
    {
        using var data = new TemporaryFolder();
        using (var digits = SmallDigits.Create(size: 28))
        {
            SmallDigits.WriteMnist(data.Path, digits);
        }

        var output = new TestOutput();
        var code = await QuickStart.RunAsync(output.Console, QuickStart.Options with { Dataset = "mnist", ImagesPerEpoch = 20, BatchSize = 10 },
            data.Path, _folder.Path, "cpu", threads: 0, TestContext.Current.CancellationToken);
        code.Should().Be(0);
        output.Text.Should().Contain("test accuracy").And.Contain("reconstructions.png").And.Contain("What to try next");
    }

    private static Task<(int Code, string Output, string Error)> Run(params string[] args) => TestRun.CommandLine(args);
}
