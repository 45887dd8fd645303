using System.Diagnostics;

namespace Capsules.Fuzz;

/// <summary>Damages a target's files, one at a time, until its time is up, and keeps those that it does not take as documented.</summary>
/// <param name="target">The reader.</param>
/// <param name="found">Where files go that it failed over.</param>
internal sealed class Fuzzing(FuzzTarget target, string found)
{
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(20);
    private const long MostAllocated = 1L << 30, MostMemory = 4L << 30;

    private readonly HashSet<string> _kinds = [];
    private string _path = "";
    private long _began = long.MaxValue;

    /// <returns>How many files made it fail in different ways.</returns>
    public int Run(TimeSpan time, int seed)
    {
        var folder = Directory.CreateTempSubdirectory("capsules-fuzz-").FullName;
        foreach (var (file, content) in target.Seeds)
        {
            Write(Path.Combine(folder, file), content);
        }

        foreach (var (file, _) in target.Seeds)
        {
            target.Read(Path.Combine(folder, file));      // what is whole must be read
        }

        using var watch = new Timer(_ => Watch(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        var (random, clock, cases, read, refused) = (new Random(seed), Stopwatch.StartNew(), 0L, 0L, 0L);
        while (clock.Elapsed < time)
        {
            var (file, content) = target.Seeds[random.Next(target.Seeds.Count)];
            byte[] damaged;
            try
            {
                damaged = target.Damage(file, content, random);
            }
            catch (Exception failure)
            {
                Console.WriteLine($"damage: {failure}");
                return 1;
            }

            Write(_path = Path.Combine(folder, file), damaged);
            var allocated = GC.GetAllocatedBytesForCurrentThread();
            Interlocked.Exchange(ref _began, Stopwatch.GetTimestamp());
            try
            {
                target.Read(_path);
                read++;
            }
            catch (Exception failure)
            {
                refused++;
                if (!target.IsAllowed(failure))
                {
                    Keep($"{failure.GetType().Name} {failure.StackTrace?.Split('\n').FirstOrDefault(line => line.Contains("Capsules."))?.Trim()}", damaged, failure);
                }
            }

            Interlocked.Exchange(ref _began, long.MaxValue);
            if (GC.GetAllocatedBytesForCurrentThread() - allocated is > MostAllocated and var bytes)
            {
                Keep("allocated", damaged, new InvalidOperationException($"{bytes:N0} bytes were allocated over a file of {damaged.Length:N0}"));
            }

            Write(_path, content);
            cases++;
        }

        Directory.Delete(folder, recursive: true);
        using var self = Process.GetCurrentProcess();
        Console.WriteLine($"{target.Name}: {cases:N0} files in {clock.Elapsed.TotalMinutes:f1} minutes, {read:N0} read, {refused:N0} refused, {_kinds.Count} failures; " +
            $"seed {seed}, peak memory {self.PeakWorkingSet64 >> 20:N0} MiB");
        return _kinds.Count;
    }

    private void Watch()
    {
        var began = Interlocked.Read(ref _began);
        using var self = Process.GetCurrentProcess();
        var memory = self.WorkingSet64;
        if (began != long.MaxValue && Stopwatch.GetElapsedTime(began) is var elapsed && elapsed > MostTime || memory > MostMemory)
        {
            Directory.CreateDirectory(found);
            File.Copy(_path, Path.Combine(found, $"{target.Name}-slow-{Path.GetFileName(_path)}"), overwrite: true);
            Console.WriteLine($"{target.Name}: a file took too long or too much memory ({memory >> 20:N0} MiB); it is in {found}.");
            Environment.Exit(2);
        }
    }

    private void Keep(string kind, byte[] damaged, Exception failure)
    {
        if (!_kinds.Add(kind))
        {
            return;
        }

        Directory.CreateDirectory(found);
        File.WriteAllBytes(Path.Combine(found, $"{target.Name}-{_kinds.Count}-{Path.GetFileName(_path)}"), damaged);
        Console.WriteLine($"{target.Name}-{_kinds.Count} ({Path.GetFileName(_path)}, {damaged.Length} bytes): {failure}\n");
    }

    private static void Write(string path, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
    }
}
