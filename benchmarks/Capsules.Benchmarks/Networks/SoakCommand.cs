using System.CommandLine;
using System.Diagnostics;
using System.Security.Cryptography;

namespace Capsules.Benchmarks;

/// <summary><c>soak</c>: many training steps, twice: resident memory must stay flat, and both runs must give the same losses.</summary>
internal static class SoakCommand
{
    public const string Name = "soak", ChildName = "soak-child";

    /// <summary>After how many steps memory counts, and how far it may then rise.</summary>
    private const int Settled = 100;

    private const double MostGrowth = 16e6;

    public static RootCommand Create()
    {
        var steps = CompareNetworkCommand.Count("--steps", $"Steps of each run; memory counts after {Settled}.", 2000, Settled + 1);
        var batch = CompareNetworkCommand.Count("--batch", "Images in a step.", 100);
        var network = new Option<string>("--network") { Description = $"One of: {string.Join(", ", TrainedNetwork.Names)}.", DefaultValueFactory = _ => TrainedNetwork.OursFloat32 };
        network.AcceptOnlyFromAmong([.. TrainedNetwork.Names]);
        var root = new RootCommand("Trains for many steps, twice: memory must stay flat after 100, and losses must be the same.") { steps, batch, network };
        root.SetAction(result =>
        {
            string[] runs = [.. Enumerable.Range(0, 2).Select(_ => SelfProcess.Run(ChildName, result.GetValue(network)!, $"{result.GetValue(batch)}", $"{result.GetValue(steps)}"))];
            foreach (var run in runs)
            {
                Console.WriteLine(run);
            }

            var (first, second) = (runs[0].Split(' '), runs[1].Split(' '));
            if (first.Length != 4 || second.Length != 4)
            {
                Console.Error.WriteLine("A run did not end; its message is above.");
                return 1;
            }

            var same = first[0] == second[0];
            var growth = Math.Max(double.Parse(first[2]), double.Parse(second[2]));
            Console.WriteLine($"losses of both runs: {(same ? "the same to the last bit" : "DIFFERENT")}; resident memory after step {Settled} rose by at most {growth / 1e6:f1} MB ({(growth <= MostGrowth ? "flat" : "NOT flat")})");
            return same && growth <= MostGrowth ? 0 : 1;
        });
        return root;
    }

    /// <summary>One run: prints "digest-of-losses last-loss growth-in-bytes resident-bytes".</summary>
    public static int Run(string[] args)
    {
        if (TrainedNetwork.KeepsMemory(args[0]))
        {
            Allocator.KeepLargeBlocks();
        }

        var (batch, steps) = (int.Parse(args[1]), int.Parse(args[2]));
        using var network = TrainedNetwork.Make(args[0]);
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var (loss, settled, most) = (0f, 0L, 0L);
        for (var step = 1; step <= steps; step++)
        {
            var (images, labels) = NetworkWeights.Batch(batch, seed: step % 50);
            loss = network.Step(images, labels);
            images.Dispose();
            labels.Dispose();
            digest.AppendData(BitConverter.GetBytes(loss));
            if (step == Settled)
            {
                settled = Resident();
            }

            most = step > Settled ? Math.Max(most, Resident() - settled) : most;
            if (step % 100 == 0)
            {
                Console.Error.WriteLine($"step {step}: loss {loss:f5}, resident {Resident() / 1e6:f0} MB");
            }
        }

        Console.WriteLine($"{Convert.ToHexStringLower(digest.GetHashAndReset())} {loss:r} {most} {Resident()}");
        return 0;
    }

    private static long Resident()
    {
        using var self = Process.GetCurrentProcess();
        return self.WorkingSet64;
    }
}
