using System.Reflection;
using Capsules.ApiReference;

var root = typeof(Pages).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(metadata => metadata.Key == "RepositoryRoot").Value!;
var folder = Path.Combine(root, "docs", "api");
var pages = Pages.Write(root);
Directory.CreateDirectory(folder);
foreach (var old in Directory.GetFiles(folder, "*.md").Where(path => !pages.ContainsKey(Path.GetFileName(path))))
{
    File.Delete(old);
}

foreach (var (name, text) in pages)
{
    File.WriteAllText(Path.Combine(folder, name), text);
}

Console.WriteLine($"{pages.Count} pages in {folder}");
