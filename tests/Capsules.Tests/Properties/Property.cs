using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using static TorchSharp.torch;

namespace Capsules.Tests.Properties;

/// <summary>
/// How often properties are tried: 2,480 cases over all of them, or as many as CAPSULES_PROPERTY_CASES says. The cases are always the same
/// unless CAPSULES_PROPERTY_SEED gives another seed; the seed is told, and a case that fails is written out whole.
/// </summary>
internal static class Property
{
    private const double OfSuite = 2480, MostUntold = 0.03;

    /// <summary>From so much on, in parts of the largest number, what changing inputs in float32's last places does to a result leaves nothing to compare.</summary>
    public const double MostAmplified = 1e-3;

    /// <param name="share">Cases of the suite's 2,480.</param>
    /// <param name="cases">The cases.</param>
    /// <param name="holds">Throws where the property does not hold. Tensors that it makes go with the case.</param>
    public static void ForAll<T>(int share, Gen<T> cases, Action<T> holds) => ForAll(share, cases, drawn =>
    {
        holds(drawn);
        return true;
    });

    /// <param name="share">Cases of the suite's 2,480.</param>
    /// <param name="cases">The cases.</param>
    /// <param name="holds">Throws where the property does not hold, and is false where a case does not tell: of them there may be 3 in 100.</param>
    public static void ForAll<T>(int share, Gen<T> cases, Func<T, bool> holds)
    {
        var total = double.Parse(Environment.GetEnvironmentVariable("CAPSULES_PROPERTY_CASES") ?? "2480", CultureInfo.InvariantCulture);
        var seed = ulong.Parse(Environment.GetEnvironmentVariable("CAPSULES_PROPERTY_SEED") ?? "20261125", CultureInfo.InvariantCulture);
        var (count, done, untold) = ((int)Math.Ceiling(share * total / OfSuite), 0, 0);
        using var oneThread = new OneThread();
        Prop.ForAll(cases.ToArbitrary(), drawn =>
        {
            using var scope = NewDisposeScope();
            untold += holds(drawn) ? 0 : 1;
            done++;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(count).WithReplay(seed, 1));
        var said = $"{TestContext.Current.Test?.TestDisplayName}: {done} cases, seed {seed}, {untold} of them left out";
        TestContext.Current.SendDiagnosticMessage(said);
        if (Environment.GetEnvironmentVariable("CAPSULES_PROPERTY_LOG") is { Length: > 0 } log)
        {
            File.AppendAllText(log, said + "\n");
        }

        ((double)untold).Should().BeLessThanOrEqualTo(Math.Max(1, MostUntold * done), "cases that cannot tell are few");
    }

    // Cases are small: threads would but wait for each other.
    private sealed class OneThread : IDisposable
    {
        private readonly int _before = get_num_threads();

        public OneThread() => set_num_threads(1);

        public void Dispose() => set_num_threads(_before);
    }
}
