using System.Diagnostics;
using Capsules.Samples;
using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>What training one small network gave.</summary>
/// <param name="Recipe">The algorithm.</param>
/// <param name="Parameters">Numbers that are learned.</param>
/// <param name="Seconds">The time of all steps, without evaluation.</param>
/// <param name="HeldOut">The accuracy on training images that were held out.</param>
/// <param name="Test">The accuracy on the test images; null where they were not looked at.</param>
internal sealed record AlgorithmResult(AlgorithmRecipe Recipe, long Parameters, double Seconds, double HeldOut, double? Test)
{
    /// <summary>What every algorithm must pass.</summary>
    public const double Target = 0.97;

    public bool Passes => (Test ?? HeldOut) >= Target;
}

/// <summary>Trains the small network with one algorithm: Adam, a learning rate that falls to 0 linearly, a fixed number of steps.</summary>
/// <param name="Steps">Steps, at least 1.</param>
/// <param name="BatchSize">Images in a step, at least 2.</param>
/// <param name="LearningRate">Adam's learning rate in the first step; null for the recipe's.</param>
/// <param name="Seed">The seed of weights and order.</param>
internal sealed record AlgorithmTraining(int Steps, int BatchSize, double? LearningRate, int Seed)
{
    private const int HeldOutImages = 5000;

    /// <summary>Trains, and evaluates once at the end.</summary>
    public AlgorithmResult Run(AlgorithmRecipe recipe, ImageDataset dataset, bool withTest)
    {
        manual_seed(Seed);
        using var network = new SmallCapsNet(recipe);
        var (heldOut, training) = Batches.HoldOut(dataset.Train.Count, HeldOutImages, Seed);
        var seconds = Train(network, LearningRate ?? recipe.LearningRate, dataset.Train, training);
        return new AlgorithmResult(recipe, network.parameters().Sum(p => p.numel()), seconds, Accuracy(dataset.Train, heldOut),
            withTest ? Accuracy(dataset.Test, Batches.InOrder(dataset.Test.Count)) : null);

        double Accuracy(ImageSplit split, long[] indices) => Evaluator.Run(network, split, indices, CPU).Accuracy;
    }

    private double Train(SmallCapsNet network, double learningRate, ImageSplit split, long[] training)
    {
        using var optimizer = new FusedAdam(network.parameters(), learningRate);
        var clock = Stopwatch.StartNew();
        long[] order = [];
        for (int step = 0, next = 0, epoch = 0; step < Steps; step++, next += BatchSize)
        {
            if (next + BatchSize > order.Length)
            {
                (order, next) = (Batches.Order(training, Seed, ++epoch), 0);
            }

            using var scope = NewDisposeScope();
            network.Progress = (double)step / Steps;
            optimizer.ParamGroups.First().LearningRate = learningRate * (1 - network.Progress);
            var (images, labels) = Batches.Take(split, order.AsSpan(next, BatchSize), CPU);
            optimizer.zero_grad();
            var loss = network.Loss(network.call(images), labels);
            if (!float.IsFinite(loss.item<float>()))
            {
                throw new InvalidOperationException($"The loss of step {step + 1} is not a number.");
            }

            loss.backward();
            optimizer.step();
        }

        return clock.Elapsed.TotalSeconds;
    }
}
