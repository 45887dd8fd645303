using System.CommandLine;
using TorchSharp;

namespace Capsules.Samples;

/// <summary>Where and how a run computes: nothing here changes a number of it, but for the order of sums.</summary>
/// <param name="Device">One of <see cref="ComputeDevice.Names"/>.</param>
/// <param name="Threads">CPU threads; 0 for one per core.</param>
/// <param name="Data">The folder of <c>--data</c>, or null.</param>
/// <param name="Profile">Whether to show at the end where the time of a step went.</param>
internal sealed record MachineSettings(string Device = "auto", int Threads = 0, string? Data = null, bool Profile = false)
{
    /// <summary>How many copies of the network share each batch; 0 for one on each GPU.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>How long a run goes on within an epoch before it saves itself; each epoch's end saves too.</summary>
    public TimeSpan SaveEvery { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Whether a run that diverges is to name the layer.</summary>
    public bool DetectAnomaly { get; init; }

    /// <summary>Refuses what does not go together, before there is a run folder.</summary>
    /// <exception cref="UserException">Something does not.</exception>
    public void Check(torch.Device device)
    {
        if (Profile && device.type != DeviceType.CPU)
        {
            throw new UserException(
                "--profile measures on the CPU alone, where an operation has ended when its call returns. Leave it out, or give --device cpu.");
        }

        var isSeveral = Samples.Replicas.Devices(Replicas, device).Count > 1;
        if (Profile && isSeveral)
        {
            throw new UserException("--profile measures one network, and --replicas makes several. Leave one of the two out.");
        }

        if (DetectAnomaly && isSeveral)
        {
            throw new UserException("--detect-anomaly watches one network, and --replicas makes several. Leave one of the two out.");
        }
    }
}

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
