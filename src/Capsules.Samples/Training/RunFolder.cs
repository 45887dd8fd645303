using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Capsules.Samples;

/// <summary>The folder of one run: config.json, metrics.csv, log.txt, result.json, checkpoints, TensorBoard events and pictures.</summary>
internal sealed class RunFolder
{
    private RunFolder(string path) => FullPath = path;

    public string FullPath { get; }

    public string Last => Path.Combine(FullPath, "last.ckpt");

    public string Best => Path.Combine(FullPath, "best.ckpt");

    private string Config => Path.Combine(FullPath, "config.json");

    private string Result => Path.Combine(FullPath, "result.json");

    private string LogFile => Path.Combine(FullPath, "log.txt");

    public string Confusion => Path.Combine(FullPath, "confusion.png");

    public string Reconstructions => Path.Combine(FullPath, "reconstructions.png");

    /// <summary>Makes the folder "time-<paramref name="name"/>" in <paramref name="output"/>.</summary>
    /// <exception cref="UserException">It cannot be made.</exception>
    public static RunFolder Create(string output, string name)
    {
        name = $"{DateTime.Now.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}-{name}";
        try
        {
            // Whoever makes log.txt has the folder: two runs of one second, in two processes even, get two folders. And a folder
            // that cannot be written to says so now and not after the first epoch.
            for (var i = 1; ; i++)
            {
                var folder = new RunFolder(Path.GetFullPath(Path.Combine(output, i == 1 ? name : $"{name}-{i}")));
                Directory.CreateDirectory(folder.FullPath);
                if (folder.TryClaim())
                {
                    return folder;
                }
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"The run folder cannot be made in {output}: {failure.Message} Give another folder with --output.", failure);
        }
    }

