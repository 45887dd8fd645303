using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Networks;

/// <summary>What holds of every network that --model names.</summary>
public class NetworkCatalogTests
{
    public static TheoryData<string> Names => [.. NetworkCatalog.All.Select(kind => kind.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Network_OtherSizesChannelsAndClasses_Work(string name)
    {
        using var scope = NewDisposeScope();
        using var network = Make(name);
        var images = rand(2, 3, 24, 19);
        var output = network.call(images);
        network.Scores(output).shape.Should().Equal(2, 4);
        network.Predict(images).shape.Should().Equal(2);
        if (network.HasDecoder)
        {
            network.Reconstruct(output).shape.Should().Equal(2, 3, 24, 19);
            network.Reconstruct(output, tensor([3L, 0L])).shape.Should().Equal(2, 3, 24, 19);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Network_Loss_IsAScalarWithAGradientForEveryParameterOfTheEncoder(string name)
    {
        using var scope = NewDisposeScope();
        using var network = Make(name);
        var loss = network.Loss(network.call(rand(2, 3, 24, 19)), tensor([1L, 3L]));
        loss.dim().Should().Be(0);
        loss.backward();
        network.named_parameters().Where(p => !p.name.StartsWith("decoder.", StringComparison.Ordinal))
            .Should().OnlyContain(p => p.parameter.grad!.abs().sum().item<float>() > 0);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Network_Recipe_NamesTheNetworkAndSurvivesItsCheckpoint(string name)
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var kind = NetworkCatalog.Get(name);
        kind.Recipe.Model.Should().Be(name);
        var checkpoint = new Checkpoint(kind.Recipe, new DatasetFacts("builtin", new ImageShape(3, 24, 19), ["a", "b", "c", "d"], "abc"), new TrainingState());
        using var network = checkpoint.MakeNetwork();
        _ = network.call(rand(2, 3, 24, 19));      // running statistics, where there are some, leave their start
        network.eval();
        using var optimizer = optim.Adam(network.parameters());
        var path = Path.Combine(folder.Path, "last.ckpt");
        checkpoint.Save(path, network, optimizer);

        var (loaded, copy) = Checkpoint.Load(path, CPU);
        loaded.Options.Should().Be(kind.Recipe);
        copy.eval();
        copy.Should().BeOfType(network.GetType());
        var images = rand(2, 3, 24, 19);
        copy.call(images).data<float>().ToArray().Should().Equal(network.call(images).data<float>().ToArray());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Network_ForwardAndBackward_LeavesNoTensorBehind(string name)
    {
        using var outer = NewDisposeScope();
        using var network = Make(name);
        var (images, labels) = (rand(2, 3, 24, 19), tensor([1L, 3L]));
        Step();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Step();
        Step();
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before);

        void Step()
        {
            using var output = network.call(images);
            using var scores = network.Scores(output);
            using var loss = network.Loss(output, labels);
            loss.backward();
        }
    }

    // Twenty digits, two of each class, by heart: the network, its loss and the optimiser of its recipe fit together.
    [Theory]
    [InlineData("matrix", 60)]
    [InlineData("inverted", 20)]
    public void Network_FewImages_AreLearned(string name, int steps)
    {
        using var scope = NewDisposeScope();
        using var dataset = SmallDigits.Create(train: 20, size: 28);
        manual_seed(1);
        var recipe = NetworkCatalog.Get(name).Recipe;
        using var network = NetworkCatalog.Get(name).Make(recipe, new ImageShape(1, 17, 17), 10);
        using var optimizer = recipe.Optimizer.Make(network.parameters(), recipe);
        var images = nn.functional.interpolate(dataset.Train.Images.to(float32).div(255), size: [17, 17], mode: InterpolationMode.Area);
        for (var step = 0; step < steps; step++)
        {
            using var inner = NewDisposeScope();
            network.EpochsBehind = (double)step / steps;
            optimizer.zero_grad();
            network.Loss(network.call(images), dataset.Train.Labels).backward();
            optimizer.step();
        }

        network.Scores(network.call(images)).argmax(1).eq(dataset.Train.Labels).sum().item<long>().Should().BeGreaterThanOrEqualTo(18);
    }

    [Theory]
    [InlineData("matrix")]
    [InlineData("inverted")]
    public void Network_NoIterations_SaysThatItNeedsOne(string name)
    {
        var kind = NetworkCatalog.Get(name);
        ((Action)(() => kind.Make(kind.Recipe with { RoutingIterations = 0 }, new ImageShape(1, 28, 28), 10))).Should().Throw<UserException>()
            .WithMessage($"--model {name} needs at least 1 of --routing-iterations.");
    }

    [Fact]
    public void NetworkCatalog_UnknownName_SaysWhatThereIs() =>
        ((Action)(() => NetworkCatalog.Get("capsnte"))).Should().Throw<UserException>()
            .WithMessage($"There is no model 'capsnte'. Did you mean 'capsnet'? Known: {string.Join(", ", NetworkCatalog.All.Select(kind => kind.Name))}.");

    private static ImageNetwork Make(string name)
    {
        var kind = NetworkCatalog.Get(name);
        return kind.Make(kind.Recipe, new ImageShape(3, 24, 19), 4);
    }
}
