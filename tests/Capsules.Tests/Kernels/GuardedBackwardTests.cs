using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

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

    /// <summary>The identity, which tells where the gradient is that it hands back.</summary>
    private sealed class Handing : autograd.SingleTensorFunction<Handing>
    {
        public override string Name => "Handing";

        public static nint Handed { get; private set; }

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_for_backward([(Tensor)vars[0]]);
            ctx.set_materialize_grads(false);
            return ((Tensor)vars[0]).clone();
        }

        public override unsafe List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) =>
            GuardedBackward.Run(ctx, grad_output, [true], "a test", (_, upstream) =>
            {
                var gradient = upstream.clone();
                Handed = (nint)TensorMemory.Floats(gradient);
                return [gradient];
            });
    }

    [Fact]
    public unsafe void Argument_Parameter_TakesTheGradientWithoutACopy()
    {
        using var scope = NewDisposeScope();
        var leaf = randn(4, 3).requires_grad_();
        Handing.apply(GuardedBackward.Argument(leaf), "options").sum().backward();
        ((nint)TensorMemory.Floats(leaf.grad!)).Should().Be(Handing.Handed);
        GuardedBackward.Release();
        leaf.grad!.Equals(ones(4, 3)).Should().BeTrue("the memory stays when the function lets go of it");
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
