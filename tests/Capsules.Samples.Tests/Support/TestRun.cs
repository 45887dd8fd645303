using Spectre.Console;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

/// <summary>A run of an untrained Efficient-CapsNet, the smallest of the networks, on a few built-in digits.</summary>
internal static class TestRun
{
    public static TrainingOptions Options { get; } = SmallDigits.Options with { Model = "efficient" };

    /// <summary>What the commands that draw pictures work on; their files go to a folder.</summary>
    public static Inspection Inspect(string folder, IAnsiConsole? console = null, int test = 20, string model = "efficient", double reconstruction = 1)
    {
        manual_seed(7);
        var dataset = SmallDigits.Create(10, test, size: 28);
        var checkpoint = new Checkpoint(Options with { Model = model, ReconstructionWeight = reconstruction }, DatasetFacts.Of(dataset), new TrainingState());
        var network = checkpoint.MakeNetwork();
        network.eval();
        return new Inspection(console ?? new TestOutput().Console, checkpoint, network, dataset, CPU, folder);
    }

    /// <summary>
    /// Saves such a run into a folder, as train does, and its images beside it as MNIST's files: opening the built-in digits, of which
    /// there are many thousands, would take each command a second.
    /// </summary>
    public static void Save(string folder, string model = "efficient")
    {
        using var inspection = Inspect(folder, model: model, reconstruction: NetworkCatalog.Get(model).Recipe.ReconstructionWeight > 0 ? 1 : 0);
        using var optimizer = optim.SGD(inspection.Network.parameters(), 0.1);      // it has no state, which none of the tests read
        var checkpoint = inspection.Checkpoint with { Dataset = inspection.Checkpoint.Dataset with { Name = Mnist.Name } };
        checkpoint.Save(Path.Combine(folder, "last.ckpt"), inspection.Network, optimizer);
        SmallDigits.WriteMnist(folder, inspection.Dataset);
    }

    /// <summary>Runs a command line of the program in this process with its output caught.</summary>
    public static async Task<(int Code, string Output, string Error)> CommandLine(params string[] args)
    {
        var (output, error) = (new TestOutput(), new StringWriter());
        var (savedConsole, savedOut, savedError) = (AnsiConsole.Console, Console.Out, Console.Error);
        var plain = new StringWriter();
        try
        {
            AnsiConsole.Console = output.Console;
            Console.SetOut(plain);
            Console.SetError(error);
            return (await Samples.CommandLine.RunAsync(args, TestContext.Current.CancellationToken), output.Text + plain, error.ToString());
        }
        finally
        {
            AnsiConsole.Console = savedConsole;
            Console.SetOut(savedOut);
            Console.SetError(savedError);
        }
    }
}
