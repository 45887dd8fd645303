using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Tests.Layers;

/// <summary>What holds of every module of the library: dtypes, devices, state, batches, memory.</summary>
public class EveryModuleTests
{
    /// <summary>A module, an input for a batch size, and how to run it.</summary>
    internal sealed record Case(nn.Module Module, Func<long, Tensor> Input, Func<Tensor, Tensor> Run);

    public static TheoryData<string> Modules => [.. Trainable, "Squash", "ExponentialSquash", "CapsuleLength"];

    public static TheoryData<string, ScalarType> ModulesByDtype
    {
        get
        {
            var data = new TheoryData<string, ScalarType>();
            foreach (var module in Modules)
            {
                data.Add(module, ScalarType.BFloat16);
                data.Add(module, ScalarType.Float32);
                data.Add(module, ScalarType.Float64);
            }

            return data;
        }
    }

    private static readonly string[] Trainable =
    [
        "PrimaryCapsule", "DepthwisePrimaryCapsule", "CapsuleLayer", "SharedCapsuleLayer", "SelfAttentionLayer", "MaskedDecoder",
        "ClassIndependentDecoder", "ConvolutionalDecoder", "MatrixPrimaryCapsule", "MatrixCapsuleLayer", "ConvCapsuleLayer",
        "ConvCapsuleLayerEM", "ConvCapsuleLayer1d", "ConvTransposeCapsuleLayer", "ConvTransposeCapsuleLayer1d", "ClassCapsuleLayer",
        "ClassCapsuleLayerBayes",
    ];

    // Capsules and activations side by side, (B, -1), in tensors that belong to the caller.
    private static Tensor Joined(Func<(Tensor, Tensor)> run)
    {
        using var scope = NewDisposeScope();
        var (capsules, activations) = run();
        return cat([capsules.flatten(1), activations.flatten(1)], dim: 1).MoveToOuterDisposeScope();
    }

    private static Tensor Joined(Func<RoutingResult> run) => Joined(() =>
    {
        var (capsules, activations) = run();
        return (capsules, activations);
    });

