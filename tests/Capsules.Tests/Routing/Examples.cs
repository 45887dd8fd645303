using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

/// <summary>The votes (input capsule, output capsule, entry) whose results were worked out from the papers' formulas.</summary>
internal static class Examples
{
    /// <summary>Three input capsules, two output capsules of two entries.</summary>
    public static Tensor U2() => tensor(new double[,,]
    {
        { { .5, 0 }, { 0, .5 } },
        { { .4, .1 }, { -.3, .2 } },
        { { .6, -.1 }, { .1, -.4 } },
    }).unsqueeze(0);

    /// <summary>The same with a third entry.</summary>
    public static Tensor U3() => tensor(new double[,,]
    {
        { { .5, 0, .2 }, { 0, .5, -.1 } },
        { { .4, .1, -.2 }, { -.3, .2, .3 } },
        { { .6, -.1, 0 }, { .1, -.4, .5 } },
    }).unsqueeze(0);

    /// <summary>Activations (1, 3) that go with them.</summary>
    public static Tensor Activations() => tensor(new[,] { { .9, .5, .7 } });
}
