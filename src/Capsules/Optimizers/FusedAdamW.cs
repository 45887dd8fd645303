using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>TorchSharp's AdamW with all parameters of a group updated by one fused operation of libtorch.</summary>
/// <remarks>
/// <para>Options, parameter groups, learning-rate schedulers and saved state are those of <see cref="AdamW"/>, whose update it
/// computes in one pass over memory instead of ten: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
/// p -= lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps), after p -= lr decay p.</para>
/// <para>One thread at a time, and none that uses the parameters meanwhile.</para>
/// <para>Loshchilov, Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2, arXiv:1711.05101.</para>
/// </remarks>
public sealed class FusedAdamW : AdamW
{
    private readonly FusedAdamStep _fused = new(decoupled: true);

    /// <summary>Makes the optimiser for one group of parameters.</summary>
    /// <param name="parameters">The parameters, on the device on which they stay: build the optimiser after <c>.to()</c>.</param>
    /// <param name="lr">The learning rate, at least 0. Default: 0.001.</param>
    /// <param name="beta1">Decay of the mean of gradients, in [0, 1). Default: 0.9.</param>
    /// <param name="beta2">Decay of the mean of their squares, in [0, 1). Default: 0.999.</param>
    /// <param name="eps">Added to the root, at least 0. Default: 1e-8.</param>
    /// <param name="weightDecay">Decoupled decay, at least 0. Default: 0, as TorchSharp's; PyTorch's is 0.01.</param>
    /// <param name="amsgrad">Whether to divide by the largest second moment so far. Default: false.</param>
    /// <param name="maximize">Whether to climb. Default: false.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public FusedAdamW(
        IEnumerable<Parameter> parameters,
        double lr = 1e-3,
        double beta1 = 0.9,
        double beta2 = 0.999,
        double eps = 1e-8,
        double weightDecay = 0,
        bool amsgrad = false,
        bool maximize = false)
        : base(FusedAdamStep.Listed(parameters), lr, beta1, beta2, eps, weightDecay, amsgrad, maximize)
    {
    }

    /// <summary>Makes the optimiser for several groups, each with options of its own.</summary>
    /// <param name="groups">The groups; what one leaves open is taken from the options here.</param>
    /// <param name="lr">The learning rate, at least 0. Default: 0.001.</param>
    /// <param name="beta1">Decay of the mean of gradients, in [0, 1). Default: 0.9.</param>
    /// <param name="beta2">Decay of the mean of their squares, in [0, 1). Default: 0.999.</param>
    /// <param name="eps">Added to the root, at least 0. Default: 1e-8.</param>
    /// <param name="weightDecay">Decoupled decay, at least 0. Default: 0, as TorchSharp's; PyTorch's is 0.01.</param>
    /// <param name="amsgrad">Whether to divide by the largest second moment so far. Default: false.</param>
    /// <param name="maximize">Whether to climb. Default: false.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public FusedAdamW(
        IEnumerable<ParamGroup> groups,
        double lr = 1e-3,
        double beta1 = 0.9,
        double beta2 = 0.999,
        double eps = 1e-8,
        double weightDecay = 0,
        bool amsgrad = false,
        bool maximize = false)
        : base(groups ?? throw new ArgumentNullException(nameof(groups)), lr, beta1, beta2, eps, weightDecay, amsgrad, maximize)
    {
    }

    /// <summary>Whether this libtorch offers the fused operation; without it steps are TorchSharp's own, with the same result.</summary>
    public static bool IsAvailable => TorchDispatcher.IsAvailable;

    /// <summary>Updates every parameter that has a gradient.</summary>
    /// <param name="closure">Computes the loss anew, with gradients. Default: none.</param>
    /// <returns>What the closure returned, or null.</returns>
    /// <exception cref="InvalidOperationException">
    /// A parameter was moved or disposed, is not dense, contiguous and floating-point, or its gradient does not fit it.
    /// </exception>
    public override Tensor step(Func<Tensor>? closure = null) => !IsAvailable ? base.step(closure) : _step<ParamGroup>(
        group =>
        {
            var options = (Options)group.Options;
            _fused.Run(
                group.Parameters,
                parameter =>
                {
                    var state = (State)_state[parameter.Handle];
                    return (state.exp_avg, state.exp_avg_sq, state.max_exp_avg_sq, state.step);
                },
                parameter => ((State)_state[parameter.Handle]).step++,
                new AdamOptions(
                    options.LearningRate!.Value, options.beta1!.Value, options.beta2!.Value, options.eps!.Value,
                    options.weight_decay!.Value, options.amsgrad!.Value, options.maximize!.Value));
        }, closure);

    /// <summary>Forgets all gradients: the next backward writes them anew, which saves a pass of zeros and one of sums.</summary>
    /// <exception cref="InvalidOperationException">A parameter was moved or disposed.</exception>
    public override void zero_grad() => _fused.ForgetGradients(parameters());

    /// <summary>Frees the moments.</summary>
    /// <param name="disposing">Whether it is called by <c>Dispose</c>, and not by the finalizer.</param>
    protected override void Dispose(bool disposing)
    {
        // An object whose constructor threw is finalized too, and TorchSharp would end the process over the state that it lacks.
        if (_state is not null)
        {
            base.Dispose(disposing);
        }
    }
}
