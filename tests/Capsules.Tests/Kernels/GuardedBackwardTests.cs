using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

[Collection(nameof(WholeProcess))]      // standard error is the whole process's
public class GuardedBackwardTests
{
    /// <summary>The identity of two tensors' sum, with a backward that fails.</summary>
    private sealed class Failing : autograd.SingleTensorFunction<Failing>
    {
        public override string Name => "Failing";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_for_backward([(Tensor)vars[0], (Tensor)vars[1]]);
            ctx.set_materialize_grads(false);
            return (Tensor)vars[0] + (Tensor)vars[1];
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) =>
            GuardedBackward.Run(ctx, grad_output, [true, false], "a test", (_, _) => throw new InvalidOperationException("no gradient today"));
    }

    [Fact]
    public void Run_GradientThatThrows_GivesNaNAndSaysSoAndTheProcessLives()
    {
        using var scope = NewDisposeScope();
        var (wanted, other) = (ones(3).requires_grad_(), ones(3));
        var (before, said) = (Console.Error, new StringWriter());
        Console.SetError(said);
        try
        {
            Failing.apply(wanted, other, "options").sum().backward();
        }
        finally
        {
            Console.SetError(before);
        }

        wanted.grad!.isnan().all().item<bool>().Should().BeTrue();
        said.ToString().Should().StartWith("Capsules: the backward of a test failed; its gradients are NaN. System.InvalidOperationException: no gradient today");
    }
}
