using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Capsules.Onnx;

namespace Capsules.ApiReference;

/// <summary>The API reference: a page for each folder of the library's sources, one for Capsules.Onnx, and an index.</summary>
public static class Pages
{
    private const string Index = "README.md", Other = "Common", Onnx = "Onnx";

    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private const string Head =
        "# API reference\n\nMade of the comments in the sources by `tools/Capsules.ApiReference`; one page for each folder of `src/Capsules`, " +
        "and one for the package Capsules.Onnx. Which threads may use a type at once: [Threads](../reliability.md#threads).\n";

    /// <summary>The text of each page by its file name.</summary>
    /// <param name="root">The repository's folder.</param>
    public static SortedDictionary<string, string> Write(string root)
    {
        var folders = FoldersOfTypes(Path.Combine(root, "src", "Capsules"));
        var groups = typeof(CapsuleLayer).Assembly.GetExportedTypes().Where(type => !type.IsNested).GroupBy(type => folders[type.Name])
            .Concat(typeof(OnnxGraph).Assembly.GetExportedTypes().GroupBy(_ => Onnx)).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => (Name: group.Key, Types: group.OrderBy(type => type.Name, StringComparer.Ordinal).ToList())).ToList();

        var pages = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var index = new StringBuilder(Head);
        foreach (var (name, types) in groups)
        {
            var comments = new Comments(Path.ChangeExtension(types[0].Assembly.Location, ".xml"));
            pages[$"{name}.md"] = Page(name, types, comments);
            index.Append($"\n## {name}\n\n| | |\n|---|---|\n");
            foreach (var type in types)
            {
                index.Append($"| [`{type.Name}`]({name}.md#{type.Name.ToLowerInvariant()}) | {Comments.Cell(comments.Of(type).Summary)} |\n");
            }
        }

        pages[Index] = index.ToString();
        return pages;
    }

    private static string Page(string name, List<Type> types, Comments comments)
    {
        var page = new StringBuilder($"# {name}\n\n[All pages](README.md)\n");
        foreach (var type in types)
        {
            page.Append($"\n## {type.Name}\n\n    {Signature.Of(type)}\n");
            Append(page, comments.Of(type), []);
            foreach (var member in Members(type).Where(member => !IsImplicit(member, comments)))
            {
                page.Append($"\n**`{Signature.Of(member)}`**\n");
                Append(page, comments.Of(member), member is MethodBase method ? method.GetParameters() : []);
            }
        }

        return page.ToString();
    }

    private static void Append(StringBuilder page, Comment comment, ParameterInfo[] parameters)
    {
        foreach (var text in (string[])[comment.Summary, comment.Remarks])
        {
            page.Append(text.Length == 0 ? "" : $"\n{text}\n");
        }

        var rows = parameters.Where(parameter => comment.Parameters.ContainsKey(parameter.Name!))
            .Select(parameter => $"- `{parameter.Name}`: {comment.Parameters[parameter.Name!]}\n")
            .Concat(comment.Parameters.Where(_ => parameters.Length == 0).Select(pair => $"- `{pair.Key}`: {pair.Value}\n"))
            .Concat(comment.Returns.Length == 0 ? [] : [$"- Returns: {comment.Returns}\n"])
            .Concat(comment.Exceptions.Select(pair => $"- Throws `{pair.Type}`: {pair.Text}\n")).ToList();
        page.Append(rows.Count == 0 ? "" : $"\n{string.Concat(rows)}");
        page.Append(comment.Example.Length == 0 ? "" : $"\n```text\n{comment.Example}\n```\n");
    }

    // What a user can call or derive from, in the order constructors, properties and fields, methods; not what every record and enum has.
    private static IEnumerable<MemberInfo> Members(Type type)
    {
        if (type.IsEnum)
        {
            return type.GetFields(BindingFlags.Public | BindingFlags.Static);
        }

        return type.GetMembers(Declared)
            .Where(member => !member.IsDefined(typeof(CompilerGeneratedAttribute)) && member is not Type && IsVisible(member))
            .Where(member => member is not MethodInfo { IsSpecialName: true } && !member.Name.Contains('<') && !IsOfTheRuntime(member))
            .OrderBy(member => member switch { ConstructorInfo => 0, MethodInfo => 2, _ => 1 }).ThenBy(member => member.Name, StringComparer.Ordinal)
            .ThenBy(Signature.Of, StringComparer.Ordinal);
    }

    // The constructor without parameters that the compiler adds.
    private static bool IsImplicit(MemberInfo member, Comments comments) =>
        member is ConstructorInfo constructor && constructor.GetParameters().Length == 0 && comments.Of(member).Summary.Length == 0;

    private static bool IsVisible(MemberInfo member) => member switch
    {
        MethodBase method => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly,
        PropertyInfo property => property.GetAccessors(true).Any(IsVisible),
        FieldInfo field => field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly,
        _ => false,
    };

    private static bool IsOfTheRuntime(MemberInfo member) => member is MethodInfo { Name: "Dispose" or "ToString" or "Finalize" or "GetEnumerator" };

    // A type's folder is where its declaration is found.
    private static Dictionary<string, string> FoldersOfTypes(string sources)
    {
        var result = new Dictionary<string, string>();
        foreach (var file in Directory.GetFiles(sources, "*.cs", SearchOption.AllDirectories).Where(path => !Regex.IsMatch(path, @"[\\/](obj|bin)[\\/]")))
        {
            var parts = Path.GetRelativePath(sources, file).Split(Path.DirectorySeparatorChar);
            const string Declaration = @"^public [\w ]*\b(?:class|record|enum|struct|interface)\s+(?<name>\w+)";
            foreach (Match match in Regex.Matches(File.ReadAllText(file), Declaration, RegexOptions.Multiline))
            {
                result[match.Groups["name"].Value] = parts.Length == 1 ? Other : parts[0];
            }
        }

        return result;
    }
}
