using static TorchSharp.torch;

namespace Capsules.Tests.Properties;

/// <summary>Every layer over random sizes: strides, precision, batches, training mode, demands for gradients and memory.</summary>
public class LayerProperties
{
    [Fact]
    public void Layer_AnySizesAndStrides_GivesWhatItGivesOfContiguousNumbersInFloat64() => Property.ForAll(300, LayerCase.Any, run =>
    {
        var numbers = run.Numbers();
        using var module = run.Make(float64);
        var plain = numbers.detach().contiguous().clone().requires_grad_();
        var expected = LayerCase.Run(module, plain);
        Tensor[] leaves = [plain, .. module.parameters()];
        var right = Backward.Gradients(expected, leaves);

        var strided = numbers.As(run.Layout).detach().requires_grad_();
        var outputs = LayerCase.Run(module, strided);
        var gradients = Backward.Gradients(outputs, [strided, .. module.parameters()]);
        for (var i = 0; i < outputs.Length; i++)
        {
            outputs[i].ShouldAgree(expected[i], 1e-9, $"output {i}");
        }

        for (var i = 0; i < gradients.Length; i++)
        {
            gradients[i].ShouldAgree(right[i], 1e-6, $"gradient {i}");
        }
    });

    [Fact]
    public void Layer_InFloat32_GivesWhatItGivesInFloat64() => Property.ForAll(150, LayerCase.Any, run =>
    {
        using var noGrad = no_grad();
        using var module = run.Make(float32);
        using var reference = run.Make(float64);
        reference.load_state_dict(module.state_dict().ToDictionary(entry => entry.Key, entry => entry.Value.to(float64)));
        var (outputs, expected) = (LayerCase.Run(module, run.Numbers().to(float32).As(run.Layout)), LayerCase.Run(reference, run.Numbers()));
        var other = LayerCase.Run(reference, run.Numbers() * (1 + 2e-7 * randn(run.Numbers().shape, float64)));
        var amplified = Enumerable.Range(0, outputs.Length).Select(i => Draw.Distance(other[i], expected[i])).ToArray();
        if (amplified.Any(distance => distance > Property.MostAmplified))
        {
            return false;
        }

        for (var i = 0; i < outputs.Length; i++)
        {
            outputs[i].dtype.Should().Be(ScalarType.Float32);
            outputs[i].ShouldAgree(expected[i], 1e-5 + 100 * amplified[i], $"output {i}");
        }

        return true;
    });

    [Fact]
    public void Layer_BatchInPartsAndDoubled_GivesTheSame() => Property.ForAll(100, LayerCase.Any, run =>
    {
        using var noGrad = no_grad();
        using var module = run.Make(float64);
        module.train(run.Seed % 2 == 0);      // none of them depends on it
        var x = run.Numbers();
        var whole = LayerCase.Run(module, x);
        var doubled = LayerCase.Run(module, cat([x, x]));
        var sample = run.Seed % run.B;
        var alone = LayerCase.Run(module, x.narrow(0, sample, 1));
        for (var i = 0; i < whole.Length; i++)
        {
            doubled[i].ShouldAgree(cat([whole[i], whole[i]]), 1e-9, "doubled");
            alone[i].ShouldAgree(whole[i].narrow(0, sample, 1), 1e-9, "alone");
        }
    });

    [Fact]
    public void Layer_AnyDemandForGradients_IsMetAndLeavesNothingBehind() => Property.ForAll(150, LayerCase.Any, run =>
    {
        using var module = run.Make(float32);
        var (ofInput, ofWeights) = ((run.Gradients & 1) != 0, (run.Gradients & 2) != 0);
        foreach (var parameter in module.parameters())
        {
            parameter.requires_grad = ofWeights;
        }

        var input = run.Numbers().to(float32).requires_grad_(ofInput);
        Step();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Step();
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before, "a pass leaves no tensor behind");
        (input.grad is not null).Should().Be(ofInput);
        if (!ofWeights)
        {
            module.parameters().Should().OnlyContain(parameter => ReferenceEquals(parameter.grad, null));
        }

        void Step()
        {
            var outputs = LayerCase.Run(module, input);
            outputs[0].requires_grad.Should().Be(ofInput || ofWeights && module.parameters().Any());
            foreach (var output in outputs)
            {
                if (output.requires_grad)
                {
                    using var sum = output.sum();
                    sum.backward(retain_graph: outputs.Length > 1);
                }

                output.Dispose();
            }
        }
    });
}
