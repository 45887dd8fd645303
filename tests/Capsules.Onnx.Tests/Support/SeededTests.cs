using System.Reflection;
using Xunit.v3;
using static TorchSharp.torch;

[assembly: Capsules.Onnx.Tests.SeededTests]

namespace Capsules.Onnx.Tests;

/// <summary>Every test draws the same random numbers each time, so that a failure can be seen again.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class SeededTests : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test) => manual_seed(20171026);
}
