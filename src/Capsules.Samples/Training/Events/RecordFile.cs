using System.Buffers.Binary;
using System.Numerics;

namespace Capsules.Samples;

/// <summary>
/// TensorFlow's record files: length (8 bytes, little-endian), masked CRC-32C of those bytes, data, masked CRC-32C of the data. The
/// mask turns a checksum by 15 bits and adds a constant, so that checksums of data which holds checksums differ.
/// </summary>
/// <remarks>Format: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details".</remarks>
internal static class RecordFile
{
    private const uint MaskDelta = 0xa282ead8;

    /// <summary>Adds a record.</summary>
    public static void Write(Stream stream, ReadOnlySpan<byte> data)
    {
        Span<byte> header = stackalloc byte[12];
        BinaryPrimitives.WriteInt64LittleEndian(header, data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Checksum(header[..8]));
        Span<byte> footer = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(footer, Checksum(data));
        stream.Write(header);
        stream.Write(data);
        stream.Write(footer);
    }

    /// <summary>Reads records up to the end, or up to the first that is torn: what a kill or a power cut left behind.</summary>
    public static IEnumerable<byte[]> Read(Stream stream)
    {
        var (header, footer) = (new byte[12], new byte[4]);
        while (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) == header.Length)
        {
            var length = BinaryPrimitives.ReadInt64LittleEndian(header);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8)) != Checksum(header.AsSpan(0, 8)) || length < 0 || length > stream.Length - stream.Position - 4)
            {
                yield break;
            }

            var data = new byte[length];
            stream.ReadExactly(data);
            stream.ReadExactly(footer);
            if (BinaryPrimitives.ReadUInt32LittleEndian(footer) != Checksum(data))
            {
                yield break;
            }

            yield return data;
        }
    }

    private static uint Checksum(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return BitOperations.RotateRight(~crc, 15) + MaskDelta;
    }
}
