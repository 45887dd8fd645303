using System.Globalization;
using Google.Protobuf;
using Tensorboard;

namespace Capsules.Samples;

/// <summary>A run's TensorBoard event file. The messages are TensorFlow's own, which TorchSharp carries.</summary>
internal sealed class EventFile : IDisposable
{
    private const string Prefix = "events.out.tfevents.";

    private readonly FileStream _stream;

    private EventFile(FileStream stream) => _stream = stream;

    /// <summary>
    /// Opens the folder's event file, or begins one. Of the events that are there those stay that <paramref name="keep"/> says: what a
    /// killed run wrote after its last checkpoint happens again, and is not to stand there twice.
    /// </summary>
    /// <param name="folder">The run folder.</param>
    /// <param name="keep">Of a tag and a step, whether they stay.</param>
    /// <param name="kept">Hears of each value that stays, in order. Default: nobody does.</param>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public static EventFile Open(string folder, Func<string, long, bool> keep, Action<Summary.Types.Value>? kept = null)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString("d10", CultureInfo.InvariantCulture);
        var path = Find(folder) ?? Path.Combine(folder, $"{Prefix}{now}.{Environment.MachineName}");
        var staying = Read(path).Where(happening => happening.Summary is { Value.Count: > 0 } summary && keep(summary.Value[0].Tag, happening.Step)).ToList();
        AtomicFile.Write(path, stream =>
        {
            RecordFile.Write(stream, At(0, happening => happening.FileVersion = "brain.Event:2").ToByteArray());
            foreach (var happening in staying)
            {
                RecordFile.Write(stream, happening.ToByteArray());
            }
        });
        staying.ForEach(happening => kept?.Invoke(happening.Summary.Value[0]));
        return new EventFile(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete));
    }

    /// <summary>The event file in a folder; null where there is none.</summary>
    public static string? Find(string folder) => Directory.EnumerateFiles(folder, $"{Prefix}*")
        .Where(path => !path.EndsWith(".tmp", StringComparison.Ordinal)).Order().FirstOrDefault();

    /// <summary>The whole events of a file, in order, up to the first that is none; none where there is no file.</summary>
    public static List<Event> Read(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var events = new List<Event>();
        try
        {
            events.AddRange(RecordFile.Read(stream).Select(Event.Parser.ParseFrom));
        }
        catch (InvalidProtocolBufferException)
        {
            // What another program wrote, or damage that fits its checksum, ends the file as a torn record does.
        }

        return events;
    }

    /// <summary>Adds a number.</summary>
    public void Scalar(string tag, long step, double value) => Add(step, new Summary.Types.Value { Tag = tag, SimpleValue = (float)value });

    /// <summary>Adds a picture.</summary>
    /// <param name="tag">Its name.</param>
    /// <param name="step">When it was made.</param>
    /// <param name="png">The bytes of a PNG file.</param>
    /// <param name="width">Its width in pixels.</param>
    /// <param name="height">Its height in pixels.</param>
    public void Image(string tag, long step, byte[] png, int width, int height) => Add(step, new Summary.Types.Value
    {
        Tag = tag,
        Image = new Summary.Types.Image { Width = width, Height = height, Colorspace = 3, EncodedImageString = ByteString.CopyFrom(png) },
    });

    /// <summary>Adds the distribution of some numbers, in buckets of equal width.</summary>
    public void Histogram(string tag, long step, ReadOnlySpan<float> values)
    {
        if (values.Length > 0)
        {
            Add(step, new Summary.Types.Value { Tag = tag, Histo = Buckets(values) });
        }
    }

    /// <summary>Writes through to the disk, so that events are never behind the checkpoint that follows.</summary>
    /// <exception cref="UserException">The disk is full, or the file cannot be written.</exception>
    public void Flush() => Do(() => _stream.Flush(flushToDisk: true));

    public void Dispose()
    {
        try
        {
            _stream.Dispose();
        }
        catch (Exception failure) when (failure is IOException || WholeFile.IsTooLarge(failure))
        {
            // A full disk was told of where an event or the flush failed, and that message must come through.
        }
    }

    private void Add(long step, Summary.Types.Value value) =>
        Do(() => RecordFile.Write(_stream, At(step, happening => happening.Summary = new Summary { Value = { value } }).ToByteArray()));

    private void Do(Action write)
    {
        try
        {
            write();
        }
        catch (Exception failure) when (failure is IOException || WholeFile.IsTooLarge(failure))
        {
            throw new UserException($"{_stream.Name} cannot be written: {failure.Message} Free the space, and go on with train --resume.", failure);
        }
    }

    private static Event At(long step, Action<Event> fill)
    {
        var happening = new Event { Step = step, WallTime = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0 };
        fill(happening);
        return happening;
    }

    private static HistogramProto Buckets(ReadOnlySpan<float> values)
    {
        const int Count = 50;
        var (min, max, sum, squares) = (double.MaxValue, double.MinValue, 0.0, 0.0);
        foreach (var value in values)
        {
            (min, max, sum, squares) = (Math.Min(min, value), Math.Max(max, value), sum + value, squares + (double)value * value);
        }

        var width = max > min ? (max - min) / Count : 1;
        var counts = new double[max > min ? Count : 1];
        foreach (var value in values)
        {
            counts[Math.Min((int)((value - min) / width), counts.Length - 1)]++;
        }

        var histogram = new HistogramProto { Min = min, Max = max, Num = values.Length, Sum = sum, SumSquares = squares };
        histogram.BucketLimit.AddRange(Enumerable.Range(1, counts.Length).Select(i => min + i * width));
        histogram.Bucket.AddRange(counts);
        return histogram;
    }
}
