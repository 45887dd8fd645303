using BenchmarkDotNet.Running;
using Capsules.Benchmarks;

if (args is [CompareCommand.Name, .. var rest])
{
    return CompareCommand.Create().Parse(rest).Invoke();
}

if (args is [CompareAlgorithmsCommand.Name, .. var others])
{
    return CompareAlgorithmsCommand.Create().Parse(others).Invoke();
}

BenchmarkSwitcher.FromAssembly(typeof(CompareCommand).Assembly).Run(BenchmarkConfig.Arguments(args), BenchmarkConfig.For(args));
return 0;
