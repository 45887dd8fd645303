using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>What a step says of its batch.</summary>
/// <param name="Loss">The mean of what is minimised.</param>
/// <param name="ClassLoss">The mean of the loss over classes, without reconstruction.</param>
/// <param name="Right">Images whose classes were all right.</param>
/// <param name="Images">All of them.</param>
internal readonly record struct StepResult(float Loss, float ClassLoss, long Right, long Images);

/// <summary>A step of training: forward, losses, backward, and the optimizer's change of the weights.</summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly ImageNetwork _network;
    private readonly ReconstructionLoss _reconstructionLoss;
    private readonly Func<string, UserException> _diverged;

    /// <summary>Prepares steps.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="network">The network, which stays the caller's.</param>
    /// <param name="diverged">Makes the error for numbers that are none, from where they were met.</param>
    public TrainingStep(TrainingOptions options, ImageNetwork network, Func<string, UserException> diverged)
    {
        (_options, _network, _diverged) = (options, network, diverged);
        Optimizer = options.Optimizer.Make(network.parameters(), options);
        _reconstructionLoss = new ReconstructionLoss(options.ReconstructionWeight);
    }

    /// <summary>The optimizer, whose state is the run's.</summary>
    public OptimizerHelper Optimizer { get; }

    /// <summary>Names the layer where numbers stop being numbers; null (the default) for steps that only notice that they did.</summary>
    public AnomalyWatch? Anomaly { get; set; }

    /// <summary>Takes a step with a batch.</summary>
    /// <param name="replicas">The network and its copies.</param>
    /// <param name="shares">The batch, split among them.</param>
    /// <param name="step">The number of the step in the whole run, from 0.</param>
    /// <param name="epochsBehind">Epochs before it, with their part of the one that runs.</param>
    /// <param name="rate">The learning rate.</param>
    /// <exception cref="UserException">The loss, or with <see cref="Anomaly"/> a layer's numbers, are no numbers; the weights are as before.</exception>
    public StepResult Take(Replicas replicas, IReadOnlyList<Share> shares, long step, double epochsBehind, double rate)
    {
        foreach (var group in Optimizer.ParamGroups)
        {
            group.LearningRate = rate;
        }

        Optimizer.zero_grad();
        replicas.ForgetGradients();
        StageClock.End("optimizer");
        var outputs = new Tensor[shares.Count];
        for (var i = 0; i < shares.Count; i++)
        {
            shares[i].Network.EpochsBehind = epochsBehind;

            // Dropout draws from torch's generator, whose state no checkpoint holds. Seeded by the step's number, and not once for the
            // run, it draws in a resumed run what it draws in one that never stopped.
            manual_seed(unchecked(Batches.DropoutSeed(_options.Seed, step) + i));
            outputs[i] = StageClock.End("rest of the network", shares[i].Network.call(shares[i].Batch.Images));
        }

        // First all forward, then all losses, then all backward: on several GPUs each works while the next one is given its own.
        var losses = shares.Zip(outputs, Losses).ToArray();
        Check(Anomaly?.InForward());
        StageClock.End("losses");
        for (var i = 0; i < shares.Count; i++)
        {
            (shares.Count == 1 ? losses[i].Loss : Arithmetic.Times(losses[i].Loss, shares[i].Weight)).backward();
        }

        StageClock.EndBackward();
        var (loss, classLoss) = Means(shares, losses);
        Check(float.IsFinite(loss) ? null : $"the loss is {loss}");
        replicas.GatherGradients();
        Check(Anomaly?.InBackward());
        if (_options.ClipGradients is { } norm)
        {
            nn.utils.clip_grad_norm_(_network.parameters(), norm);
        }

        Optimizer.step();
        StageClock.End("optimizer");
        replicas.Spread();
        return new StepResult(
            loss, classLoss, shares.Zip(outputs, (share, output) => Hits.Count(share.Network.Scores(output), share.Batch.Labels).All).Sum(),
            shares.Sum(share => share.Batch.Labels.size(0)));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Optimizer.Dispose();
        _reconstructionLoss.Dispose();
    }

    private (Tensor Loss, Tensor ClassLoss) Losses(Share share, Tensor output)
    {
        var (network, (images, labels, parts)) = (share.Network, share.Batch);
        var reconstruction = network.HasDecoder ? StageClock.End("decoder", network.Reconstruct(output, labels)) : null;
        var classLoss = network.Loss(output, labels);

        // Of several objects each is reconstructed against its own image.
        return (reconstruction is null ? classLoss : Arithmetic.Plus(classLoss, _reconstructionLoss.call(reconstruction, parts ?? images)), classLoss);
    }

    // Read only after backward, and together: on a GPU reading waits for all that was asked of it.
    private static (float Loss, float ClassLoss) Means(IReadOnlyList<Share> shares, (Tensor Loss, Tensor ClassLoss)[] losses)
    {
        var (loss, classLoss) = (0.0, 0.0);
        foreach (var (share, pair) in shares.Zip(losses))
        {
            using var both = stack([pair.Loss.detach(), pair.ClassLoss.detach()]).cpu();
            loss += share.Weight * both[0].item<float>();
            classLoss += share.Weight * both[1].item<float>();
        }

        return ((float)loss, (float)classLoss);
    }

    private void Check(string? anomaly)
    {
        if (anomaly is not null)
        {
            throw _diverged(anomaly);
        }
    }
}
