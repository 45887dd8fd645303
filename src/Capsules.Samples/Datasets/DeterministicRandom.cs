namespace Capsules.Samples;

/// <summary>Random numbers that are the same on every platform and in every release: SplitMix64.</summary>
/// <remarks>
/// <para><see cref="Random"/> promises no stable sequence for a seed, and torch's generator is global. Only integer operations and
/// exactly rounded floating-point ones are used here, so two machines agree to the last bit.</para>
/// <para>Steele, Lea, Flood. "Fast splittable pseudorandom number generators", 2014.</para>
/// </remarks>
internal struct DeterministicRandom
{
    private const ulong Golden = 0x9E3779B97F4A7C15;
    private ulong _state;

    /// <summary>Starts the sequence that belongs to a seed, a stream within it, and an index within that.</summary>
    public DeterministicRandom(ulong seed, ulong stream = 0, ulong index = 0)
    {
        // Mixed at each step: sequences of neighbouring indices would otherwise overlap, shifted by one.
        _state = Mix(seed + Golden);
        _state = Mix(_state + Golden * (stream + 1));
        _state = Mix(_state + Golden * (index + 1));
    }

    public ulong NextUInt64() => Mix(_state += Golden);

    /// <summary>A number in [0, 1).</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A number in [low, high).</summary>
    public double NextDouble(double low, double high) => low + (high - low) * NextDouble();

    /// <summary>An integer in [0, bound).</summary>
    public int NextInt32(int bound) => (int)Math.BigMul(NextUInt64(), (ulong)bound, out _);

    /// <summary>Puts values into a random order: Fisher, Yates.</summary>
    public void Shuffle<T>(Span<T> values)
    {
        for (var i = values.Length - 1; i > 0; i--)
        {
            var j = NextInt32(i + 1);
            (values[i], values[j]) = (values[j], values[i]);
        }
    }

    /// <summary>A bell-shaped number of mean 0 and variance 1 that never leaves [-3.5, 3.5]: four uniform ones, summed.</summary>
    public double NextBell() => (NextDouble() + NextDouble() + NextDouble() + NextDouble() - 2) * 1.7320508075688772;

    /// <summary>A nearly normal number of mean 0 and variance 1: twelve uniform ones, summed.</summary>
    public double NextNormal()
    {
        var sum = -6.0;
        for (var i = 0; i < 12; i++)
        {
            sum += NextDouble();
        }

        return sum;
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
