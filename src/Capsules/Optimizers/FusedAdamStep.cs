using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>The options of one step.</summary>
internal readonly record struct AdamOptions(
    double LearningRate, double Beta1, double Beta2, double Eps, double WeightDecay, bool Amsgrad, bool Maximize);

/// <summary>One group's step by libtorch's <c>_fused_adam_</c> or <c>_fused_adamw_</c>.</summary>
/// <remarks>
/// It is what the two optimisers have in common. Their own <c>step</c> only reads TorchSharp's options and state, which are alike in
/// Adam and AdamW but of types without a common base.
/// </remarks>
internal sealed class FusedAdamStep(bool decoupled)
{
    private string Owner => decoupled ? nameof(FusedAdamW) : nameof(FusedAdam);

    private string Operation => decoupled ? "aten::_fused_adamw_" : "aten::_fused_adam_";

    /// <summary>Updates the parameters that have a gradient. To be called without gradients, in a dispose scope.</summary>
    /// <param name="parameters">The group's.</param>
    /// <param name="state">A parameter's moments, and its steps so far.</param>
    /// <param name="count">Counts a parameter's step.</param>
    /// <param name="options">The group's.</param>
    public void Run(
        IEnumerable<Parameter> parameters, Func<Parameter, (Tensor Mean, Tensor Square, Tensor? Largest, long Steps)> state, Action<Parameter> count,
        AdamOptions options)
    {
        GuardedBackward.Release();
        var updates = new List<(Parameter Parameter, Tensor Gradient)>();
        foreach (var parameter in parameters)
        {
            if (Alive(parameter).grad is { } gradient)
            {
                updates.Add((parameter, Checked(parameter, gradient)));
            }
        }

        // All of them fit. The operation takes parameters of one dtype on one device.
        foreach (var alike in updates.GroupBy(update => (update.Parameter.dtype, update.Parameter.device_type, update.Parameter.device_index)))
        {
            Call([.. alike], state, options);

            // Only now, lest a failed call leave parameters ahead of what was done to them.
            foreach (var (parameter, _) in alike)
            {
                count(parameter);
            }
        }
    }

    private void Call(
        List<(Parameter Parameter, Tensor Gradient)> updates, Func<Parameter, (Tensor Mean, Tensor Square, Tensor? Largest, long Steps)> state, AdamOptions options)
    {
        List<Tensor> weights = [], gradients = [], means = [], squares = [], largest = [], steps = [];
        foreach (var (parameter, gradient) in updates)
        {
            var (mean, square, most, done) = state(parameter);
            weights.Add(parameter);
            gradients.Add(gradient);
            means.Add(mean);
            squares.Add(square);
            if (options.Amsgrad)
            {
                largest.Add(most!);
            }

            // The operation takes the number of this step, from 1, as a tensor.
            steps.Add(Arithmetic.Filled([], done + 1, ScalarType.Float32, parameter.device));
        }

        TorchDispatcher.Call(
            Operation,
            [
                DispatchedArgument.Of(weights), DispatchedArgument.Of(gradients), DispatchedArgument.Of(means),
                DispatchedArgument.Of(squares), DispatchedArgument.Of(largest), DispatchedArgument.Of(steps),
                DispatchedArgument.Of(options.LearningRate), DispatchedArgument.Of(options.Beta1), DispatchedArgument.Of(options.Beta2),
                DispatchedArgument.Of(options.WeightDecay), DispatchedArgument.Of(options.Eps),
                DispatchedArgument.Of(options.Amsgrad), DispatchedArgument.Of(options.Maximize),
                DispatchedArgument.None, DispatchedArgument.None,
            ]);
    }

    /// <summary>Parameters as a list: TorchSharp walks through them at every step, and a query would run anew each time.</summary>
    public static IEnumerable<Parameter> Listed(IEnumerable<Parameter> parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.ToList();
    }

    public void ForgetGradients(IEnumerable<Parameter> parameters)
    {
        foreach (var parameter in parameters)
        {
            Alive(parameter).grad = null;
        }
    }

    // .to() of a module makes new parameters and disposes of those that it had.
    private Parameter Alive(Parameter parameter) => !parameter.IsInvalid
        ? parameter
        : throw new InvalidOperationException($"{Owner}'s parameters were moved or disposed. Build the optimiser after .to().");

    // The operation walks over raw memory: it would read a transposed gradient in the wrong order without a word.
    private Tensor Checked(Parameter parameter, Tensor gradient)
    {
        if (parameter.is_sparse || gradient.is_sparse || !parameter.is_floating_point() || !parameter.is_contiguous())
        {
            throw new InvalidOperationException(
                $"{Owner} updates dense, contiguous, floating-point parameters, but one of shape {ShapeGuard.Text(parameter.shape)} and dtype {parameter.dtype} " +
                "or its gradient is not. Make it contiguous, or use TorchSharp's optimiser for it.");
        }

        return gradient.dtype == parameter.dtype && gradient.device_type == parameter.device_type && gradient.device_index == parameter.device_index
            ? gradient.contiguous()
            : throw new InvalidOperationException(
                $"{Owner} found a gradient of {gradient.dtype} on {gradient.device} for a parameter of {parameter.dtype} on {parameter.device}. " +
                "Build the optimiser and run backward after the last .to().");
    }
}
