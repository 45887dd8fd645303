using System.CommandLine;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary><c>compare-network</c>: whole networks, each in a process of its own, in turn.</summary>
internal static class CompareNetworkCommand
{
    public const string Name = "compare-network";

    public static RootCommand Create()
    {
        var batch = Count("--batch", "Images in a step.", 100);
        var device = CompareCommand.DeviceOption();
        var rounds = Count("--rounds", "Rounds; in each, every network does each thing once.", 9);
        var threads = new Option<int>("--threads") { Description = "Threads of libtorch; 0 for its own choice.", DefaultValueFactory = _ => 0 };
        var json = new Option<FileInfo?>("--json") { Description = "Write everything measured to this file.", HelpName = "FILE" };
        var markdown = new Option<FileInfo?>("--markdown") { Description = "Write the printed report to this file too.", HelpName = "FILE" };
        var root = new RootCommand("Compares training and inference of the 2017 network, as this library runs it, with the same network op by op.") { batch, device, rounds, threads, json, markdown };
        root.SetAction(result =>
        {
            try
            {
                if (result.GetValue(threads) is > 0 and var count)
                {
                    torch.set_num_threads(count);      // for the report; the networks' processes are told theirs
                }

                var run = NetworkComparison.Run(result.GetValue(batch), result.GetValue(rounds), result.GetValue(threads), CompareCommand.Open(result.GetValue(device)!), Console.Error.WriteLine);
                CompareCommand.Publish(run, NetworkReport.Of(run), result.GetValue(markdown), result.GetValue(json));
                return 0;
            }
            catch (Exception failure) when (failure is InvalidOperationException or IOException or UserException)
            {
                Console.Error.WriteLine(failure.Message);
                return 1;
            }
        });
        return root;
    }

    public static Option<int> Count(string name, string description, int byDefault, int least = 1) =>
        CommonOptions.AtLeast(new Option<int>(name) { Description = description, DefaultValueFactory = _ => byDefault }, least);
}