    /// <summary>The folder of that very path, made where it is not there.</summary>
    /// <exception cref="UserException">It cannot be made.</exception>
    public static RunFolder At(string path)
    {
        var folder = new RunFolder(Path.GetFullPath(path));
        try
        {
            Directory.CreateDirectory(folder.FullPath);
            return folder;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"The run folder {path} cannot be made: {failure.Message}", failure);
        }
    }

    /// <summary>Finds the folder of an earlier run, given itself or a checkpoint in it. It may not have come to a checkpoint.</summary>
    /// <exception cref="UserException">There is none.</exception>
    public static RunFolder Open(string path)
    {
        if (!Path.Exists(path))
        {
            throw new UserException($"There is no {path}. Give the folder that train named when it started, or a checkpoint in it.");
        }

        var folder = new RunFolder(Path.GetFullPath(Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!));
        return folder.IsBegun
            ? folder
            : throw new UserException($"There is no run in {path}: it has no last.ckpt. Give the folder that train named when it started.");
    }

    /// <summary>
    /// The checkpoint to use of a run: the best, the last where no epoch is finished, or the file itself that is named, which may be a
    /// <see cref="NetworkFile"/>; <see cref="NetworkFile.Pretrained"/> names the one that is shipped.
    /// </summary>
    /// <exception cref="UserException">It is a folder without a run.</exception>
    public static string BestIn(string path)
    {
        if (!Directory.Exists(path))
        {
            return path == NetworkFile.Pretrained && !File.Exists(path) ? NetworkFile.PretrainedPath : path;
        }

        var folder = Open(path);
        return File.Exists(folder.Best) ? folder.Best : folder.Last;
    }

    /// <summary>
    /// The folder for what is made of a checkpoint: that in which it lies, but of the shipped network, which lies with the program, the working folder.
    /// </summary>
    public static string PlaceBeside(string path) => path == NetworkFile.PretrainedPath ? "." : Path.GetDirectoryName(Path.GetFullPath(path))!;

    /// <summary>Whether there is a run in the folder to go on with.</summary>
    public bool IsBegun => File.Exists(Last) || File.Exists(Config);

    /// <summary>
    /// Holds the folder until what is returned is disposed: two processes that train the same run would spoil it. Files that a
    /// killed process did not finish are cleared away.
    /// </summary>
    /// <exception cref="UserException">Another process holds it.</exception>
    public IDisposable Hold()
    {
        try
        {
            var hold = new FileStream(
                Path.Combine(FullPath, "run.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
            foreach (var unfinished in Directory.EnumerateFiles(FullPath, "*.tmp"))
            {
                File.Delete(unfinished);
            }

            return hold;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{FullPath} is in use by another process ({failure.Message}). Wait until that run has ended, or stop it.", failure);
        }
    }

    /// <summary>Writes config.json.</summary>
    public void WriteConfig(RunConfig config) => AtomicFile.WriteText(Config, JsonSerializer.Serialize(config, RunJson.Options) + "\n");

    /// <summary>Reads config.json.</summary>
    /// <exception cref="UserException">There is none, or it is damaged.</exception>
    public RunConfig ReadConfig()
    {
        if (Read<RunConfig>(Config) is not { Options: not null, Dataset: not null } config)
        {
            throw new UserException($"{Config} is missing or does not say how the run goes, and there is no last.ckpt. Start a new run.");
        }

        try
        {
            config.Options.CheckValues();
            config.Dataset.CheckValues();
            return config;
        }
        catch (InvalidDataException failure)
        {
            throw new UserException($"{Config} is damaged: {failure.Message}. Start a new run.", failure);
        }
    }

    /// <summary>Writes result.json.</summary>
    public void WriteResult(RunResult result) => AtomicFile.WriteText(Result, JsonSerializer.Serialize(result, RunJson.Options) + "\n");

    /// <summary>Reads result.json; null where the run has not come to its end.</summary>
    /// <exception cref="UserException">It is damaged.</exception>
    public RunResult? ReadResult() => Read<RunResult>(Result);

    /// <summary>Where the run stands: in its last checkpoint, or at its very start where it has not come to one.</summary>
    public (DatasetFacts Dataset, TrainingState State) Describe()
    {
        if (!File.Exists(Last))
        {
            return (ReadConfig().Dataset, new TrainingState());
        }

        var checkpoint = Checkpoint.Describe(Last);
        return (checkpoint.Dataset, checkpoint.State);
    }

    /// <summary>Writes metrics.csv, a row per finished epoch.</summary>
    /// <param name="history">The epochs.</param>
    /// <param name="chosenBy">What the images are called by which checkpoints are chosen.</param>
    public void WriteMetrics(IEnumerable<EpochResult> history, string chosenBy)
    {
        var csv = new StringBuilder($"epoch,loss,class_loss,train_accuracy,{chosenBy}_loss,{chosenBy}_accuracy,learning_rate,seconds,images_per_second\n");
        foreach (var row in history)
        {
            csv.Append(CultureInfo.InvariantCulture, $"{row.Epoch},{row.Loss:g9},{row.ClassLoss:g9},{row.TrainAccuracy:f6},{row.ValidationLoss:g9},");
            csv.Append(CultureInfo.InvariantCulture, $"{row.ValidationAccuracy:f6},{row.LearningRate:g6},{row.Seconds:f1},{row.ImagesPerSecond:f1}\n");
        }

        AtomicFile.WriteText(Path.Combine(FullPath, "metrics.csv"), csv.ToString());
    }

    /// <summary>Adds a line to log.txt.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public void Log(string line)
    {
        try
        {
            File.AppendAllText(LogFile, line + "\n");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException || WholeFile.IsTooLarge(failure))
        {
            throw new UserException($"{LogFile} cannot be written: {failure.Message} Free the space, and go on with train --resume.", failure);
        }
    }

    /// <summary>Reads a JSON file of a run; null where there is none.</summary>
    /// <exception cref="UserException">It is damaged.</exception>
    public static T? Read<T>(string path) where T : class
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<T>(File.ReadAllText(path), RunJson.Options) : null;
        }
        catch (Exception failure) when (failure is JsonException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserException($"{path} cannot be read: {failure.Message} Start a new run.", failure);
        }
    }

    private bool TryClaim()
    {
        try
        {
            new FileStream(LogFile, FileMode.CreateNew).Dispose();
            return true;
        }
        catch (IOException) when (File.Exists(LogFile))
        {
            return false;      // another run has it
        }
    }
}
