using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Tests.Optimizers;

public class FusedAdamTests
{
    public static TheoryData<bool, double, bool, bool, ScalarType> Options => new()
    {
        { false, 0, false, false, float32 },
        { false, 0.1, false, false, float32 },
        { false, 0.1, true, true, float32 },
        { true, 0, false, false, float32 },
        { true, 0.1, true, false, float32 },
        { true, 0.1, false, true, float64 },
    };

    private static List<Parameter> Parameters(ScalarType dtype = ScalarType.Float32)
    {
        manual_seed(5);
        return [.. ((long[][])[[3, 4], [20_000], [], [2, 1, 5]]).Select(shape => new Parameter(randn(shape, dtype)))];
    }

    private static OptimizerHelper Make(bool fused, bool decoupled, List<Parameter> parameters, double decay = 0, bool amsgrad = false, bool maximize = false) =>
        (fused, decoupled) switch
        {
            (true, false) => new FusedAdam(parameters, lr: 0.02, beta1: 0.8, beta2: 0.95, eps: 1e-6, weightDecay: decay, amsgrad: amsgrad, maximize: maximize),
            (true, true) => new FusedAdamW(parameters, lr: 0.02, beta1: 0.8, beta2: 0.95, eps: 1e-6, weightDecay: decay, amsgrad: amsgrad, maximize: maximize),
            (false, false) => optim.Adam(parameters, 0.02, 0.8, 0.95, 1e-6, decay, amsgrad, maximize),
            _ => optim.AdamW(parameters, 0.02, 0.8, 0.95, 1e-6, decay, amsgrad, maximize),
        };

    // The gradient of step t for parameter i: depends on nothing but the two, and differs in size between steps.
    private static void SetGradients(List<Parameter> parameters, int step)
    {
        manual_seed(1000 + step);
        foreach (var parameter in parameters)
        {
            parameter.grad = randn(parameter.shape, parameter.dtype).mul_(Math.Exp(step % 5 - 2));
        }
    }

    [Theory]
    [MemberData(nameof(Options))]
    public void Step_ManySteps_GivesTorchSharpsParameters(bool decoupled, double decay, bool amsgrad, bool maximize, ScalarType dtype)
    {
        FusedAdam.IsAvailable.Should().BeTrue("libtorch 2.10 has the operation");
        using var scope = NewDisposeScope();
        var (ours, theirs) = (Parameters(dtype), Parameters(dtype));
        using var fused = Make(true, decoupled, ours, decay, amsgrad, maximize);
        using var plain = Make(false, decoupled, theirs, decay, amsgrad, maximize);
        for (var step = 0; step < 100; step++)
        {
            foreach (var (optimizer, parameters) in (List<(OptimizerHelper, List<Parameter>)>)[(fused, ours), (plain, theirs)])
            {
                foreach (var group in optimizer.ParamGroups)
                {
                    group.LearningRate = 0.02 * Math.Pow(0.99, step);
                }

                SetGradients(parameters, step);
                optimizer.step();
            }

            if (step is 0 or 1 or 10 or 99)
            {
                for (var i = 0; i < ours.Count; i++)
                {
                    ours[i].ShouldBeClose(theirs[i], dtype == float64 ? 1e-12 : 3e-6, $"parameter {i} after {step + 1} steps");
                }
            }
        }
    }

    [Fact]
    public void Step_Groups_EachHasItsRateAndItsParameters()
    {
        using var scope = NewDisposeScope();
        var (ours, theirs) = (Parameters(), Parameters());
        Adam.ParamGroup[] Groups(List<Parameter> p) =>
            [new([p[0]], lr: 0.5, beta1: 0.5), new(p.Skip(1), new Adam.Options { LearningRate = 0.01 })];
        using var fused = new FusedAdam(Groups(ours), lr: 0.1);
        using var plain = new Adam(Groups(theirs), lr: 0.1);
        for (var step = 0; step < 5; step++)
        {
            SetGradients(ours, step);
            SetGradients(theirs, step);
            fused.step();
            plain.step();
        }

        for (var i = 0; i < ours.Count; i++)
        {
            ours[i].ShouldBeClose(theirs[i], 1e-6);
        }
    }

