using BenchmarkDotNet.Running;
using Capsules.Benchmarks;

if (args is [CompareCommand.Name, .. var rest])
{
    return CompareCommand.Create().Parse(rest).Invoke();
}

BenchmarkSwitcher.FromAssembly(typeof(CompareCommand).Assembly).Run(BenchmarkConfig.Arguments(args), BenchmarkConfig.For(args));
return 0;
