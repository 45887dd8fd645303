namespace Capsules;

/// <summary>Something that is loaded at the first call for it; whether that succeeded holds for the life of the process.</summary>
/// <remarks>
/// Even where a failure might pass: what a program computes with would change in the middle of a run, and with it the last bits of its
/// results, depending on what else was using the GPU.
/// </remarks>
/// <param name="load">Loads it, or throws.</param>
/// <param name="reason">Why it cannot be loaded, of an exception; null where the exception does not mean that and is the caller's.</param>
internal sealed class LoadedOnce<T>(Func<T> load, Func<Exception, string?> reason)
    where T : class
{
    private readonly Lock _lock = new();
    private volatile T? _loaded;
    private string? _failure;

    /// <summary>What was loaded; or null, with the reason.</summary>
    public T? Get(out string? failure)
    {
        failure = null;
        if (_loaded is { } loaded)
        {
            return loaded;
        }

        lock (_lock)
        {
            if (_loaded is null && _failure is null)
            {
                Load();
            }

            failure = _failure;
            return _loaded;
        }
    }

    private void Load()
    {
        try
        {
            _loaded = load();
        }
        catch (Exception exception) when (reason(exception) is { } text)
        {
            _failure = text;
        }
    }
}