    private static Case Make(string name, ScalarType dtype = ScalarType.Float32)
    {
        switch (name)
        {
            case "PrimaryCapsule":
                var primary = new PrimaryCapsule(2, 3, 4, kernelSize: 3, dtype: dtype);
                return new(primary, b => rand([b, 2, 9, 9], dtype), primary.call);
            case "DepthwisePrimaryCapsule":
                var depthwise = new DepthwisePrimaryCapsule(8, 4, kernelSize: 3, dtype: dtype);
                return new(depthwise, b => rand([b, 8, 5, 5], dtype), depthwise.call);
            case "SelfAttentionLayer":
                var attention = new CapsuleLayer(12, 4, 3, 5, new SelfAttentionRouting(12, 3, dtype: dtype), dtype: dtype);
                return new(attention, b => randn([b, 12, 4], dtype), attention.call);
            case "CapsuleLayer":
                var layer = new CapsuleLayer(12, 4, 3, 5, bias: true, learnedLogits: true, dtype: dtype);
                return new(layer, b => randn([b, 12, 4], dtype), layer.call);
            case "SharedCapsuleLayer":
                var shared = new CapsuleLayer(12, 4, 3, 5, leaky: true, gradient: RoutingGradient.LastIteration, sharedPositions: 4, dtype: dtype);
                return new(shared, b => randn([b, 12, 4], dtype), shared.call);
            case "MaskedDecoder":
                var decoder = new MaskedDecoder(3, 5, [1, 4, 4], [7], dtype: dtype);
                return new(decoder, b => randn([b, 3, 5], dtype), decoder.call);
            case "ClassIndependentDecoder":
                var independent = new ClassIndependentDecoder(3, 5, [1, 4, 4], [7], dtype: dtype);
                return new(independent, b => randn([b, 3, 5], dtype), independent.call);
            case "ConvolutionalDecoder":
                var convolutional = new ConvolutionalDecoder(3, 5, [2, 5, 4], [4, 3], dtype: dtype);
                return new(convolutional, b => randn([b, 3, 5], dtype), convolutional.call);
            case "MatrixPrimaryCapsule":
                var matrices = new MatrixPrimaryCapsule(2, 3, 2, kernelSize: 3, dtype: dtype);
                return new(matrices, b => rand([b, 2, 5, 6], dtype), x => Joined(() => matrices.call(x)));
            case "MatrixCapsuleLayer":
                var matrix = new CapsuleLayer(12, 4, 3, 4, new InvertedDotProductRouting(4, dtype: dtype), kind: CapsuleKind.Matrix, dtype: dtype);
                return new(matrix, b => randn([b, 12, 4], dtype), matrix.call);
            case "ConvCapsuleLayer":
                var conv = new ConvCapsuleLayer(2, 4, 3, 5, new DynamicRouting(), 3, 1, padding: 1, bias: true, dtype: dtype);
                return new(conv, b => randn([b, 2, 4, 5, 4], dtype), conv.call);
            case "ConvCapsuleLayerEM":
                var em = new ConvCapsuleLayer(2, 4, 3, 4, new EMRouting(3, dtype: dtype), 3, 2, padding: 1, dtype: dtype);
                return new(em, b => randn([b, 2, 5, 5, 4], dtype) * 0.4, x => Joined(() => em.Route(x)));
            case "ConvCapsuleLayer1d":
                var line = new ConvCapsuleLayer1d(2, 4, 3, 5, new SelfRouting(6, 4, 3, dtype: dtype), dtype: dtype);
                return new(line, b => randn([b, 2, 7, 4], dtype), x => Joined(() => line.Route(x)));
            case "ConvTransposeCapsuleLayer1d":
                var longer = new ConvTransposeCapsuleLayer1d(2, 4, 3, 5, new DynamicRouting(), dtype: dtype);
                return new(longer, b => randn([b, 2, 4, 4], dtype), longer.call);
            case "ConvTransposeCapsuleLayer":
                var larger = new ConvTransposeCapsuleLayer(2, 4, 3, 5, new KMeansRouting(), dtype: dtype);
                return new(larger, b => randn([b, 2, 2, 3, 4], dtype), larger.call);
            case "ClassCapsuleLayer":
                var classes = new ClassCapsuleLayer(3, 4, 2, 4, new MaxMinRouting(), coordinateAddition: true, positions: 4, kind: CapsuleKind.Matrix, dtype: dtype);
                return new(classes, b => randn([b, 3, 2, 2, 4], dtype), classes.call);
            case "ClassCapsuleLayerBayes":
                var bayes = new ClassCapsuleLayer(3, 4, 2, 4, new VariationalBayesRouting(2, batchNorm: false, dtype: dtype), dtype: dtype);
                return new(bayes, b => randn([b, 3, 2, 2, 4], dtype) * 0.4, x => Joined(() => bayes.Route(x)));
            case "ExponentialSquash":
                var exponential = new ExponentialSquash();
                return new(exponential, b => randn([b, 3, 5], dtype), exponential.call);
            case "Squash":
                var squash = new Squash();
                return new(squash, b => randn([b, 3, 5], dtype), squash.call);
            default:
                var length = new CapsuleLength();
                return new(length, b => randn([b, 3, 5], dtype), length.call);
        }
    }

