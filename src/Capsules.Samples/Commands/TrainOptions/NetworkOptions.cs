using System.CommandLine;

namespace Capsules.Samples;

/// <summary>Options of <c>train</c> on the network and its loss.</summary>
internal sealed class NetworkOptions : OptionGroup
{
    private const string Official = "official";

    private readonly Option<string> _model;
    private readonly Option<int?> _iterations;
    private readonly Option<double?> _reconstruction;
    private readonly Option<string> _preset;

    public NetworkOptions()
    {
        _model = Add(CommonOptions.Model());
        _preset = Add(CommonOptions.Among(
            New("--preset", "Follow the text of the paper or its authors' official code: paper or official.", "paper"), "paper", Official));
        _iterations = Add(CommonOptions.Valid(
            OfModel<int?>("--routing-iterations", "Iterations of the routing; 0, with --model capsnet, couples uniformly.",
                recipe => recipe.RoutingIterations),
            count => count >= 0, "at least 0"));
        _reconstruction = Add(CommonOptions.Valid(
            OfModel<double?>("--reconstruction-weight", "The weight of the sum of squared reconstruction errors; 0 leaves the decoder out.",
                recipe => recipe.ReconstructionWeight),
            weight => weight >= 0 && double.IsFinite(weight.Value), "at least 0"));
    }

    /// <summary>The network that the command line names.</summary>
    /// <exception cref="UserException">There is none of that name.</exception>
    public NetworkKind Kind(ParseResult result) => NetworkCatalog.Get(result.GetValue(_model)!);

    public override TrainingOptions Apply(ParseResult result, TrainingOptions recipe) => recipe with
    {
        Preset = result.GetValue(_preset) == Official ? Preset.OfficialCode : Preset.Paper,
        RoutingIterations = result.GetValue(_iterations) ?? recipe.RoutingIterations,
        ReconstructionWeight = result.GetValue(_reconstruction) ?? recipe.ReconstructionWeight,
    };
}
