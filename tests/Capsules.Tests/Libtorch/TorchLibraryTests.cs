namespace Capsules.Tests.Libtorch;

public class TorchLibraryTests
{
    // As of a libtorch that is loaded after FusedAdam.IsAvailable was asked for.
    [Fact]
    public void FindAll_NotAllThereAtFirst_AsksAgain()
    {
        nint[]? functions = null;
        TorchLibrary.FindAll(ref functions, "torch_call_dispatcher", "torch_no_such_thing").Should().BeFalse();
        functions.Should().BeNull();
        TorchLibrary.FindAll(ref functions, "torch_call_dispatcher", "torch_list_push_back").Should().BeTrue();
        functions.Should().HaveCount(2).And.NotContain(0);
        TorchLibrary.FindAll(ref functions, "torch_no_such_thing").Should().BeTrue("they were found");
    }
}
