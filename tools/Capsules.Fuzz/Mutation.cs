using System.Buffers.Binary;

namespace Capsules.Fuzz;

/// <summary>Damage to bytes that knows nothing of their format.</summary>
internal static class Mutation
{
    private static readonly long[] Numbers =
    [
        0, 1, -1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, int.MaxValue, int.MinValue, uint.MaxValue, uint.MaxValue + 1L,
        long.MaxValue, long.MinValue, 1L << 40, 1_000_000_007,
    ];

    /// <summary>A few changes of some bytes, at random places.</summary>
    public static byte[] Apply(byte[] bytes, Random random, byte[]? other = null)
    {
        var result = bytes.ToList();
        for (var changes = 1 << random.Next(4); changes > 0; changes--)
        {
            Change(result, random, other ?? bytes);
        }

        return [.. result];
    }

    private static void Change(List<byte> bytes, Random random, byte[] other)
    {
        // Headers are where readers decide most, so every other change is near the beginning.
        var at = bytes.Count == 0 ? 0 : random.Next(random.Next(2) == 0 ? Math.Min(bytes.Count, 200) : bytes.Count);
        var length = Math.Min(bytes.Count - at, 1 << random.Next(10));
        switch (random.Next(9))
        {
            case 0 when bytes.Count > 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when bytes.Count > 0:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2 or 3:
                Overwrite(bytes, at, random);
                break;
            case 4:
                bytes.RemoveRange(at, length);
                break;
            case 5:
                bytes.InsertRange(at, bytes.GetRange(at, length));
                break;
            case 6:
                var noise = new byte[1 << random.Next(8)];
                random.NextBytes(noise);
                bytes.InsertRange(at, noise);
                break;
            case 7 when other.Length > 0:
                var from = random.Next(other.Length);
                bytes.InsertRange(at, other.AsSpan(from, Math.Min(other.Length - from, 1 << random.Next(10))));
                break;
            case 8 when random.Next(4) == 0:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            default:
                break;
        }
    }

    private static void Overwrite(List<byte> bytes, int at, Random random)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(number, Numbers[random.Next(Numbers.Length)] + random.Next(-1, 2));
        number = number[..(1 << random.Next(4))];
        if (random.Next(2) == 0)
        {
            number.Reverse();
        }

        for (var i = 0; i < number.Length && at + i < bytes.Count; i++)
        {
            bytes[at + i] = number[i];
        }
    }
}
