using TorchSharp.Modules;

namespace Capsules.Samples;

/// <summary>What <c>--optimizer</c> names.</summary>
internal enum OptimizerKind
{
    /// <summary>Kingma, Ba 2015; weight decay is an L2 penalty on the gradient.</summary>
    Adam,

    /// <summary>Loshchilov, Hutter 2019; weight decay is decoupled from the gradient.</summary>
    AdamW,
}

/// <summary>From a kind of optimizer to one.</summary>
internal static class OptimizerKindExtensions
{
    /// <summary>The weight decay where none is given: none for Adam, PyTorch's 0.01 for AdamW.</summary>
    public static double DefaultWeightDecay(this OptimizerKind kind) => kind == OptimizerKind.AdamW ? 0.01 : 0;

    /// <summary>Makes the optimizer that options ask for. Weight decay applies to every parameter.</summary>
    public static OptimizerHelper Make(this OptimizerKind kind, IEnumerable<Parameter> parameters, TrainingOptions options)
    {
        var decay = options.WeightDecay ?? kind.DefaultWeightDecay();
        return kind == OptimizerKind.AdamW
            ? new FusedAdamW(parameters, options.LearningRate, weightDecay: decay)
            : new FusedAdam(parameters, options.LearningRate, weightDecay: decay);
    }
}
