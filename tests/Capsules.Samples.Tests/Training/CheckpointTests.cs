using System.IO.Compression;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training;

public sealed class CheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Checkpoint _checkpoint = new(
        SmallDigits.Options with { ReconstructionWeight = 0 }, new DatasetFacts("builtin", new ImageShape(1, 17, 17), ["a", "b"], "abc"),
        new TrainingState { StepInEpoch = 5, BestEpoch = 2, History = [new EpochResult(1, 0.5, 0.8, 0.7, 1e-3, 9), new EpochResult(2, 0.4, 0.9, 0.8, 1e-3, 9)] });

    private string File => Path.Combine(_folder.Path, "last.ckpt");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Checkpoint_SavedAndLoaded_IsTheSame()
    {
        using var scope = NewDisposeScope();
        using var network = Save();
        var (loaded, copy) = Checkpoint.Load(File, CPU);
        loaded.Options.Should().Be(_checkpoint.Options);
        loaded.Dataset.Should().BeEquivalentTo(_checkpoint.Dataset);
        loaded.State.Should().BeEquivalentTo(_checkpoint.State);
        var images = rand(2, 1, 17, 17);
        copy.call(images).data<float>().ToArray().Should().Equal(network.call(images).data<float>().ToArray());
        Directory.GetFiles(_folder.Path).Should().ContainSingle("nothing unfinished stays");
    }

    [Fact]
    public void Checkpoint_Missing_SaysWhatToGive() =>
        Load().Should().Throw<UserException>().WithMessage($"There is no checkpoint {File}. Give a run folder that train made, or a checkpoint file in one.");

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    public void Checkpoint_CutOff_IsReportedAsNotWhole(int length)
    {
        Save().Dispose();
        using (var stream = System.IO.File.OpenWrite(File))
        {
            stream.SetLength(length);
        }

        Load().Should().Throw<UserException>().WithMessage($"{File} is not a whole checkpoint (*). Use another one, or train anew.");
    }

    [Fact]
    public void Checkpoint_OneBitFlipped_IsReported()
    {
        Save().Dispose();
        var bytes = System.IO.File.ReadAllBytes(File);
        bytes[bytes.Length / 2] ^= 1;
        System.IO.File.WriteAllBytes(File, bytes);
        Load().Should().Throw<UserException>().WithMessage($"{File} is not a whole checkpoint (*). Use another one, or train anew.");
    }

    [Fact]
    public void Checkpoint_AnotherZip_IsReported()
    {
        using (var zip = ZipFile.Open(File, ZipArchiveMode.Create))
        {
            zip.CreateEntry("hello.txt");
        }

        Load().Should().Throw<UserException>().WithMessage($"{File} is not a whole checkpoint (it has no checkpoint.json). Use another one, or train anew.");
    }

    [Fact]
    public void Checkpoint_OfAnotherDataset_IsRefused()
    {
        using var digits = SmallDigits.Create(10, 10, size: 28);
        ((Action)(() => _checkpoint.Dataset.RequireKind(digits))).Should().Throw<UserException>()
            .WithMessage("The checkpoint was trained on builtin (17 x 17, 2 classes), but builtin has 28 x 28 and 10 classes. Give the dataset that fits with --dataset.");
    }

    [Fact]
    public void AtomicFile_FailureInTheMiddle_KeepsTheOldFileAndLeavesNothing()
    {
        AtomicFile.WriteText(File, "old");
        var act = () => AtomicFile.Write(File, stream =>
        {
            stream.WriteByte(1);
            throw new IOException("No space left on device.");
        });
        act.Should().Throw<UserException>().WithMessage($"{File} cannot be written: No space left on device. Free the space or give another folder with --output.");
        System.IO.File.ReadAllText(File).Should().Be("old");
        Directory.GetFiles(_folder.Path).Should().ContainSingle();
    }

    private ImageNetwork Save()
    {
        var network = _checkpoint.MakeNetwork();
        using var optimizer = optim.Adam(network.parameters());
        _checkpoint.Save(File, network, optimizer);
        return network;
    }

    private Action Load() => () => Checkpoint.Load(File, CPU);
}
