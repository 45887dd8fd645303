using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Prepares the batches of an epoch on a thread of its own, one ahead of the step that runs.</summary>
internal sealed unsafe class BatchFeed : IDisposable
{
    private readonly Func<int, ImageBatch> _prepare;
    private readonly BlockingCollection<ImageBatch> _ready = new(boundedCapacity: 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;
    private Exception? _failure;

    /// <param name="first">The first step.</param>
    /// <param name="end">The step after the last.</param>
    /// <param name="prepare">Makes the batch of a step; called on the other thread, in order.</param>
    public BatchFeed(int first, int end, Func<int, ImageBatch> prepare)
    {
        _prepare = prepare;
        _thread = new Thread(() => Work(first, end)) { IsBackground = true, Name = "batches" };
        _thread.Start();
    }

    /// <summary>The next step's batch, which joins the caller's dispose scope.</summary>
    /// <exception cref="InvalidOperationException">There is none left, or preparing it failed.</exception>
    public ImageBatch Next()
    {
        if (!_ready.TryTake(out var batch, Timeout.Infinite))
        {
            throw new InvalidOperationException(_failure is null ? "The epoch has no more batches." : $"A batch could not be prepared: {_failure.Message}", _failure);
        }

        using (batch.Images)
        using (batch.Labels)
        using (batch.Parts)
        {
            return batch.Select(tensor => tensor.alias());      // made on this thread, these are in its scope
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        foreach (var batch in _ready)
        {
            Dispose(batch);
        }

        _ready.Dispose();
        _stop.Dispose();
    }

    private void Work(int first, int end)
    {
        try
        {
            UseOneThread();
            for (var step = first; step < end; step++)
            {
                var batch = Prepared(step);
                try
                {
                    _ready.Add(batch, _stop.Token);
                }
                catch (OperationCanceledException)
                {
                    Dispose(batch);
                    return;
                }
            }
        }
#pragma warning disable CA1031
        catch (Exception failure)
#pragma warning restore CA1031
        {
            _failure = failure;      // told to the caller of Next
        }
        finally
        {
            _ready.CompleteAdding();
        }
    }

    private ImageBatch Prepared(int step)
    {
        using var scope = NewDisposeScope();
        return _prepare(step).Select(tensor => tensor.DetachFromDisposeScope());
    }

    private static void Dispose(ImageBatch batch)
    {
        batch.Images.Dispose();
        batch.Labels.Dispose();
        batch.Parts?.Dispose();
    }

    // OpenMP gives every thread that computes a team of its own, and two teams on the same cores wait for each other. Its number of threads
    // is the calling thread's own; torch's set_num_threads also says what threads to come begin with.
    // Where the function is not found, as where torch_cpu does not export it, the thread keeps as many as the others.
    private static void UseOneThread()
    {
        _ = get_num_threads();      // a thread that asks or computes for the first time is given what set_num_threads was told: not after this

        if (NativeLibrary.TryLoad("torch_cpu", typeof(Tensor).Assembly, null, out var torch) && NativeLibrary.TryGetExport(torch, "omp_set_num_threads", out var set))
        {
            ((delegate* unmanaged[Cdecl]<int, void>)set)(1);
        }
    }
}
