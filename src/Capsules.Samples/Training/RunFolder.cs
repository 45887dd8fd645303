using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using TorchSharp;

namespace Capsules.Samples;

/// <summary>The folder of one run: config.json, metrics.csv, log.txt, last.ckpt, best.ckpt and pictures.</summary>
internal sealed class RunFolder
{
    private RunFolder(string path) => FullPath = path;

    public string FullPath { get; }

    public string Last => Path.Combine(FullPath, "last.ckpt");

    public string Best => Path.Combine(FullPath, "best.ckpt");

    private string LogFile => Path.Combine(FullPath, "log.txt");

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

    /// <summary>Finds the folder of an earlier run, given itself or a checkpoint in it.</summary>
    /// <exception cref="UserException">There is none.</exception>
    public static RunFolder Open(string path)
    {
        var folder = new RunFolder(Path.GetFullPath(Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path)) ?? path));
        return File.Exists(folder.Last)
            ? folder
            : throw new UserException($"There is no run in {path}: it has no last.ckpt. Give the folder that train named when it started.");
    }

    /// <summary>The checkpoint to use of a run: the best, the last where no epoch is finished, or the file itself that is named.</summary>
    /// <exception cref="UserException">It is a folder without a run.</exception>
    public static string BestIn(string path)
    {
        if (!Directory.Exists(path))
        {
            return path;
        }

        var folder = Open(path);
        return File.Exists(folder.Best) ? folder.Best : folder.Last;
    }

    /// <summary>Writes config.json: every resolved option, versions and hardware.</summary>
    public void WriteConfig(TrainingOptions options, ImageDataset dataset, torch.Device device) => AtomicFile.WriteText(
        Path.Combine(FullPath, "config.json"), JsonSerializer.Serialize(new
        {
            options,
            dataset = new { dataset.Name, dataset.Source, train = dataset.Train.Count, test = dataset.Test.Count },
            device = ComputeDevice.Describe(device),
            versions = new
            {
                capsules = typeof(CapsuleLayer).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion,
                torchSharp = typeof(torch).Assembly.GetName().Version?.ToString(3),
                dotnet = RuntimeInformation.FrameworkDescription,
                os = RuntimeInformation.OSDescription,
            },
            processors = Environment.ProcessorCount,
        }, RunJson.Options) + "\n");

    /// <summary>Writes metrics.csv, a row per finished epoch.</summary>
    public void WriteMetrics(IEnumerable<EpochResult> history)
    {
        var csv = new StringBuilder("epoch,loss,train_accuracy,validation_accuracy,learning_rate,seconds\n");
        foreach (var row in history)
        {
            csv.Append(CultureInfo.InvariantCulture,
                $"{row.Epoch},{row.Loss:g9},{row.TrainAccuracy:f6},{row.ValidationAccuracy:f6},{row.LearningRate:g6},{row.Seconds:f1}\n");
        }

        AtomicFile.WriteText(Path.Combine(FullPath, "metrics.csv"), csv.ToString());
    }

    /// <summary>Adds a line to log.txt.</summary>
    public void Log(string line) => File.AppendAllText(LogFile, line + "\n");

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