    [Fact]
    public void Step_ParameterWithoutGradient_IsLeftAloneAndItsStepsNotCounted()
    {
        using var scope = NewDisposeScope();
        var (late, early) = (Parameters(), Parameters());
        using var fused = new FusedAdam(late, lr: 0.1);
        using var plain = new Adam(early, lr: 0.1);
        var before = late[0].detach().clone();
        SetGradients(late, 0);
        late[0].grad = null;
        fused.step();
        late[0].Equals(before).Should().BeTrue();
        SetGradients(late, 1);
        fused.step();
        SetGradients(early, 1);
        plain.step();
        late[0].ShouldBeClose(early[0], 1e-6, "bias correction starts with a parameter's own first step");
    }

    [Fact]
    public void State_SavedAndLoaded_GoesOnToTheLastBit()
    {
        using var scope = NewDisposeScope();
        var (straight, resumed) = (Parameters(), Parameters());
        using var optimizer = new FusedAdam(straight, lr: 0.1);
        for (var step = 0; step < 3; step++)
        {
            SetGradients(straight, step);
            optimizer.step();
        }

        var bytes = new MemoryStream();
        optimizer.save_state_dict(new BinaryWriter(bytes));
        for (var i = 0; i < straight.Count; i++)
        {
            using var noGrad = no_grad();
            resumed[i].copy_(straight[i]);
        }

        using var second = new FusedAdam(resumed, lr: 7);
        second.load_state_dict(new BinaryReader(new MemoryStream(bytes.ToArray())));
        for (var step = 3; step < 6; step++)
        {
            SetGradients(straight, step);
            SetGradients(resumed, step);
            optimizer.step();
            second.step();
        }

        for (var i = 0; i < straight.Count; i++)
        {
            resumed[i].Equals(straight[i]).Should().BeTrue();
        }
    }

