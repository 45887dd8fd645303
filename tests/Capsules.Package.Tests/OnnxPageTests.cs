using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Capsules.Package.Tests;

/// <summary>The programs of docs/onnx.md: one exports with the packed Capsules.Onnx, another serves that file without libtorch.</summary>
public sealed partial class OnnxPageTests(PackedLibrary library) : IDisposable
{
    private string PackagePath => Path.Combine(library.Feed, $"Capsules.Onnx.{library.Version}.nupkg");

    [Fact]
    public async Task OnnxPage_Programs_ExportAndServe()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsWindows(), "This runs where libtorch is for x64.");
        await library.Pack("Capsules.Onnx", library.Feed);
        var programs = Programs("docs", "onnx.md");
        programs.Should().HaveCount(3);
        var readme = Programs("src", "Capsules.Onnx", "README.md").Should().ContainSingle().Subject;
        PackageTests.Text(PackageTests.Read(PackagePath, "README.md")).Should().Be(PackageTests.Text(File.ReadAllBytes(Repository.File("src", "Capsules.Onnx", "README.md"))))
            .And.NotMatchRegex(@"\]\((?!https://)", "the package's page has no files beside it");

        var export = await Consumer.Create(library, "onnx-export");
        export.AddTorchSharpCpu();
        export.SetProperty("CapsulesTorchOnOldLinux", "true");
        export.Add("PackageReference", "Capsules.Onnx", library.Version);
        export.SetProgram(programs[0]);
        File.WriteAllText(Path.Combine(export.Folder, "Second.cs"), InMethod("Second", programs[1]));
        File.WriteAllText(Path.Combine(export.Folder, "Readme.cs"), InMethod("Readme", readme));
        await export.Build("-warnaserror");
        await export.Run();
        var network = Path.Combine(export.Folder, "network.onnx");
        File.Exists(network).Should().BeTrue();
        File.Exists(Path.Combine(export.Folder, "own.onnx")).Should().BeFalse("the second program is compiled, not called");

        var server = await Consumer.Create(library, "onnx-serve");
        server.Edit(project =>
        {
            project.SetAttributeValue("Sdk", "Microsoft.NET.Sdk.Web");
            project.Descendants("PackageReference").Remove();
        });
        server.Add("PackageReference", "Microsoft.ML.OnnxRuntime", PackageVersion("Microsoft.ML.OnnxRuntime"));
        server.SetProgram(programs[2]);
        await server.Build("-warnaserror");
        File.Copy(network, Path.Combine(server.Output, "network.onnx"));
        Directory.GetFiles(server.Output, "*torch*", SearchOption.AllDirectories).Should().BeEmpty();
        await Serve(Path.Combine(server.Output, "onnx-serve.dll"));
    }

    public void Dispose()
    {
        File.Delete(PackagePath);
        File.Delete(Path.ChangeExtension(PackagePath, ".snupkg"));
    }

    private static async Task Serve(string program)
    {
        var address = $"http://127.0.0.1:{FreePort()}";
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [program, "--urls", address])
        {
            WorkingDirectory = Path.GetDirectoryName(program)!,
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        try
        {
            using var client = new HttpClient { BaseAddress = new Uri(address) };
            using var answer = await Ask(client, process, new float[784]);
            var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            answer.StatusCode.Should().Be(HttpStatusCode.OK, text);
            using var json = JsonDocument.Parse(text);
            json.RootElement.GetProperty("class").GetString().Should().BeOneOf("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine");
            json.RootElement.GetProperty("probability").GetDouble().Should().BeInRange(0, 1);
            using var refused = await Ask(client, process, new float[3]);
            refused.StatusCode.Should().Be(HttpStatusCode.BadRequest);
            (await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Should().Contain("Give 784 pixels.");
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    // Until the server listens, for at most a minute.
    private static async Task<HttpResponseMessage> Ask(HttpClient client, Process process, float[] pixels)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await client.PostAsJsonAsync("/classify", new { Pixels = pixels }, TestContext.Current.CancellationToken);
            }
            catch (HttpRequestException) when (attempt < 240 && !process.HasExited)
            {
                await Task.Delay(250, TestContext.Current.CancellationToken);
            }
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string[] Programs(params string[] page) =>
        [.. CSharpBlock().Matches(PackageTests.Text(File.ReadAllBytes(Repository.File(page)))).Select(match => match.Groups["code"].Value)];

    // Usings on top, the rest as the body of a method: a project has but one program.
    private static string InMethod(string name, string program)
    {
        var usings = UsingDirective().Matches(program).Select(match => match.Value);
        return $"{string.Concat(usings)}internal static class {name}\n{{\n    public static void Run()\n    {{\n{UsingDirective().Replace(program, "")}    }}\n}}\n";
    }

    private static string PackageVersion(string name) => XDocument.Load(Repository.File("Directory.Packages.props"))
        .Descendants("PackageVersion").Single(element => (string?)element.Attribute("Include") == name).Attribute("Version")!.Value;

    [GeneratedRegex(@"^```csharp\n(?<code>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"^using (static )?[\w.]+;\n", RegexOptions.Multiline)]
    private static partial Regex UsingDirective();
}
