using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>How an attack goes.</summary>
/// <param name="Steps">Steps of the gradient's sign: 1 without a random start is FGSM.</param>
/// <param name="RandomStart">Whether to start at a random place within reach, as PGD does.</param>
/// <param name="UseTrainingLoss">Whether to climb the loss that the network was trained by instead of the difference of scores.</param>
/// <param name="Seed">The seed of random starts.</param>
internal sealed record AttackOptions(int Steps = 1, bool RandomStart = false, bool UseTrainingLoss = false, int Seed = 1);

/// <summary>Changes images within a maximum norm so that a network misreads them, knowing its weights.</summary>
/// <remarks>
/// <para>FGSM: Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples", 2015, https://arxiv.org/abs/1412.6572.
/// PGD: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018, https://arxiv.org/abs/1706.06083.</para>
/// <para>What is climbed by default is the best wrong score minus the label's. The loss of training is a worse guide: margin loss is
/// flat, its gradient zero, on every image that the network reads with enough margin, which would look like robustness.</para>
/// </remarks>
internal static class AdversarialAttack
{
    /// <summary>Attacks a batch. The network is in evaluation mode.</summary>
    /// <param name="network">The network; no gradient reaches its parameters.</param>
    /// <param name="images">Images (B, C, H, W) in [0, 1].</param>
    /// <param name="labels">Their classes (B).</param>
    /// <param name="epsilon">The most by which a pixel changes.</param>
    /// <param name="options">How.</param>
    /// <returns>Images in [0, 1], no pixel farther than <paramref name="epsilon"/> from the original's.</returns>
    public static Tensor Attack(ImageNetwork network, Tensor images, Tensor labels, double epsilon, AttackOptions options)
    {
        using var scope = NewDisposeScope();
        var attacked = images.detach();
        if (options.RandomStart)
        {
            using var generator = new Generator((ulong)options.Seed, CPU);
            var start = Arithmetic.Plus(Arithmetic.Times(rand(images.shape, generator: generator).to(images.device), 2 * epsilon), -epsilon);
            attacked = Arithmetic.Clamp(Arithmetic.Plus(attacked, start), 0, 1);
        }

        // PGD overshoots a little, so that it gets along the edges of its reach (Madry et al.: 2.5 epsilon / steps).
        var step = options.Steps == 1 && !options.RandomStart ? epsilon : 2.5 * epsilon / options.Steps;
        for (var i = 0; i < options.Steps; i++)
        {
            using var inner = NewDisposeScope();
            using var direction = Gradient(network, attacked, labels, options.UseTrainingLoss).sign();
            attacked = Arithmetic.Plus(attacked, Arithmetic.Times(direction, step));
            attacked = attacked.maximum(Arithmetic.Plus(images, -epsilon)).minimum(Arithmetic.Plus(images, epsilon));
            attacked = Arithmetic.Clamp(attacked, 0, 1).MoveToOuterDisposeScope();
        }

        return attacked.MoveToOuterDisposeScope();
    }

    /// <summary>What the attack makes large, summed over the images.</summary>
    public static Tensor Objective(ImageNetwork network, Tensor images, Tensor labels, bool useTrainingLoss)
    {
        using var scope = NewDisposeScope();
        var output = network.call(images);
        if (useTrainingLoss)
        {
            return Arithmetic.Times(network.Loss(output, labels), images.size(0)).MoveToOuterDisposeScope();
        }

        var scores = network.Scores(output);
        var column = labels.unsqueeze(1);
        var right = scores.gather(1, column);
        var wrong = scores.scatter(1, column, Arithmetic.Filled(right.shape, double.NegativeInfinity, right.dtype, right.device)).amax([1], keepdim: true);
        return wrong.sub(right).sum().MoveToOuterDisposeScope();
    }

    private static Tensor Gradient(ImageNetwork network, Tensor images, Tensor labels, bool useTrainingLoss)
    {
        using var scope = NewDisposeScope();
        using var withGradient = enable_grad();
        var input = images.detach().requires_grad_();
        Objective(network, input, labels, useTrainingLoss).backward();
        return input.grad!.MoveToOuterDisposeScope();
    }
}