    [Fact]
    public void State_OfAnotherOptimizer_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var plain = optim.Adam(Parameters());
        var bytes = new MemoryStream();
        plain.save_state_dict(new BinaryWriter(bytes));
        using var fused = new FusedAdam(Parameters());
        var act = () => fused.load_state_dict(new BinaryReader(new MemoryStream(bytes.ToArray())));
        act.Should().Throw<InvalidDataException>().WithMessage("*FusedAdam*Adam*");
    }

    [Fact]
    public void ZeroGrad_Always_ForgetsGradients()
    {
        using var scope = NewDisposeScope();
        var parameters = Parameters();
        using var optimizer = new FusedAdam(parameters);
        SetGradients(parameters, 0);
        optimizer.zero_grad();
        parameters.TrueForAll(p => p.grad is null).Should().BeTrue();
        parameters[0].sum().backward();
        parameters[0].grad!.Equals(ones(3, 4)).Should().BeTrue();
    }

    [Fact]
    public void Step_TransposedGradient_IsReadInItsOwnOrder()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (new Parameter(zeros(3, 4)), new Parameter(zeros(3, 4)));
        using var fused = new FusedAdamW([a], lr: 0.1);
        using var plain = optim.AdamW([b], lr: 0.1);
        a.grad = arange(12, dtype: float32).sub(5).view(4, 3).t();
        b.grad = arange(12, dtype: float32).sub(5).view(4, 3).t().contiguous();
        fused.step();
        plain.step();
        a.ShouldBeClose(b, 1e-6);
    }

    [Fact]
    public void Step_ParameterThatCannotBeServed_SaysSoAndCountsNoStep()
    {
        using var scope = NewDisposeScope();
        var (good, bad) = (new Parameter(zeros(3)), new Parameter(zeros(3, 4).t()));
        using var optimizer = new FusedAdam([good, bad]);
        good.grad = ones(3);
        bad.grad = ones(4, 3);
        var act = () => optimizer.step();
        act.Should().Throw<InvalidOperationException>().WithMessage("FusedAdam updates dense, contiguous*(4, 3)*");
        good.Equals(zeros(3)).Should().BeTrue();
        optimizer.state_dict().State.Cast<Adam.State>().Should().OnlyContain(state => state.step == 0);
    }

    // libtorch has no such operation on the device META, on which tensors have no values.
    [Fact]
    public void Step_CallThatFails_IsNotCounted()
    {
        using var scope = NewDisposeScope();
        var (good, bad) = (new Parameter(zeros(3)), new Parameter(zeros(3, device: META)));
        using var optimizer = new FusedAdam([good, bad], lr: 0.1);
        (good.grad, bad.grad) = (ones(3), ones(3, device: META));
        ((Action)(() => optimizer.step())).Should().Throw<InvalidOperationException>().WithMessage("libtorch could not run aten::_fused_adam_*");
        good.ShouldBeClose(full([3], -0.1f), 1e-6, "each device has a call of its own");
        optimizer.state_dict().State.Cast<Adam.State>().Select(state => state.step).Should().Equal(1, 0);
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("cuda")]
    public void Step_TwoDtypesInOneGroupOnCpuAndCuda_GivesTorchSharpsParameters(string device)
    {
        Assert.SkipUnless(device == "cpu" || cuda.is_available(), "There is no CUDA device.");
        using var scope = NewDisposeScope();
        List<Parameter> Mixed() => [new(ones(3, device: device)), new(ones([2, 5], float64, device)), new(ones(4, device: device))];
        var (ours, theirs) = (Mixed(), Mixed());
        using var fused = new FusedAdam(ours, lr: 0.1);
        using var plain = new Adam(theirs, lr: 0.1);
        for (var step = 0; step < 3; step++)
        {
            for (var i = 0; i < ours.Count; i++)
            {
                ours[i].grad = full(ours[i].shape, step - 0.5 + i, ours[i].dtype, ours[i].device);
                theirs[i].grad = ours[i].grad!.clone();
            }

            fused.step();
            plain.step();
        }

        for (var i = 0; i < ours.Count; i++)
        {
            ours[i].cpu().ShouldBeClose(theirs[i].cpu(), 1e-6);
        }
    }

    [Fact]
    public void Step_ModuleMovedSince_SaysToBuildTheOptimizerAfterwards()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(2, 2, 2, 2);
        using var optimizer = new FusedAdamW(layer.parameters());
        layer.to(float64);
        foreach (var act in (Action[])[() => optimizer.step(), optimizer.zero_grad])
        {
            act.Should().Throw<InvalidOperationException>().WithMessage("FusedAdamW's parameters were moved or disposed. Build the optimiser after .to().");
        }
    }

    [Fact]
    public void Constructor_WrongOptions_Throw()
    {
        using var scope = NewDisposeScope();
        var parameters = Parameters();
        new Action(() => new FusedAdam(parameters, lr: -1)).Should().Throw<ArgumentException>();
        new Action(() => new FusedAdamW(parameters, beta2: 1)).Should().Throw<ArgumentException>();
        new Action(() => new FusedAdam((IEnumerable<Parameter>)null!)).Should().Throw<ArgumentNullException>();

        // Their finalizers find no state and must not mind.
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Fact]
    public void Step_Closure_RunsOnceWithGradientsAndItsLossIsReturned()
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(ones(2));
        using var optimizer = new FusedAdam([parameter], lr: 0.5);
        var calls = 0;
        var loss = optimizer.step(() =>
        {
            calls++;
            optimizer.zero_grad();
            var value = parameter.square().sum();
            value.backward();
            return value;
        });
        calls.Should().Be(1);
        loss.item<float>().Should().Be(2);
        parameter.ShouldBeClose(full([2], 0.5f), 1e-5);
    }

    [Fact]
    public void Step_ManyTimes_LeavesNoTensorBehindAndDisposeFreesTheState()
    {
        using var scope = NewDisposeScope();
        var parameters = Parameters();
        var before = Tensor.TotalCount;
        var optimizer = new FusedAdam(parameters);
        SetGradients(parameters, 0);
        optimizer.step();
        var (scoped, peak) = (DisposeScopeManager.Statistics.ThreadTotalLiveCount, Tensor.TotalCount);
        for (var i = 0; i < 50; i++)
        {
            optimizer.step();
        }

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(scoped);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Tensor.TotalCount.Should().BeLessThanOrEqualTo(peak);
        before.Should().BeLessThan(peak);
        optimizer.Dispose();
        optimizer.state_dict().State.Cast<Adam.State>().Should().OnlyContain(state => state.exp_avg.IsInvalid);
    }
}
