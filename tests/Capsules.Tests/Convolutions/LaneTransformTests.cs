namespace Capsules.Tests.Convolutions;

public unsafe class LaneTransformTests
{
    // Planes that fill the lanes or not, of fewer elements than a block of the transpose, of blocks that overlap; rows that make
    // whole streams and such that do not.
    [Theory]
    [InlineData(16, 4, 4, 8, 6)]
    [InlineData(16, 3, 3, 5, 7)]
    [InlineData(16, 1, 7, 4, 2)]
    [InlineData(15, 3, 5, 6, 5)]
    [InlineData(1, 2, 2, 3, 1)]
    public void LaneTransform_BothDirections_GiveTheSumsAndTouchNothingElse(int count, int h, int w, int p, int q)
    {
        var random = new Random(3);
        var (left, right) = (Matrix(random, p, h), Matrix(random, q, w));
        using var rows = new LinearMap(p, h, row => Enumerable.Range(0, h).Select(i => (i, left[row, i])));
        using var columns = new LinearMap(q, w, row => Enumerable.Range(0, w).Select(j => (j, right[row, j])));
        var (planeStride, laneStride) = (h * w + 3, count + 5);
        var planes = Enumerable.Range(0, count * planeStride)
            .Select(i => i % planeStride < h * w ? (float)random.NextDouble() : float.NaN).ToArray();
        var lanes = Enumerable.Repeat(float.NaN, p * q * laneStride).ToArray();
        var offsets = Enumerable.Range(0, p * q).Select(i => (long)(p * q - 1 - i) * laneStride).ToArray();
        fixed (long* table = offsets)
        fixed (float* planesStart = planes, lanesStart = lanes)
        {
            var transform = LaneTransform.Of(rows, columns, table);
            using var scratch = new NativeBuffer(transform.Scratch);
            var before = planes.ToArray();
            transform.ToLanes(planesStart, planeStride, count, lanesStart, scratch.Pointer);
            for (var a = 0; a < p * q; a++)
            {
                for (var lane = 0; lane < count; lane++)
                {
                    var sum = Enumerable.Range(0, h * w)
                        .Sum(i => left[a / q, i / w] * right[a % q, i % w] * before[lane * planeStride + i]);
                    lanes[offsets[a] + lane].Should().BeApproximately((float)sum, 1e-5f);
                }
            }

            lanes.Count(float.IsNaN).Should().Be(p * q * (laneStride - count));
            transform.ToPlanes(lanesStart, planesStart, planeStride, count, scratch.Pointer);
            for (var i = 0; i < count * h * w; i++)
            {
                var (lane, element) = (i / (h * w), i % (h * w));
                var sum = Enumerable.Range(0, p * q)
                    .Sum(a => left[a / q, element / w] * right[a % q, element % w] * lanes[offsets[a] + lane]);
                planes[lane * planeStride + element].Should().BeApproximately((float)sum, 1e-4f);
            }

            planes.Count(float.IsNaN).Should().Be(3 * count);
        }
    }

    private static double[,] Matrix(Random random, int rows, int columns)
    {
        var matrix = new double[rows, columns];
        for (var i = 0; i < matrix.Length; i++)
        {
            matrix[i / columns, i % columns] = i % 3 == 0 ? 0 : (float)(random.NextDouble() - 0.5);
        }

        return matrix;
    }
}
