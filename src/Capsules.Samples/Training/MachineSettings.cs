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
