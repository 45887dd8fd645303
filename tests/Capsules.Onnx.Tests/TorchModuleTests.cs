using static TorchSharp.torch;

namespace Capsules.Onnx.Tests;

public sealed class TorchModuleTests
{
    [Fact]
    public void Conv2d_StridePaddingDilationGroups_Agree()
    {
        using var plain = nn.Conv2d(2, 6, kernel_size: 3);
        using var full = nn.Conv2d(4, 6, (3, 5), stride: (2, 1), padding: (1, 2), dilation: (2, 1), groups: 2, bias: false);
        Agreement.Check(plain, 2, 9, 11);
        Agreement.Check(full, 4, 13, 12);
    }

    [Fact]
    public void Linear_OfVectorsAndOfRows_Agrees()
    {
        using var linear = nn.Linear(6, 4);
        using var unbiased = nn.Linear(6, 4, hasBias: false);
        Agreement.Check(linear, 6);
        Agreement.Check(linear, 3, 6);
        Agreement.Check(unbiased, 6);
    }

    [Fact]
    public void BatchNorm2d_WithWhatItLearned_Agrees()
    {
        using var layer = nn.BatchNorm2d(3, eps: 1e-3);
        using var plain = nn.BatchNorm2d(3, affine: false);
        using (no_grad())
        {
            nn.init.uniform_(layer.weight!, 0.5, 2);
            nn.init.normal_(layer.bias!);
            nn.init.normal_(layer.running_mean!);
            nn.init.uniform_(layer.running_var!, 0.5, 2);
            nn.init.uniform_(plain.running_var!, 0.5, 2);
        }

        Agreement.Check(layer, 3, 5, 4);
        Agreement.Check(plain, 3, 5, 4);
    }

    [Fact]
    public void InstanceNorm2d_Agrees()
    {
        using var layer = nn.InstanceNorm2d(3, eps: 1e-3, affine: true);
        using var plain = nn.InstanceNorm2d(3);
        using (no_grad())
        {
            nn.init.uniform_(layer.weight!, 0.5, 2);
            nn.init.normal_(layer.bias!);
        }

        Agreement.Check(layer, 3, 5, 4);
        Agreement.Check(plain, 3, 5, 4);
    }

    [Fact]
    public void Sequential_OfSmallModules_Agrees()
    {
        using var network = nn.Sequential(
            nn.Conv2d(1, 4, kernel_size: 3), nn.LeakyReLU(0.3), nn.MaxPool2d(3, stride: 2, padding: 1), nn.Dropout2d(0.5), nn.Tanh(),
            nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Identity()), nn.Linear(4 * 4 * 5, 5), nn.ReLU(), nn.Linear(5, 3), nn.Sigmoid(), nn.Softmax(-1));
        Agreement.Check(network, 1, 10, 12);
    }

    [Fact]
    public void Apply_ModuleInTrainingMode_ExportsInference()
    {
        using var network = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5));
        network.train();
        var graph = new OnnxGraph();
        graph.Output("y", graph.Apply(network, graph.Input("x", 2, 3, 3)));
        network.training.Should().BeTrue();
        network.eval();
        using var scope = NewDisposeScope();
        using var run = new OnnxRun(graph);
        var input = randn(4, 2, 3, 3);
        Agreement.ShouldAgree(run.Run(input)["y"], network.call(input));
    }

    [Fact]
    public void Constant_OtherDtypes_BecomeFloat32()
    {
        using var linear = nn.Linear(3, 2, dtype: ScalarType.Float64);
        using var same = nn.Linear(3, 2);
        using (no_grad())
        {
            same.weight!.copy_(linear.weight!);
            same.bias!.copy_(linear.bias!);
        }

        Agreement.Check(linear, same.call, 3);
    }

    [Fact]
    public void Apply_UnknownModule_SaysWhichAndWhatIsKnown()
    {
        using var network = nn.Sequential(nn.Conv2d(1, 2, kernel_size: 3), nn.GELU());
        var graph = new OnnxGraph();
        graph.Invoking(g => g.Apply(network, g.Input("x", 1, 5, 5))).Should().Throw<NotSupportedException>()
            .WithMessage("GELU (TorchSharp.Modules.GELU) cannot be exported to ONNX. Exported are this library's PrimaryCapsule, *TorchSharp's Sequential, *IOnnxModule.");
    }

    [Fact]
    public void Apply_OptionThatCannotBe_SaysWhatToDo()
    {
        var graph = new OnnxGraph();
        var x = graph.Input("x", 2, 6, 6);
        using var same = nn.Conv2d(2, 2, kernel_size: 3, padding: Padding.Same);
        using var reflect = nn.Conv2d(2, 2, kernel_size: 3, padding: 1, padding_mode: PaddingModes.Reflect);
        using var norm = nn.BatchNorm2d(2, track_running_stats: false);
        using var instance = nn.InstanceNorm2d(2, track_running_stats: true);
        using var ceil = nn.MaxPool2d(2, ceil_mode: true);
        using var flatten = nn.Flatten(0);
        Refused(same, "Conv2d with padding Same cannot be exported to ONNX. Give the zeros on every side as a number.");
        Refused(reflect, "Conv2d with padding Reflect cannot be exported to ONNX. Give the zeros on every side as a number.");
        Refused(norm, "BatchNorm2d without running statistics, * cannot be exported to ONNX. Make it with track_running_stats: true.");
        Refused(instance, "InstanceNorm2d with running statistics cannot be exported to ONNX. Make it with track_running_stats: false.");
        Refused(ceil, "MaxPool2d with ceil_mode cannot be exported to ONNX. Make it with ceil_mode: false.");
        Refused(flatten, "Flatten from dimension 0, the batch, cannot be exported to ONNX. Flatten from dimension 1.");

        void Refused(nn.Module module, string message) =>
            graph.Invoking(g => g.Apply(module, x)).Should().Throw<NotSupportedException>().WithMessage(message);
    }

    [Fact]
    public void Apply_InputThatDoesNotFit_SaysBothShapes()
    {
        var graph = new OnnxGraph();
        var x = graph.Input("x", 3, 6, 6);
        using var convolution = nn.Conv2d(2, 2, kernel_size: 3);
        using var linear = nn.Linear(4, 2);
        graph.Invoking(g => g.Apply(convolution, x)).Should().Throw<ArgumentException>()
            .WithMessage("Conv2d expected an input (B, C, H, W) = (B, 2, H, W), but got (B, 3, 6, 6). Apply it to what it is applied to in the network.*");
        using var large = nn.Conv2d(3, 2, kernel_size: 7);
        graph.Invoking(g => g.Apply(large, x)).Should().Throw<ArgumentException>()
            .WithMessage("A kernel of 7 x 7 does not fit into (B, 3, 6, 6). Take a larger image or a smaller kernel.*");
        graph.Invoking(g => g.Apply(linear, x)).Should().Throw<ArgumentException>().WithMessage("Linear expected an input *");
    }
}
