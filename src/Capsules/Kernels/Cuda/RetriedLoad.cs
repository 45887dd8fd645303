namespace Capsules;

/// <summary>
/// Something that is loaded at the first call for it. A failure that lasts is remembered; one that may pass is tried again.
/// </summary>
/// <param name="load">Loads it, or throws what says why not.</param>
/// <param name="isFailure">Whether an exception means that it cannot be loaded; any other is the caller's.</param>
/// <param name="mayPass">Whether such a failure may pass.</param>
/// <param name="clock">Tells when to try again: a second later at the earliest, since callers come hundreds of times a second.</param>
internal sealed class RetriedLoad<T>(Func<T> load, Func<Exception, bool> isFailure, Func<Exception, bool> mayPass, TimeProvider clock)
    where T : class
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private volatile T? _loaded;
    private Exception? _failure;
    private long _failedAt;

    /// <summary>What was loaded; or null, with the reason of the last failure.</summary>
    public T? Get(out string? reason)
    {
        reason = null;
        if (_loaded is { } loaded)
        {
            return loaded;
        }

        lock (_lock)
        {
            if (_loaded is null && IsDue)
            {
                Try();
            }

            reason = _failure?.Message;
            return _loaded;
        }
    }

    private bool IsDue => _failure is null || (mayPass(_failure) && clock.GetElapsedTime(_failedAt) >= Pause);

    private void Try()
    {
        try
        {
            _loaded = load();
            _failure = null;
        }
        catch (Exception exception) when (isFailure(exception))
        {
            (_failure, _failedAt) = (exception, clock.GetTimestamp());
        }
    }
}
