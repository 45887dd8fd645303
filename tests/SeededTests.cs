using System.Reflection;
using Xunit.v3;
using static TorchSharp.torch;

// torch's random generator and thread pool belong to the process: seeds, thread counts and counts of tensors mean something only where one
// test runs at a time. libtorch keeps the cores busy all the same.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: Capsules.SeededTests]

namespace Capsules;

/// <summary>Every test draws the same random numbers each time, so that a failure can be seen again.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class SeededTests : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test) => manual_seed(20171026);
}
