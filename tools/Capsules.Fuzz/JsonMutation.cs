using System.Text.Json.Nodes;

namespace Capsules.Fuzz;

/// <summary>Damage to JSON that stays JSON: other values, missing ones, deeper ones.</summary>
internal static class JsonMutation
{
    private static readonly string[] Values =
    [
        "null", "0", "-1", "1", "2147483647", "-2147483648", "4294967296", "9223372036854775807", "-9223372036854775808", "1e30", "1e-30", "1e400", "0.5",
        "true", "false", "\"\"", "\"x\"", "\"NaN\"", "\"../../x\"", "\"\\u0000\"", "\"mnist\"", "\"capsnet\"", "\"cnn\"", "\"F64\"", "\"BOOL\"", "[]", "[0]", "[1,2]",
        "[9223372036854775807,9223372036854775807]", "[null]", "{}", "{\"a\":1}", "100000", "17", "28",
    ];

    /// <summary>A few changes somewhere in a document; the text itself where it is none.</summary>
    public static byte[] Apply(byte[] json, Random random)
    {
        var root = JsonNode.Parse(json)!;
        for (var changes = 1 + random.Next(3); changes > 0; changes--)
        {
            Change(root, random);
        }

        return System.Text.Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static void Change(JsonNode root, Random random)
    {
        var places = new List<(JsonNode Parent, string? Name, int Index)>();
        Collect(root, places);
        if (places.Count == 0)
        {
            return;
        }

        var (parent, name, index) = places[random.Next(places.Count)];
        var value = JsonNode.Parse(Values[random.Next(Values.Length)]);
        if (parent is JsonObject into)
        {
            switch (random.Next(5))
            {
                case 0: into.Remove(name!); break;
                case 1: into[$"{name}2"] = into[name!]?.DeepClone(); break;
                case 2 when into[name!] is JsonValue number && number.TryGetValue<long>(out var old): into[name!] = unchecked(old * 1000 + random.Next(-1, 2)); break;
                default: into[name!] = value; break;
            }
        }
        else if (parent is JsonArray list)
        {
            switch (random.Next(4))
            {
                case 0: list.RemoveAt(index); break;
                case 1: list.Add(value); break;
                case 2: list.Insert(index, list[index]?.DeepClone()); break;
                default: list[index] = value; break;
            }
        }
    }

    private static void Collect(JsonNode node, List<(JsonNode, string?, int)> places)
    {
        if (node is JsonObject members)
        {
            foreach (var (name, value) in members)
            {
                places.Add((node, name, 0));
                if (value is not null)
                {
                    Collect(value, places);
                }
            }
        }
        else if (node is JsonArray list)
        {
            for (var i = 0; i < list.Count; i++)
            {
                places.Add((node, null, i));
                if (list[i] is { } value)
                {
                    Collect(value, places);
                }
            }
        }
    }
}
