using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using static TorchSharp.torch;

namespace Capsules.Tests.Properties;

/// <summary>What is disposed is told in an exception and never read; what is not needed any more is let go of, however often.</summary>
public class DisposedTests
{
    [Fact]
    public void Layer_UsedAfterDispose_IsAnException() => Property.ForAll(40, LayerCase.Any, run =>
    {
        var module = run.Make(float32);
        var hadParameters = module.parameters().Any();
        module.Dispose();
        if (hadParameters)
        {
            Refused(() => LayerCase.Run(module, run.Numbers().to(float32)));
        }
    });

    [Fact]
    public void Layer_GivenADisposedInput_IsAnException() => Property.ForAll(40, LayerCase.Any, run =>
    {
        using var module = run.Make(float32);
        var input = run.Numbers().to(float32);
        input.Dispose();
        Refused(() => LayerCase.Run(module, input));
    });

    // CAPSULES_TEST_PASSES=50000 for a long run.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Layers_ManyPasses_LeaveTensorsAndMemoryFlat(bool isTraining)
    {
        var passes = int.Parse(Environment.GetEnvironmentVariable("CAPSULES_TEST_PASSES") ?? "300", CultureInfo.InvariantCulture);
        using var scope = NewDisposeScope();
        using var primary = new PrimaryCapsule(2, 3, 4, kernelSize: 3);
        using var layer = new CapsuleLayer(48, 4, 3, 5);
        using var decoder = new MaskedDecoder(3, 5, [2, 9, 9], [7]);
        using var em = new CapsuleLayer(48, 4, 3, 4, new EMRouting(3));
        using var noGradient = isTraining ? null : no_grad();
        var (images, labels) = (rand(4, 2, 9, 9), tensor([0L, 1, 2, 0]));
        // The collector's heap grows to its budget first, which is tens of megabytes on processors with large caches.
        for (var i = 0; i < 50 + passes / 10; i++)
        {
            Pass();
        }

        var (tensors, memory) = (DisposeScopeManager.Statistics.ThreadTotalLiveCount, Environment.WorkingSet);
        for (var i = 0; i < passes; i++)
        {
            Pass();
        }

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(tensors);
        var growth = Environment.WorkingSet - memory;
        TestContext.Current.SendDiagnosticMessage($"{passes} passes, {(isTraining ? "training" : "predicting")}: resident memory {growth / 1e6:f1} MB more");
        growth.Should().BeLessThan(64 << 20, "memory does not grow with {0} passes", passes);

        void Pass()
        {
            using var inner = NewDisposeScope();
            var inputs = primary.call(images);
            var capsules = layer.call(inputs);
            var loss = Capsules.Functional.margin_loss(Capsules.Functional.length(capsules), labels)
                + Capsules.Functional.reconstruction_loss(decoder.call(capsules, labels), images)
                + Capsules.Functional.spread_loss(em.Route(inputs).Activations!, labels);
            if (isTraining)
            {
                loss.backward();
            }
        }
    }

    private static void Refused(Action act)
    {
        var failure = Record.Exception(act);
        failure.Should().NotBeNull("what is disposed cannot be used");
        (failure is InvalidOperationException or ArgumentException or ObjectDisposedException).Should().BeTrue($"the exception says so in managed words, and is {failure}");
    }
}
