using System.CommandLine;

namespace Capsules.Samples;

/// <summary>Options of <c>train</c> on the machine, which a resumed run takes too.</summary>
internal sealed class MachineOptions
{
    private readonly Option<string?> _data = CommonOptions.Data();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _threads = CommonOptions.Threads();
    private readonly Option<int> _replicas = CommonOptions.Valid(
        new Option<int>("--replicas")
        {
            Description = "Copies of the network that share each batch, on the GPUs in turn (on the CPU: one after the other); 0 for one on each GPU. The " +
                "numbers are those of one, but for the order of sums.",
            DefaultValueFactory = _ => 1,
        }, replicas => replicas is >= 0 and <= 64, "between 0 and 64");
    private readonly Option<bool> _profile = new("--profile") { Description = "Show at the end where the time of a step went, by stage." };
    private readonly Option<bool> _detectAnomaly = new("--detect-anomaly")
    {
        Description = "Look at every layer's output and every gradient, and name the first that is no longer of numbers. Takes time.",
    };
    private readonly Option<double> _saveEvery = CommonOptions.Valid(
        new Option<double>("--save-every")
        {
            Description = "Minutes after which a run saves itself within an epoch, so that a power cut costs no more; each epoch's end saves too.",
            DefaultValueFactory = _ => new MachineSettings().SaveEvery.TotalMinutes,
        },
        minutes => minutes is >= 0 and <= 1e6, "between 0 and 1000000");

    public IReadOnlyList<Option> Options => [_data, _device, _replicas, _threads, _saveEvery, _profile, _detectAnomaly];

    public MachineSettings Read(ParseResult result) => new(
        result.GetValue(_device)!, result.GetValue(_threads), result.GetValue(_data), result.GetValue(_profile))
    {
        Replicas = result.GetValue(_replicas),
        SaveEvery = TimeSpan.FromMinutes(result.GetValue(_saveEvery)),
        DetectAnomaly = result.GetValue(_detectAnomaly),
    };
}
