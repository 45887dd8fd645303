using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>Tests that were built with TorchBackend=external take their libtorch from the folder that CAPSULES_LIBTORCH names.</summary>
internal static class ExternalLibtorch
{
    [ModuleInitializer]
    internal static void Load()
    {
        if (!LibtorchLoader.IsCarried)
        {
            LibtorchLoader.Load();
        }
    }
}
