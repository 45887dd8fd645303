namespace Capsules.Tests.Kernels;

public unsafe class ParallelForTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(37)]
    public void Run_EachNumber_IsCalledOnce(int tasks)
    {
        var calls = stackalloc int[tasks];
        ParallelFor.Run(tasks, &Count, calls);
        for (var i = 0; i < tasks; i++)
        {
            calls[i].Should().Be(1);
        }

        static void Count(int number, void* state) => Interlocked.Increment(ref ((int*)state)[number]);
    }

    [Fact]
    public void Run_TaskThrows_ThrowsOnTheCallersThread()
    {
        var run = () => ParallelFor.Run(4, &Throw, null);
        run.Should().Throw<NotSupportedException>().WithMessage("number 3");

        static void Throw(int number, void* state)
        {
            if (number == 3)
            {
                throw new NotSupportedException($"number {number}");
            }
        }
    }
}
