using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>What one replica does of a step.</summary>
/// <param name="Network">The replica.</param>
/// <param name="Batch">Its images, on its device.</param>
/// <param name="Weight">The share that they are of the batch's images.</param>
internal readonly record struct Share(ImageNetwork Network, ImageBatch Batch, double Weight);

/// <summary>Data-parallel training: copies of a network, each with a share of every batch, and the gradients of all in the network's own.</summary>
/// <remarks>
/// The mean of a loss over a batch is the mean of the shares' means, weighted by their images; so is its gradient, and a step is that of one
/// network with the whole batch, up to the order of sums. That holds of losses that are means over images and of networks that see each image by
/// itself, which batch normalisation does not. Gradients are added in the order of the replicas: the same numbers in every run.
/// </remarks>
internal sealed class Replicas : IDisposable
{
    private readonly ImageNetwork _network;
    private readonly List<(ImageNetwork Network, Device Device)> _copies = [];

    /// <summary>Makes the copies.</summary>
    /// <param name="network">The network, which stays the caller's; it is the first replica.</param>
    /// <param name="make">Makes another one, with any weights.</param>
    /// <param name="devices">Where the replicas are, the network's own first.</param>
    /// <exception cref="UserException">The network does not see each image by itself.</exception>
    public Replicas(ImageNetwork network, Func<ImageNetwork> make, IReadOnlyList<Device> devices)
    {
        _network = network;
        Check(network, devices.Count);
        foreach (var device in devices.Skip(1))
        {
            var copy = make();
            copy.to(device);
            _copies.Add((copy, device));
        }

        Spread();
    }

    /// <summary>How many there are, the network included.</summary>
    public int Count => _copies.Count + 1;

    /// <summary>Throws unless a network can have so many.</summary>
    /// <exception cref="UserException">The network does not see each image by itself.</exception>
    public static void Check(ImageNetwork network, int count)
    {
        if (count > 1 && network.buffers().Any())
        {
            throw new UserException(
                $"--replicas is for networks that see each image by itself, and {network.GetName()} normalises by its batch. Leave it out, or train another --model.");
        }
    }

    /// <summary>The devices of so many replicas: in turn those of a kind; 0 for one on each.</summary>
    public static IReadOnlyList<Device> Devices(int count, Device first)
    {
        if (first.type != DeviceType.CUDA)
        {
            return [.. Enumerable.Repeat(first, Math.Max(count, 1))];
        }

        var gpus = cuda.device_count();
        return [first, .. Enumerable.Range(1, Math.Max(count == 0 ? gpus : count, 1) - 1).Select(i => new Device(DeviceType.CUDA, i % gpus))];
    }

    /// <summary>Deals a batch out, in order; sizes differ by one at most, and a replica for which no image is left has no share.</summary>
    public IReadOnlyList<Share> Split(ImageBatch batch)
    {
        if (Count == 1)
        {
            return [new Share(_network, batch, 1)];
        }

        var images = batch.Images.size(0);
        List<Share> shares = [];
        for (var (replica, start) = (0, 0L); start < images; replica++)
        {
            var size = images / Count + (replica < images % Count ? 1 : 0);
            var (network, device) = replica == 0 ? (_network, batch.Images.device) : _copies[replica - 1];
            var first = start;
            shares.Add(new Share(network, batch.Select(tensor => tensor.narrow(0, first, size).to(device)), (double)size / images));
            start += size;
        }

        return shares;
    }

    /// <summary>Forgets the copies' gradients: the next backward writes them anew.</summary>
    public void ForgetGradients()
    {
        foreach (var parameter in _copies.SelectMany(copy => copy.Network.parameters()))
        {
            parameter.grad = null;
        }
    }

    /// <summary>Adds the copies' gradients to the network's, on its device.</summary>
    public void GatherGradients()
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        foreach (var (copy, _) in _copies)
        {
            foreach (var (parameter, other) in _network.parameters().Zip(copy.parameters()))
            {
                if (other.grad is not { } gradient)
                {
                    continue;      // without a share, or not in the loss
                }

                if (parameter.grad is { } sum)
                {
                    Arithmetic.Accumulate(sum, gradient.to(parameter.device));
                }
                else
                {
                    parameter.grad = gradient.to(parameter.device);
                }
            }
        }
    }

    /// <summary>Gives the copies the network's weights.</summary>
    public void Spread()
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        foreach (var (copy, _) in _copies)
        {
            foreach (var (parameter, other) in _network.parameters().Zip(copy.parameters()))
            {
                other.copy_(parameter);
            }
        }
    }

    public void Dispose() => _copies.ForEach(copy => copy.Network.Dispose());
}
