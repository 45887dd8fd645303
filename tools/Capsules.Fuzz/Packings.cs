using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Capsules.Fuzz;

/// <summary>Damage within what is packed or has a checksum, so that it reaches the reader behind.</summary>
internal static class Packings
{
    /// <summary>Within a gzip file.</summary>
    public static byte[] InGzip(byte[] gzip, Random random, Func<byte[], Random, byte[]> damage)
    {
        using var unpacked = new MemoryStream();
        using (var stream = new GZipStream(new MemoryStream(gzip), CompressionMode.Decompress))
        {
            stream.CopyTo(unpacked);
        }

        return Samples.Tests.IdxBytes.Gzip(damage(unpacked.ToArray(), random));
    }

    /// <summary>Within one entry of a zip, whose entries stay stored plain where they were.</summary>
    public static byte[] InZip(byte[] archive, Random random, Func<string, byte[], Random, byte[]> damage)
    {
        var (entries, result) = (new List<(string Name, byte[] Bytes, bool IsPlain)>(), new MemoryStream());
        using (var zip = new ZipArchive(new MemoryStream(archive)))
        {
            foreach (var entry in zip.Entries)
            {
                using var content = new MemoryStream();
                using (var stream = entry.Open())
                {
                    stream.CopyTo(content);
                }

                entries.Add((entry.FullName, content.ToArray(), entry.CompressedLength == entry.Length));
            }
        }

        var chosen = random.Next(entries.Count);
        using (var zip = new ZipArchive(result, ZipArchiveMode.Create, leaveOpen: true))
        {
            for (var i = 0; i < entries.Count; i++)
            {
                using var stream = zip.CreateEntry(entries[i].Name, entries[i].IsPlain ? CompressionLevel.NoCompression : CompressionLevel.Fastest).Open();
                stream.Write(i == chosen ? damage(entries[i].Name, entries[i].Bytes, random) : entries[i].Bytes);
            }
        }

        return result.ToArray();
    }

    /// <summary>Within a checkpoint: its description, or weights whose checksum then fits.</summary>
    public static byte[] InCheckpoint(byte[] checkpoint, Random random)
    {
        var model = random.Next(3) == 0;
        byte[] damaged = [];
        var weights = InZip(checkpoint, random, (_, bytes, _) => bytes);
        using (var zip = new ZipArchive(new MemoryStream(weights)))
        using (var stream = zip.GetEntry("model.dat")!.Open())
        using (var content = new MemoryStream())
        {
            stream.CopyTo(content);
            damaged = model ? Mutation.Apply(content.ToArray(), random) : content.ToArray();
        }

        var result = new MemoryStream();
        using (var from = new ZipArchive(new MemoryStream(weights)))
        using (var to = new ZipArchive(result, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var entry in from.Entries)
            {
                using var content = new MemoryStream();
                using (var stream = entry.Open())
                {
                    stream.CopyTo(content);
                }

                var bytes = entry.FullName switch
                {
                    "model.dat" => damaged,
                    "checkpoint.json" when model => WithHash(content.ToArray(), damaged),
                    "checkpoint.json" => JsonMutation.Apply(content.ToArray(), random),
                    _ => content.ToArray(),
                };
                using var target = to.CreateEntry(entry.FullName, CompressionLevel.NoCompression).Open();
                target.Write(bytes);
            }
        }

        return result.ToArray();
    }

    /// <summary>Within the JSON header of a safetensors file, whose length then fits.</summary>
    public static byte[] InSafetensors(byte[] file, Random random, Func<byte[], Random, byte[]>? damage = null)
    {
        var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        var json = (damage ?? JsonMutation.Apply)(file[8..(8 + length)], random);
        var start = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(start, (ulong)json.Length);
        return [.. start, .. json, .. file[(8 + length)..]];
    }

    /// <summary>Within the description that a network's safetensors file carries as text.</summary>
    public static byte[] InDescription(byte[] file, Random random) => InSafetensors(file, random, (json, source) =>
    {
        var header = JsonNode.Parse(json)!;
        var text = System.Text.Encoding.UTF8.GetBytes((string)header["__metadata__"]!["checkpoint"]!);
        header["__metadata__"]!["checkpoint"] = System.Text.Encoding.UTF8.GetString(JsonMutation.Apply(text, source));
        return System.Text.Encoding.UTF8.GetBytes(header.ToJsonString());
    });

    /// <summary>Within the packed elements of a MATLAB file.</summary>
    public static byte[] InMat(byte[] file, Random random)
    {
        const int Header = 128, Compressed = 15;
        var result = file[..Header].ToList();
        for (var at = Header; at + 8 <= file.Length;)
        {
            var (type, size) = (BitConverter.ToInt32(file, at), BitConverter.ToInt32(file, at + 4));
            if (type != Compressed)
            {
                return Mutation.Apply(file, random);
            }

            using var unpacked = new MemoryStream();
            using (var stream = new ZLibStream(new MemoryStream(file, at + 8, size), CompressionMode.Decompress))
            {
                stream.CopyTo(unpacked);
            }

            result.AddRange(Samples.Tests.SmallFiles.Packed(random.Next(2) == 0 ? Mutation.Apply(unpacked.ToArray(), random) : unpacked.ToArray()));
            at += 8 + size;
        }

        return [.. result];
    }

    /// <summary>Within the records of an event file, whose checksums then fit.</summary>
    public static byte[] InRecords(byte[] file, Random random)
    {
        var records = Samples.RecordFile.Read(new MemoryStream(file)).ToList();
        var result = new MemoryStream();
        var chosen = random.Next(records.Count);
        for (var i = 0; i < records.Count; i++)
        {
            Samples.RecordFile.Write(result, i == chosen ? Mutation.Apply(records[i], random, records[random.Next(records.Count)]) : records[i]);
        }

        return result.ToArray();
    }

    /// <summary>Within the chunks of a PNG, whose checksums then fit.</summary>
    public static byte[] InPng(byte[] png, Random random)
    {
        var result = png[..8].ToList();
        for (var at = 8; at + 12 <= png.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt32BigEndian(png.AsSpan(at));
            if (length > png.Length - at - 12)
            {
                return Mutation.Apply(png, random);
            }

            var data = png[(at + 8)..(at + 8 + length)];
            if (random.Next(3) == 0)
            {
                data = Mutation.Apply(data, random);
            }

            byte[] body = [.. png[(at + 4)..(at + 8)], .. data];
            Append(BitConverter.GetBytes(BinaryPrimitives.ReverseEndianness(data.Length)));
            Append(body);
            Append(BitConverter.GetBytes(BinaryPrimitives.ReverseEndianness(Crc32(body))));
            at += 12 + length;
        }

        return [.. result];

        void Append(byte[] bytes) => result.AddRange(bytes);
    }

    private static uint Crc32(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
            }
        }

        return ~crc;
    }

    private static byte[] WithHash(byte[] json, byte[] model)
    {
        var contents = JsonNode.Parse(json)!;
        contents["ModelSha256"] = Convert.ToHexStringLower(SHA256.HashData(model));
        return System.Text.Encoding.UTF8.GetBytes(contents.ToJsonString());
    }
}