    [Theory]
    [MemberData(nameof(ModulesByDtype))]
    public void Module_EveryDtype_KeepsItAndAgreesWithFloat64(string name, ScalarType dtype)
    {
        manual_seed(3);
        using var scope = NewDisposeScope();
        var module = Make(name, dtype);
        var input = module.Input(4);
        var output = module.Run(input);
        output.dtype.Should().Be(dtype);

        var reference = Make(name, float64);
        reference.Module.load_state_dict(module.Module.state_dict().ToDictionary(p => p.Key, p => p.Value.detach().to(float64)));
        output.ShouldBeClose(reference.Run(input.to(float64)), dtype switch { ScalarType.BFloat16 => 0.03, ScalarType.Float32 => 1e-5, _ => 1e-12 });
        if (output.requires_grad)
        {
            output.sum().backward();
            module.Module.parameters().Should().OnlyContain(p => p.grad!.dtype == dtype);
        }
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_BatchOfOneAndMany_GiveEachSampleTheSame(string name)
    {
        using var scope = NewDisposeScope();
        var module = Make(name, float64);
        var input = module.Input(5);
        var together = module.Run(input);
        for (var b = 0; b < 5; b++)
        {
            module.Run(input.narrow(0, b, 1)).ShouldBeClose(together.narrow(0, b, 1), 1e-12);
        }
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_MovedToAnotherDtype_TrainsItsMovedParameters(string name)
    {
        using var scope = NewDisposeScope();
        var module = Make(name);
        var keys = module.Module.state_dict().Keys.ToArray();
        module.Module.to(float64);

        module.Module.state_dict().Keys.Should().Equal(keys);
        var output = module.Run(module.Input(2).to(float64));
        output.dtype.Should().Be(ScalarType.Float64);
        if (output.requires_grad)
        {
            output.square().sum().backward();
            module.Module.parameters().Should().OnlyContain(p => p.dtype == ScalarType.Float64 && p.grad!.abs().sum().item<double>() > 0);
        }
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_MovedToAnotherDtype_ShowsTheParametersThatItComputesWith(string name)
    {
        using var scope = NewDisposeScope();
        var module = Make(name).Module;
        module.to(float64);
        foreach (var property in module.GetType().GetProperties().Where(property => property.PropertyType == typeof(Parameter)))
        {
            property.GetValue(module).Should().BeSameAs(module.get_parameter(property.Name.ToLowerInvariant()), property.Name);
        }
    }

    [Fact]
    public void Layers_Properties_AreWhatTheyWereMadeWith()
    {
        var (first, second) = (new EMRouting(3), new DynamicRouting());
        using var conv = new ConvCapsuleLayer(2, 4, 3, 4, first, (3, 2), (2, 1), (1, 0), (1, 2), CapsuleKind.Matrix);
        using var classes = new ClassCapsuleLayer(2, 4, 3, 5, second, positions: 4, bias: true);
        using var matrices = new MatrixPrimaryCapsule(2, 3, 2, kernelSize: 3, stride: 2, padding: 1, bias: false);
        using var depthwise = new DepthwisePrimaryCapsule(8, 4, (3, 5), (1, 2));
        conv.KernelSize.Should().Equal(3, 2);
        conv.Stride.Should().Equal(2, 1);
        conv.Padding.Should().Equal(1, 0);
        conv.Dilation.Should().Equal(1, 2);
        conv.Kind.Should().Be(CapsuleKind.Matrix);
        conv.Routing.Should().BeSameAs(first);
        conv.Weight.shape.Should().Equal(3, 2, 2, 3, 2, 2);
        conv.Bias.Should().BeNull();
        classes.Kind.Should().Be(CapsuleKind.Vector);
        classes.Routing.Should().BeSameAs(second);
        classes.Bias!.shape.Should().Equal(3, 5);
        (matrices.KernelSize, matrices.Stride, matrices.Padding).Should().Be(((3L, 3L), (2L, 2L), (1L, 1L)));
        (depthwise.KernelSize, depthwise.Stride).Should().Be(((3L, 5L), (1L, 2L)));
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_SavedAndLoaded_GivesTheSame(string name)
    {
        using var scope = NewDisposeScope();
        var (saved, loaded) = (Make(name), Make(name));
        using var stream = new MemoryStream();
        saved.Module.save(stream);      // closes the stream
        loaded.Module.load(new MemoryStream(stream.ToArray()));
        var input = saved.Input(3);
        loaded.Run(input).ToDoubles().Should().Equal(saved.Run(input).ToDoubles());
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_BuiltInsideADisposeScope_KeepsItsParameters(string name)
    {
        Case module;
        using (NewDisposeScope())
        {
            module = Make(name);
        }

        using var scope = NewDisposeScope();
        module.Module.parameters().Count(p => !p.IsInvalid).Should().Be(Make(name).Module.parameters().Count());
        module.Run(module.Input(2)).ShouldBeFinite();
        module.Module.Dispose();
    }

    [Fact]
    public void Modules_BuiltOnADevice_HaveTheirParametersThere()
    {
        using var primary = new PrimaryCapsule(1, device: META);
        using var layer = new CapsuleLayer(2, 2, 2, 2, bias: true, learnedLogits: true, device: META);
        using var decoder = new MaskedDecoder(2, 2, [4], device: META);
        using var depthwise = new DepthwisePrimaryCapsule(8, device: META);
        using var attention = new SelfAttentionRouting(2, 2, device: META);
        using var convolutional = new ConvolutionalDecoder(2, 2, [1, 4, 4], [2], device: META);
        using var matrices = new MatrixPrimaryCapsule(1, device: META);
        using var conv = new ConvCapsuleLayer(2, 4, 3, 4, new EMRouting(3, device: META), device: META);
        using var classes = new ClassCapsuleLayer(2, 4, 3, 4, new InvertedDotProductRouting(4, device: META), positions: 4, device: META);
        using var self = new ClassCapsuleLayer(2, 4, 3, 4, new SelfRouting(2, 4, 3, device: META), device: META);
        new nn.Module[] { primary, layer, decoder, matrices, conv, classes, self, depthwise, attention, convolutional }.SelectMany(m => m.parameters())
            .Should().HaveCount(2 + 3 + 6 + 2 + 3 + 3 + 3 + 2 + 1 + 6).And.OnlyContain(p => p.device_type == DeviceType.META);
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_NonContiguousInput_GivesTheSame(string name)
    {
        using var scope = NewDisposeScope();
        var module = Make(name, float64);
        var input = module.Input(4);
        var strided = input.transpose(0, -1).contiguous().transpose(0, -1);
        strided.is_contiguous().Should().BeFalse();
        module.Run(strided).ShouldBeClose(module.Run(input), 1e-12);
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_ForwardAndBackward_LeavesNoTensorBehind(string name)
    {
        using var outer = NewDisposeScope();
        var module = Make(name);
        var input = module.Input(3).requires_grad_();
        Step();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 5; i++)
        {
            Step();
        }

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before);

        void Step()
        {
            using var output = module.Run(input);      // the caller has no scope of its own but owns the result
            using var sum = output.sum();
            sum.backward();
        }
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_MovedToCuda_GivesWhatTheCpuGives(string name)
    {
        Assert.SkipUnless(cuda.is_available(), "There is no CUDA device.");
        using var scope = NewDisposeScope();
        var module = Make(name);
        var input = module.Input(3);
        var expected = module.Run(input);
        module.Module.to(CUDA);
        module.Module.parameters().Should().OnlyContain(p => p.device_type == DeviceType.CUDA);
        module.Run(input.to(CUDA)).cpu().ShouldBeClose(expected, 1e-4);
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_EmptyBatch_IsEmpty(string name)
    {
        using var scope = NewDisposeScope();
        var module = Make(name);
        module.Run(module.Input(0)).size(0).Should().Be(0);
    }

    // TorchSharp hands raw handles to native code: a temporary that nobody holds may be finalised while it is read.
    [Fact]
    public async Task Modules_ForcedCollectionsOnTwoThreads_RunOn()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        var collector = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect();
                Thread.Sleep(1);
            }
        }, TestContext.Current.CancellationToken);

        var rounds = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            var cases = Trainable.Select(name => Make(name)).ToArray();
            var inputs = cases.Select(c => c.Input(8).DetachFromDisposeScope()).ToArray();
            var (lengths, labels) = (rand(8, 3).requires_grad_(), ones([8], int64));
            Func<Tensor>[] losses =
            [
                () => Capsules.Functional.margin_loss(lengths, labels),
                () => Capsules.Functional.spread_loss(lengths, labels),
                () => Capsules.Functional.capsule_cross_entropy(lengths, labels, probabilities: true),
                () => Capsules.Functional.reconstruction_loss(lengths, lengths),
            ];
            var count = 0;
            while (!stop.IsCancellationRequested)
            {
                for (var i = 0; i < cases.Length; i++)
                {
                    using var output = cases[i].Run(inputs[i]);
                    using var sum = output.sum();
                    sum.backward();
                    count++;
                }

                foreach (var loss in losses)
                {
                    using var value = loss();
                    value.backward();
                }
            }

            return count;
        })));
        await collector;
        rounds.Should().OnlyContain(count => count > 10);
    }
}
