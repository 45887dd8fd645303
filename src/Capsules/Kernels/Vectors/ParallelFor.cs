using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>Runs a kernel's tasks on libtorch's own threads.</summary>
/// <remarks>
/// Two thread pools in one process fight for the cores, so the kernels use the pool that the torch operations around them
/// use; it honours torch.set_num_threads. Tasks are numbered and each writes only what belongs to its number, so the
/// result depends on how many there are and not on which thread runs which.
/// </remarks>
internal static unsafe class ParallelFor
{
    // A libtorch that lacks the entry point (before 2.10) still gets parallel tasks, from .NET's pool.
    private static readonly delegate* unmanaged[Cdecl]<long, long, long, delegate* unmanaged[Cdecl]<long, long, void*, void>, void*, int> Native =
        (delegate* unmanaged[Cdecl]<long, long, long, delegate* unmanaged[Cdecl]<long, long, void*, void>, void*, int>)TorchLibrary.Find("torch_parallel_for");

    private struct Call
    {
        public delegate*<int, void*, void> Task;
        public void* State;
        public GCHandle Failure;
    }

    /// <summary>As <see cref="Run"/>, but on the calling thread where the tasks together touch too few floats to be worth waking others.</summary>
    public static void RunIfWorthwhile(int tasks, long floats, delegate*<int, void*, void> task, void* state)
    {
        if (floats >= 256 * 1024)
        {
            Run(tasks, task, state);
            return;
        }

        for (var number = 0; number < tasks; number++)
        {
            task(number, state);
        }
    }

    /// <summary>Calls <paramref name="task"/> with each number from 0 to <paramref name="tasks"/> - 1, in parallel.</summary>
    public static void Run(int tasks, delegate*<int, void*, void> task, void* state)
    {
        if (tasks == 1)
        {
            task(0, state);
            return;
        }

        var failure = new Exception?[1];
        var call = new Call { Task = task, State = state, Failure = GCHandle.Alloc(failure) };
        try
        {
            if (Native != null)
            {
                if (Native(0, tasks, 1, &Range, &call) != 0)
                {
                    throw new InvalidOperationException("libtorch's torch_parallel_for reported a failure.");
                }
            }
            else
            {
                var address = (nint)(&call);
                Parallel.For(0, tasks, number => One(number, (Call*)address));
            }
        }
        finally
        {
            call.Failure.Free();
        }

        if (failure[0] is { } exception)
        {
            ExceptionDispatchInfo.Throw(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Range(long begin, long end, void* state)
    {
        for (var number = begin; number < end; number++)
        {
            One((int)number, (Call*)state);
        }
    }

    private static void One(int number, Call* call)
    {
        // An exception must not pass through native frames: it is carried to the caller's thread instead.
        try
        {
            call->Task(number, call->State);
        }
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref ((Exception?[])call->Failure.Target!)[0], exception, null);
        }
    }
}
