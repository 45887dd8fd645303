using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Serialization;

public sealed class WeightsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("capsules-").FullName;

    private string FilePath => Path.Combine(_folder, "weights.safetensors");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void SaveAndLoad_Module_GivesTheSameOutputs()
    {
        using var scope = NewDisposeScope();
        using var saved = new CapsuleLayer(6, 4, 3, 5, bias: true);
        using var loaded = new CapsuleLayer(6, 4, 3, 5, bias: true);
        var capsules = rand(2, 6, 4);
        var parameter = loaded.get_parameter("weight");
        Weights.Save(saved, FilePath, new Dictionary<string, string> { ["accuracy"] = "0.99" });

        var report = Weights.Load(loaded, FilePath);

        report.IsExact.Should().BeTrue();
        report.ToString().Should().Be("2 loaded");
        loaded.call(capsules).ShouldBeClose(saved.call(capsules), 0);
        loaded.get_parameter("weight").Should().BeSameAs(parameter, "optimizers hold on to it");
        parameter!.requires_grad.Should().BeTrue();
    }

    [Fact]
    public void Load_OtherDtype_ConvertsToTheModules()
    {
        using var scope = NewDisposeScope();
        using var saved = new CapsuleLayer(6, 4, 3, 5, dtype: float64);
        using var loaded = new CapsuleLayer(6, 4, 3, 5);
        Weights.Save(saved, FilePath);

        Weights.Load(loaded, FilePath);

        var weight = loaded.get_parameter("weight")!;
        weight.dtype.Should().Be(float32);
        weight.ShouldBeClose(saved.get_parameter("weight")!.to(float32), 0);
    }

    [Fact]
    public void Load_DifferentModule_LoadsNothingAndListsTheDifferences()
    {
        using var scope = NewDisposeScope();
        using var other = new CapsuleLayer(6, 4, 3, 7);
        using var module = new CapsuleLayer(6, 4, 3, 5, bias: true);
        var before = module.get_parameter("weight")!.clone();
        Safetensors.Save(FilePath, [.. other.state_dict(), new("extra", ones(1))]);

        FluentActions.Invoking(() => Weights.Load(module, FilePath)).Should().Throw<InvalidDataException>().WithMessage(
            $"{FilePath} does not fit CapsuleLayer, and nothing was loaded (1 missing in the file: bias; 1 not in the module: extra; " +
            "1 of another shape: weight: (6, 3, 4, 7) in the file, (6, 3, 4, 5) in the module). Give a mapping*strict: false.");
        module.get_parameter("weight")!.ShouldBeClose(before, 0);

        var report = Weights.Load(module, FilePath, strict: false);
        report.Loaded.Should().BeEmpty();
        report.Missing.Should().Equal("bias");
        report.Unexpected.Should().Equal("extra");
        report.Mismatched.Should().Equal("weight: (6, 3, 4, 7) in the file, (6, 3, 4, 5) in the module");
    }

    [Theory]
    [InlineData(new byte[] { 0x89, 0x48, 0x44, 0x46, 13, 10 }, "an HDF5 file, as Keras writes")]
    [InlineData(new byte[] { 0x80, 2, 0x8a, 10, 0x6c }, "a file of PyTorch before 1.6")]
    public void Load_FileOfAnotherFormat_SaysWhichAndWhatToDo(byte[] bytes, string kind)
    {
        using var module = new CapsuleLayer(6, 4, 3, 5);
        File.WriteAllBytes(FilePath, bytes);
        FluentActions.Invoking(() => Weights.Load(module, FilePath)).Should().Throw<InvalidDataException>()
            .WithMessage($"{FilePath} is {kind}, which is not read here. Convert it to safetensors where it comes from: *");
    }

    [Fact]
    public void Load_FileOfTorchSharpsOwn_SaysWhoReadsIt()
    {
        using var module = new CapsuleLayer(6, 4, 3, 5);
        module.save(FilePath);
        FluentActions.Invoking(() => Weights.Load(module, FilePath)).Should().Throw<InvalidDataException>()
            .WithMessage($"{FilePath} is not a whole safetensors file: *Or it is no safetensors file: what TorchSharp's module.save wrote is read by module.load. *");
    }

    [Fact]
    public void Load_KeyOfAFileWithoutParts_IsRefused()
    {
        using var module = new CapsuleLayer(6, 4, 3, 5);
        Weights.Save(module, FilePath);
        FluentActions.Invoking(() => Weights.Load(module, FilePath, key: "state_dict")).Should().Throw<InvalidDataException>()
            .WithMessage($"{FilePath} is no .pt file and has no dictionary 'state_dict' in it. *");
    }

    [Fact]
    public void Load_NamesWithAPrefix_AreTakenWithoutIt()
    {
        using var scope = NewDisposeScope();
        using var module = new CapsuleLayer(6, 4, 3, 5, bias: true);
        var tensors = new Dictionary<string, Tensor> { ["module.W"] = rand(3, 6, 4, 5), ["module.bias"] = rand(3, 5), ["module.more"] = ones(1), ["bias"] = ones(1) };
        var mapping = new WeightsMapping { { "weight", "W", weight => weight.permute(1, 0, 2, 3) } };

        var report = Weights.Load(module, tensors, mapping.WithoutPrefix("module."), strict: false);

        report.Loaded.Should().BeEquivalentTo("weight", "bias");
        report.Unexpected.Should().Equal("more", "bias");
        module.get_parameter("bias")!.ShouldBeClose(tensors["module.bias"], 0);
        Weights.Load(module, tensors, mapping, strict: false).Loaded.Should().BeEmpty("the mapping itself is as it was");
    }

    [Fact]
    public void Load_Mapping_RenamesAndConverts()
    {
        using var scope = NewDisposeScope();
        using var module = new CapsuleLayer(6, 4, 3, 5, bias: true);
        var (weight, left, right) = (rand(3, 6, 4, 5), rand(1, 5), rand(2, 5));
        var tensors = new Dictionary<string, Tensor> { ["route_weights"] = weight, ["left"] = left, ["right"] = right };

        var report = Weights.Load(module, tensors, new WeightsMapping
        {
            { "weight", "route_weights", w => w.permute(1, 0, 2, 3) },
            { "bias", ["left", "right"], parts => cat(parts.ToArray(), 0) },
        });

        report.Loaded.Should().BeEquivalentTo("weight", "bias");
        module.get_parameter("weight")!.ShouldBeClose(weight.permute(1, 0, 2, 3), 0);
        module.get_parameter("bias")!.ShouldBeClose(cat([left, right], 0), 0);
    }

    // The routing weights of XifengGuo/CapsNet-Keras, (J, N, E, D) over capsules ordered by row, column, type.
    [Fact]
    public void Load_KerasLayout_GivesWhatItsOrderGives()
    {
        using var scope = NewDisposeScope();
        const int Types = 3, D = 4, J = 5, E = 6;
        using var primary = new PrimaryCapsule(2, Types, D, kernelSize: 3, stride: 2);
        using var digits = new CapsuleLayer(primary.OutputShape(7, 9).Capsules, D, J, E);
        var (images, kernel, bias) = (rand(2, 2, 7, 9), randn(3, 3, 2, Types * D), randn(Types * D));
        var maps = nn.functional.conv2d(images, kernel.permute(3, 2, 0, 1), bias, strides: [2, 2]).permute(0, 2, 3, 1);      // (B, h, w, T * D)
        var (h, w) = (maps.size(1), maps.size(2));
        var weight = randn(J, h * w * Types, E, D);
        var votes = einsum("bnd,jned->bnje", F.squash(maps.reshape(2, -1, D)), weight);

        Weights.Load(primary, new Dictionary<string, Tensor> { ["weight"] = kernel, ["bias"] = bias }, new WeightsMapping
        {
            { "weight", "weight", k => k.permute(3, 2, 0, 1) },
            { "bias", "bias" },
        });
        Weights.Load(digits, new Dictionary<string, Tensor> { ["W"] = weight }, new WeightsMapping
        {
            { "weight", "W", x => x.permute(1, 0, 3, 2).reshape(h, w, Types, J, D, E).permute(2, 0, 1, 3, 4, 5).flatten(0, 2) },
        });

        var expected = new DynamicRouting().Route(new GivenVotes(votes)).Capsules;
        digits.call(primary.call(images)).ShouldBeClose(expected, 1e-5);
    }

    // Those of the 2017 authors, (N, D, J * E), over capsules in our order.
    [Fact]
    public void Load_AuthorsLayout_GivesWhatItsOrderGives()
    {
        using var scope = NewDisposeScope();
        using var digits = new CapsuleLayer(6, 4, 3, 5);
        var (capsules, weight) = (rand(2, 6, 4), randn(6, 4, 3 * 5));
        var votes = capsules.unsqueeze(-1).mul(weight).sum(2).reshape(2, 6, 3, 5);

        Weights.Load(digits, new Dictionary<string, Tensor> { ["weights"] = weight }, new WeightsMapping
        {
            { "weight", "weights", x => x.reshape(6, 4, 3, 5).permute(0, 2, 1, 3) },
        });

        digits.call(capsules).ShouldBeClose(new DynamicRouting().Route(new GivenVotes(votes)).Capsules, 1e-5);
    }

    [Fact]
    public void Load_MappingWhoseSourceIsNotThere_ReportsTheTargetMissing()
    {
        using var scope = NewDisposeScope();
        using var module = new CapsuleLayer(6, 4, 3, 5);

        var load = () => Weights.Load(module, new Dictionary<string, Tensor> { ["w"] = ones(1) }, new WeightsMapping { { "weight", "route_weights" } });

        load.Should().Throw<InvalidDataException>().WithMessage("*1 missing in the file: weight; 1 not in the module: w)*");
    }

    [Fact]
    public void Load_FileWithAnEntryOfATargetsName_DoesNotTakeItUnconverted()
    {
        using var scope = NewDisposeScope();
        using var module = new CapsuleLayer(6, 4, 3, 5);
        var mapping = new WeightsMapping { { "weight", "route_weights", weight => weight.permute(1, 0, 2, 3) } };

        var load = () => Weights.Load(module, new Dictionary<string, Tensor> { ["weight"] = ones(6, 3, 4, 5) }, mapping);

        load.Should().Throw<InvalidDataException>().WithMessage("*1 missing in the file: weight; 1 not in the module: weight)*");
    }

    [Fact]
    public void Load_MappingThatDoesNotGoWithTheShapes_IsReportedAsAShape()
    {
        using var scope = NewDisposeScope();
        using var module = new CapsuleLayer(6, 4, 3, 5, bias: true);
        var tensors = new Dictionary<string, Tensor> { ["W"] = ones(6, 3), ["left"] = ones(1, 5), ["right"] = ones(2, 4), ["b"] = zeros(3, 5) };
        var mapping = new WeightsMapping
        {
            { "weight", "W", weight => weight.permute(1, 0, 2, 3) }, { "bias", "b" }, { "more", ["left", "right"], parts => cat(parts.ToArray(), 0) },
        };

        FluentActions.Invoking(() => Weights.Load(module, tensors, mapping)).Should().Throw<InvalidDataException>()
            .WithMessage("*1 not in the module: more; 1 of another shape: weight: cannot be made of W (6, 3))*");
        var report = Weights.Load(module, tensors, mapping, strict: false);
        report.Loaded.Should().Equal("bias");
        report.Mismatched.Should().Equal("weight: cannot be made of W (6, 3)");
        module.get_parameter("bias")!.ShouldBeClose(tensors["b"], 0);

        WeightsMapping indexing = new() { { "weight", "W", weight => weight.reshape(weight.shape[2], -1) } };
        Weights.Load(module, tensors, indexing, strict: false).Mismatched.Should().Equal("weight: cannot be made of W (6, 3)");
    }

    [Fact]
    public void Mapping_TwoRulesForOneTarget_IsRefused() =>
        FluentActions.Invoking(() => new WeightsMapping { { "a", "x" }, { "a", "y" } })
            .Should().Throw<ArgumentException>().WithMessage("There already is a rule for 'a'.*");

    [Fact]
    public void Save_ModuleWithoutWeights_SaysWhy() =>
        FluentActions.Invoking(() => Weights.Save(new Squash(), FilePath))
            .Should().Throw<ArgumentException>().WithMessage("Squash has no weights. Has RegisterComponents()*");
}
