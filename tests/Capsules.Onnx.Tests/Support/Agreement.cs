using static TorchSharp.torch;

namespace Capsules.Onnx.Tests;

/// <summary>That ONNX Runtime computes what TorchSharp computes.</summary>
internal static class Agreement
{
    public const double Tolerance = 1e-5;

    /// <summary>Exports a module, in evaluation mode, and compares it on random samples, one and several.</summary>
    public static void Check(nn.Module<Tensor, Tensor> module, params long[] sampleShape)
    {
        module.eval();
        Check(module, module.call, sampleShape);
    }

    /// <summary>Exports a module and compares it with a function.</summary>
    public static void Check(nn.Module module, Func<Tensor, Tensor> function, params long[] sampleShape)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var graph = new OnnxGraph();
        graph.Output("y", graph.Apply(module, graph.Input("x", sampleShape)));
        graph.Outputs[0].Shape.Skip(1).Should().Equal(function(zeros([1, .. sampleShape])).shape.Skip(1), "that is the shape that the file declares");
        using var run = new OnnxRun(graph);
        foreach (var batch in (long[])[1, 7])
        {
            var input = randn([batch, .. sampleShape]);
            ShouldAgree(run.Run(input)["y"], function(input));
        }
    }

    public static void ShouldAgree(Tensor actual, Tensor expected, string because = "")
    {
        actual.shape.Should().Equal(expected.shape, because);
        using var scope = NewDisposeScope();
        expected.abs().max().item<float>().Should().BeGreaterThan(0.01f, "a comparison of zeros says nothing");
        var difference = (actual - expected).abs().max().item<float>();
        ((double)difference).Should().BeLessThanOrEqualTo(Tolerance, because);      // NaN fails too
    }
}
