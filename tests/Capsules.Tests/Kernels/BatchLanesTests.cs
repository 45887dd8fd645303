namespace Capsules.Tests.Kernels;

public class BatchLanesTests
{
    [Theory]
    [InlineData(4, 4, 4)]
    [InlineData(16, 16, 16)]
    [InlineData(16, 13, 37)]
    [InlineData(8, 1, 5)]
    [InlineData(16, 7, 1)]
    public unsafe void Pack_ThenUnpack_GivesTheRowsBack(int lanes, int rows, int columns)
    {
        var stride = columns + 3;
        var source = Enumerable.Range(1, rows * stride).Select(x => (float)x).ToArray();
        var packed = new float[columns * lanes];
        Array.Fill(packed, -1f);
        var target = new float[rows * stride];
        fixed (float* s = source, p = packed, t = target)
        {
            BatchLanes.Pack(s, stride, rows, columns, p, lanes);
            BatchLanes.Unpack(p, lanes, rows, columns, t, stride);
        }

        for (var row = 0; row < lanes; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                packed[column * lanes + row].Should().Be(row < rows ? source[row * stride + column] : 0f);
            }
        }

        for (var i = 0; i < target.Length; i++)
        {
            target[i].Should().Be(i % stride < columns ? source[i] : 0f);
        }
    }
}
