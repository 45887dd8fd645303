using static TorchSharp.torch;

namespace Capsules;

/// <summary>Products of many matrices into memory that is already there, which TorchSharp does not bind.</summary>
internal static unsafe class BatchProduct
{
    // aoti_torch_cpu_baddbmm_out(out, self, batch1, batch2, beta, alpha) of libtorch's C interface: out = beta self + alpha batch1 batch2.
    private static readonly delegate* unmanaged[Cdecl]<nint, nint, nint, nint, double, double, int> Native =
        (delegate* unmanaged[Cdecl]<nint, nint, nint, nint, double, double, int>)TorchLibrary.Find("aoti_torch_cpu_baddbmm_out");

    /// <summary>result = a b, or result += a b.</summary>
    /// <param name="result">(n, r, c), on the CPU; contiguous matrices next to each other are the fastest.</param>
    /// <param name="a">(n, r, k).</param>
    /// <param name="b">(n, k, c).</param>
    /// <param name="add">Whether the product is added to what is there.</param>
    /// <exception cref="InvalidOperationException">libtorch refused; it wrote the reason to standard error.</exception>
    public static void Store(Tensor result, Tensor a, Tensor b, bool add)
    {
        if (Native == null)
        {
            StoreByCopy(result, a, b, add);
            return;
        }

        var code = Native(result.Handle, result.Handle, a.Handle, b.Handle, add ? 1 : 0, 1);
        GC.KeepAlive(result);
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        if (code != 0)
        {
            throw new InvalidOperationException("libtorch could not multiply matrices; the reason is on standard error.");
        }
    }

    /// <summary>The same for a libtorch without the entry point.</summary>
    internal static void StoreByCopy(Tensor result, Tensor a, Tensor b, bool add)
    {
        using var scope = NewDisposeScope();
        var product = a.bmm(b);
        if (add)
        {
            Arithmetic.Accumulate(result, product);
        }
        else
        {
            result.copy_(product);
        }
    }
}
