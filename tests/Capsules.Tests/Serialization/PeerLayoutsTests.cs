using TorchSharp.Modules;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Serialization;

/// <summary>Weights in the layouts of other implementations, with what PyTorch 1.13 made of them (Fixtures/peers.py).</summary>
public sealed class PeerLayoutsTests
{
    private const int T = 3, D = 4, J = 5, E = 6;

    private static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "Serialization", "Fixtures", "peers", $"{name}.safetensors");

    public static TheoryData<string> Peers => ["gram-ai", "leftthomas", "capsnet-pytorch", "capsnet-keras", "official-tensorflow"];

    [Theory]
    [MemberData(nameof(Peers))]
    public void Load_PeersWeights_GivesPyTorchsCapsulesAndReconstructions(string peer)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var network = new Network(peer);
        var outputs = Safetensors.Load(Fixture("outputs"));

        Weights.Load(network, Fixture(peer), Layout(peer)).IsExact.Should().BeTrue();
        var (capsules, reconstructions) = network.call(outputs["images"]);

        capsules.ShouldBeClose(outputs[$"{peer}.capsules"], 1e-5);
        reconstructions.ShouldBeClose(outputs[$"{peer}.reconstructions"], 1e-5);
        var lengths = F.length(capsules);
        (lengths.max() - lengths.min()).item<float>().Should().BeGreaterThan(0.2f, "the agreement is not one of zeros, nor of equals");
    }

    // Each layout is its own: another one's does not load, or not to the same outputs.
    [Theory]
    [InlineData("gram-ai", "leftthomas")]
    [InlineData("leftthomas", "gram-ai")]
    [InlineData("capsnet-keras", "official-tensorflow")]
    public void Load_AnothersLayout_LoadsNothing(string peer, string other)
    {
        using var network = new Network(peer);
        var load = () => Weights.Load(network, Fixture(peer), Layout(other));
        load.Should().Throw<InvalidDataException>().WithMessage("*does not fit*nothing was loaded*");
    }

    [Fact]
    public void Layouts_ImpossibleSizes_AreRefused()
    {
        FluentActions.Invoking(() => PeerLayouts.GramAi(0)).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("capsuleDim");
        FluentActions.Invoking(() => PeerLayouts.Leftthomas(-1)).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("capsuleDim");
    }

    private static WeightsMapping Layout(string peer) => peer switch
    {
        "gram-ai" => PeerLayouts.GramAi(D),
        "leftthomas" => PeerLayouts.Leftthomas(D),
        "capsnet-pytorch" => PeerLayouts.CapsNetPytorch(),
        "capsnet-keras" => PeerLayouts.CapsNetKeras(),
        _ => PeerLayouts.OfficialTensorFlow(),
    };

    private sealed class Network : nn.Module<Tensor, (Tensor Capsules, Tensor Reconstructions)>
    {
        private readonly Conv2d conv1;
        private readonly nn.Module<Tensor, Tensor> primary;
        private readonly CapsuleLayer digits;
        private readonly MaskedDecoder decoder;

        public Network(string peer) : base(peer)
        {
            var preset = peer == "official-tensorflow" ? Preset.OfficialCode : Preset.Paper;
            conv1 = nn.Conv2d(1, 6, 3);
            primary = peer == "capsnet-pytorch" ? nn.Conv2d(6, T * D, 3, stride: 2) : new PrimaryCapsule(6, T, D, kernelSize: 3, stride: 2, preset: preset);
            digits = new CapsuleLayer(T * 3 * 3, D, J, E, preset: preset);
            decoder = new MaskedDecoder(J, E, [1, 10, 10], [7, 9]);
            RegisterComponents();
        }

        public override (Tensor Capsules, Tensor Reconstructions) forward(Tensor images)
        {
            using var scope = NewDisposeScope();
            var u = primary.call(nn.functional.relu(conv1.call(images)));
            if (primary is Conv2d)
            {
                u = F.squash(u.reshape(u.size(0), -1, D));      // as docs/weights.md says of CapsNet-Pytorch
            }

            var capsules = digits.call(u);
            return (capsules.MoveToOuterDisposeScope(), decoder.call(capsules).MoveToOuterDisposeScope());
        }
    }
}
