using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Capsules.ApiReference;

/// <summary>A member's comment as Markdown.</summary>
internal sealed record Comment(
    string Summary, string Remarks, IReadOnlyDictionary<string, string> Parameters, string Returns,
    IReadOnlyList<(string Type, string Text)> Exceptions, string Example);

/// <summary>The comments of an assembly, from the XML file that the compiler writes.</summary>
internal sealed class Comments(string path)
{
    private readonly Dictionary<string, XElement> _members = XDocument.Load(path).Descendants("member")
        .ToDictionary(member => member.Attribute("name")!.Value);

    /// <summary>A member's comment; that of what it overrides or names where it inherits it; an empty one where there is none.</summary>
    public Comment Of(MemberInfo member)
    {
        var element = Find(MemberId.Of(member));
        for (var type = member.DeclaringType?.BaseType; element is null && type is not null && member is MethodInfo or PropertyInfo; type = type.BaseType)
        {
            const BindingFlags Own = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.DeclaredOnly;
            var inherited = type.GetMember(member.Name, Own).FirstOrDefault();
            element = inherited is null ? null : Find(MemberId.Of(inherited));
        }

        return element is null ? new("", "", new Dictionary<string, string>(), "", [], "") : new Comment(
            Text(element.Element("summary")),
            Text(element.Element("remarks")),
            element.Elements("param").ToDictionary(param => param.Attribute("name")!.Value, Text),
            Text(element.Element("returns")),
            [.. element.Elements("exception").Select(exception => (Name(exception.Attribute("cref")!.Value), Text(exception)))],
            element.Element("example")?.Element("code")?.Value is { } code ? Unindented(code) : "");
    }

    /// <summary>Text that fits into a cell of a table.</summary>
    public static string Cell(string text) => text.Replace("\n", " ").Replace("|", "\\|");

    private XElement? Find(string id)
    {
        for (var depth = 0; depth < 4 && _members.TryGetValue(id, out var element); depth++)
        {
            var inherit = element.Element("inheritdoc");
            if (inherit is null)
            {
                return element;
            }

            if (inherit.Attribute("cref") is not { } source)
            {
                return null;
            }

            id = source.Value;
        }

        return null;
    }

    private static string Text(XElement? element)
    {
        if (element is null)
        {
            return "";
        }

        var text = new StringBuilder();
        foreach (var node in element.Nodes())
        {
            text.Append(node switch
            {
                XText words => Regex.Replace(words.Value, @"\s+", " "),
                XElement { Name.LocalName: "para" } paragraph => $"\n\n{Text(paragraph)}\n\n",
                XElement { Name.LocalName: "see" } see => $"`{Name(see.Attribute("cref")?.Value ?? see.Attribute("langword")?.Value ?? "")}`",
                XElement { Name.LocalName: "paramref" or "typeparamref" } name => $"`{name.Attribute("name")!.Value}`",
                XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
                XElement other => Text(other),
                _ => "",
            });
        }

        return Regex.Replace(Regex.Replace(text.ToString(), @" *\n *", "\n"), @"\n{3,}", "\n\n").Trim();
    }

    // M:Capsules.Functional.squash(TorchSharp...) is Functional.squash; T:Capsules.Squash is Squash.
    private static string Name(string id)
    {
        var name = Regex.Replace(id, @"^\w:|\(.*$|`\d+", "").Replace(".#ctor", "");
        var parts = name.Split('.');
        return id.StartsWith("T:", StringComparison.Ordinal) || parts.Length < 2 ? parts[^1] : $"{parts[^2]}.{parts[^1]}";
    }

    private static string Unindented(string code)
    {
        var lines = code.ReplaceLineEndings("\n").Trim('\n').TrimEnd().Split('\n');
        var indent = lines.Where(line => line.Trim().Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join("\n", lines.Select(line => line.Length >= indent ? line[indent..] : line));
    }
}
