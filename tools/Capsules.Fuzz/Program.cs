using System.Globalization;
using Capsules.Fuzz;
using TorchSharp;

// Capsules.Fuzz TARGET [MINUTES] [SEED] [FOLDER]: see docs/reliability.md.
if (args.Length == 0)
{
    Console.WriteLine($"Give a target ({string.Join(", ", Targets.Names)}), then the minutes (1), a seed (1) and a folder for what is found (found).");
    return 1;
}

torch.set_num_threads(1);
var minutes = double.Parse(args.ElementAtOrDefault(1) ?? "1", NumberStyles.Float, CultureInfo.InvariantCulture);
var seed = int.Parse(args.ElementAtOrDefault(2) ?? "1", CultureInfo.InvariantCulture);
return new Fuzzing(Targets.Get(args[0]), args.ElementAtOrDefault(3) ?? "found").Run(TimeSpan.FromMinutes(minutes), seed) == 0 ? 0 : 1;
