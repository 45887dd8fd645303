using static TorchSharp.torch;

namespace Capsules;

/// <summary>The frame of a custom function's backward, in which nothing that goes wrong may end the process.</summary>
/// <remarks>
/// TorchSharp 0.107.0 lets an exception in a custom backward end the process, and holds the gradients that it returns by nothing
/// that the garbage collector sees. Every custom function of this library therefore computes its gradients in here.
/// </remarks>
internal static class GuardedBackward
{
    // The gradients that the last call on this thread returned: see Run.
    [ThreadStatic]
    private static List<Tensor?>? _returned;

    /// <summary>Computes the gradients of a function's tensors, which come first among its arguments; one more argument is no tensor.</summary>
    /// <param name="ctx">The function's context, with what it saved: the tensors first.</param>
    /// <param name="upstream">The gradient of its output; consumed.</param>
    /// <param name="wanted">For each tensor, whether its gradient is wanted.</param>
    /// <param name="what">The function, for the report of a failure.</param>
    /// <param name="gradients">From saved variables and upstream gradient to the gradients, null where not wanted.</param>
    /// <returns>What the function's backward is to return.</returns>
    public static List<Tensor> Run(
        autograd.AutogradContext ctx, Tensor upstream, IReadOnlyList<bool> wanted, string what, Func<List<Tensor>, Tensor, IEnumerable<Tensor?>> gradients)
    {
        Release();
        List<Tensor?> results = [];
        try
        {
            using var scope = NewDisposeScope();
            using var consumed = upstream;
            results.AddRange(upstream.IsInvalid ? wanted.Select(_ => (Tensor?)null) : gradients(ctx.get_saved_variables(), upstream));
            results.ForEach(result => result?.DetachFromDisposeScope());
        }
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Console.Error.WriteLine($"Capsules: the backward of {what} failed; its gradients are NaN. {exception}");
            results = NotANumber(ctx, wanted);
        }

        // Until the engine has taken its own references these wrappers are all that keeps the gradients alive, and the
        // collector does not see that native code is about to read them. By the next call on this thread it has, so at most
        // one call's wrappers stay, whatever dispose scope the caller has or has not.
        _returned = [.. results];
        results.Add(null);
        return results!;
    }

    /// <summary>
    /// A tensor as the argument of a custom function. Of a gradient that comes straight to a parameter the engine makes a copy while
    /// a wrapper holds it; through a view it comes as a tensor of its own on the same memory, which is taken as it is.
    /// </summary>
    public static Tensor Argument(Tensor tensor) => tensor.requires_grad && tensor.is_leaf ? tensor.view(tensor.shape) : tensor;

    /// <summary>
    /// Lets go of what the last call on this thread returned, which the engine has taken by now: for whoever knows that backward has
    /// ended. As large as a layer's input and weights, it would otherwise stay until the next one.
    /// </summary>
    public static void Release()
    {
        _returned?.ForEach(gradient => gradient?.Dispose());
        _returned = null;
    }

    private static List<Tensor?> NotANumber(autograd.AutogradContext ctx, IReadOnlyList<bool> wanted)
    {
        try
        {
            using var scope = NewDisposeScope();
            using var off = no_grad();
            using var nan = double.NaN.ToScalar();
            var saved = ctx.get_saved_variables();
            return [.. wanted.Select((isWanted, i) => isWanted ? (Tensor?)full_like(saved[i], nan).DetachFromDisposeScope() : null)];
        }
#pragma warning disable CA1031
        catch (Exception)
#pragma warning restore CA1031
        {
            // Not even that: no gradient at all, rather than an end of the process.
            return [.. wanted.Select(_ => (Tensor?)null)];
        }
    }
}
