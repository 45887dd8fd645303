using BenchmarkDotNet.Running;
using Capsules;
using Capsules.Benchmarks;

try
{
    LibtorchLoader.Load();      // nothing, unless it was built with TorchBackend=external
}
catch (Exception failure) when (failure is DllNotFoundException or InvalidOperationException)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

switch (args)
{
    case [CompareCommand.Name, .. var rest]:
        return CompareCommand.Create().Parse(rest).Invoke();
    case [CompareNetworkCommand.Name, .. var rest]:
        return CompareNetworkCommand.Create().Parse(rest).Invoke();
    case [SoakCommand.Name, .. var rest]:
        return SoakCommand.Create().Parse(rest).Invoke();
    case [LongRunCommand.Name, .. var rest]:
        return await LongRunCommand.Create().Parse(rest).InvokeAsync();
    case [NetworkChild.Name, .. var rest]:
        return NetworkChild.Run(rest);
    case [SoakCommand.ChildName, .. var rest]:
        return SoakCommand.Run(rest);
    case [GpuMemory.ChildName, .. var rest]:
        return GpuMemory.Run(rest);
    case [CompareOnnxCommand.Name, .. var rest]:
        return CompareOnnxCommand.Create().Parse(rest).Invoke();
    case [CheckOnnxCommand.Name, .. var rest]:
        return await CheckOnnxCommand.Create().Parse(rest).InvokeAsync();
    case [OnnxChild.Name, .. var rest]:
        return OnnxChild.Run(rest);
    case [CompareAlgorithmsCommand.Name, .. var rest]:
        return CompareAlgorithmsCommand.Create().Parse(rest).Invoke();
    case [TrainAlgorithmsCommand.Name, .. var rest]:
        return await TrainAlgorithmsCommand.Create().Parse(rest).InvokeAsync();
}

BenchmarkSwitcher.FromAssembly(typeof(CompareCommand).Assembly).Run(BenchmarkConfig.Arguments(args), BenchmarkConfig.For(args));
return 0;
