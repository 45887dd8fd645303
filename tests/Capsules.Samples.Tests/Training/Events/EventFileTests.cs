using System.Buffers.Binary;
using System.Text;

namespace Capsules.Samples.Tests.Training.Events;

/// <summary>
/// Event files are read here byte by byte, from the descriptions of record files, protocol buffers and TensorFlow's event.proto and
/// summary.proto, with nothing of the program or of the packages that wrote them.
/// </summary>
public sealed class EventFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EventFile_Written_IsReadByItsDescription()
    {
        using (var file = EventFile.Open(_folder.Path, (_, _) => true))
        {
            file.Scalar("epoch/loss", 7, 0.25);
            file.Histogram("lengths", 8, [0, 0.5f, 1, 1]);
            file.Image("picture", 9, [1, 2, 3], 30, 40);
        }

        Path.GetFileName(EventFile.Find(_folder.Path)).Should().MatchRegex(@"^events\.out\.tfevents\.\d{10}\.");
        var events = Read();
        events.Should().HaveCount(4);
        Encoding.UTF8.GetString(events[0].Bytes(3)).Should().Be("brain.Event:2");      // Event.file_version
        foreach (var happening in events)
        {
            BitConverter.Int64BitsToDouble((long)happening.Number(1)).Should().BeApproximately(DateTimeOffset.UtcNow.ToUnixTimeSeconds(), 60, "wall_time is in seconds");
        }

        events.Skip(1).Select(happening => happening.Number(2)).Should().Equal(7UL, 8UL, 9UL);      // Event.step
        var (scalar, lengths, picture) = (Value(events[1]), Value(events[2]), Value(events[3]));
        Encoding.UTF8.GetString(scalar.Bytes(1)).Should().Be("epoch/loss");      // Summary.Value.tag
        BitConverter.Int32BitsToSingle((int)scalar.Number(2)).Should().Be(0.25f);      // simple_value

        var histogram = new Message(lengths.Bytes(5));      // histo: min, max, num, sum, sum_squares, bucket_limit, bucket
        Enumerable.Range(1, 5).Select(field => BitConverter.Int64BitsToDouble((long)histogram.Number(field))).Should().Equal(0, 1, 4, 2.5, 2.25);
        var (limits, counts) = (Doubles(histogram.Bytes(6)), Doubles(histogram.Bytes(7)));
        limits.Should().BeInAscendingOrder().And.HaveCount(counts.Length);
        limits[^1].Should().BeApproximately(1, 1e-12);
        counts.Sum().Should().Be(4);
        (counts[0], counts[^1]).Should().Be((1, 2));

        var image = new Message(picture.Bytes(4));      // image: height, width, colorspace, encoded_image_string
        (image.Number(1), image.Number(2), image.Number(3)).Should().Be((40, 30, 3));
        image.Bytes(4).Should().Equal(1, 2, 3);
    }

    [Fact]
    public void EventFile_OpenedAgain_ForgetsWhatIsNotKeptAndAddsToTheSameFile()
    {
        using (var file = EventFile.Open(_folder.Path, (_, _) => true))
        {
            for (var step = 1; step <= 5; step++)
            {
                file.Scalar("step/loss", step, step);
            }
        }

        using (var file = EventFile.Open(_folder.Path, (tag, step) => tag == "step/loss" && step <= 3))
        {
            file.Scalar("step/loss", 4, 40);
        }

        Directory.GetFiles(_folder.Path).Should().ContainSingle();
        Read().Skip(1).Select(happening => BitConverter.Int32BitsToSingle((int)Value(happening).Number(2))).Should().Equal(1, 2, 3, 40);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(30)]
    public void EventFile_TornByAKill_KeepsTheWholeEventsAndGoesOn(int bytes)
    {
        using (var file = EventFile.Open(_folder.Path, (_, _) => true))
        {
            file.Scalar("step/loss", 1, 1);
            file.Scalar("step/loss", 2, 2);
        }

        var path = EventFile.Find(_folder.Path)!;
        using (var stream = File.OpenWrite(path))
        {
            stream.SetLength(stream.Length - bytes);
        }

        using (var file = EventFile.Open(_folder.Path, (_, _) => true))
        {
            file.Scalar("step/loss", 2, 20);
        }

        Read().Skip(1).Select(happening => BitConverter.Int32BitsToSingle((int)Value(happening).Number(2))).Should().Equal(1, 20);
    }

    [Fact]
    public void Crc_OfTheStandardCheckString_IsTheStandardCheckValue() => Crc32C("123456789"u8.ToArray()).Should().Be(0xe3069283, "the reader here is right");

    private List<Message> Read()
    {
        var bytes = File.ReadAllBytes(EventFile.Find(_folder.Path)!);
        var events = new List<Message>();
        for (var at = 0; at < bytes.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
            BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)).Should().Be(Masked(bytes[at..(at + 8)]));
            var data = bytes[(at + 12)..(at + 12 + length)];
            BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)).Should().Be(Masked(data));
            events.Add(new Message(data));
            at += 16 + length;
        }

        return events;
    }

    // Event.summary, and its only value.
    private static Message Value(Message happening) => new(new Message(happening.Bytes(5)).Bytes(1));

    private static double[] Doubles(byte[] packed) => [.. packed.Chunk(8).Select(bytes => BinaryPrimitives.ReadDoubleLittleEndian(bytes))];

    private static uint Masked(byte[] data)
    {
        var crc = Crc32C(data);
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
    }

    // Bit by bit, by the reversed polynomial of Castagnoli.
    private static uint Crc32C(byte[] data)
    {
        var crc = 0xffffffffu;
        foreach (var value in data)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
            }
        }

        return ~crc;
    }

    // Fields of a protocol buffer: a key of field number and wire type, then a varint (0), 8 bytes (1), length and bytes (2) or 4 bytes (5).
    private sealed class Message
    {
        private readonly Dictionary<int, ulong> _numbers = [];
        private readonly Dictionary<int, byte[]> _bytes = [];

        public Message(byte[] data)
        {
            for (var at = 0; at < data.Length;)
            {
                var key = Varint(data, ref at);
                var field = (int)(key >> 3);
                switch (key & 7)
                {
                    case 0:
                        _numbers[field] = Varint(data, ref at);
                        break;
                    case 1:
                        _numbers[field] = BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(at));
                        at += 8;
                        break;
                    case 2:
                        var length = (int)Varint(data, ref at);
                        _bytes[field] = data[at..(at + length)];
                        at += length;
                        break;
                    case 5:
                        _numbers[field] = BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(at));
                        at += 4;
                        break;
                    default:
                        throw new InvalidDataException($"wire type {key & 7}");
                }
            }
        }

        // What is not written is zero.
        public ulong Number(int field) => _numbers.GetValueOrDefault(field);

        public byte[] Bytes(int field) => _bytes[field];

        private static ulong Varint(byte[] data, ref int at)
        {
            var (value, shift) = (0UL, 0);
            while (true)
            {
                var next = data[at++];
                value |= (ulong)(next & 0x7f) << shift;
                if (next < 0x80)
                {
                    return value;
                }

                shift += 7;
            }
        }
    }
}
