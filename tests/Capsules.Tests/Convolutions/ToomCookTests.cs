namespace Capsules.Tests.Convolutions;

public class ToomCookTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(3, 5)]
    [InlineData(4, 3)]
    [InlineData(5, 3)]
    [InlineData(2, 6)]
    public void ToomCook_AnyFilterAndInput_GivesTheirCorrelation(int outputs, int taps)
    {
        var f = new ToomCook(outputs, taps);
        f.Products.Should().Be(outputs + taps - 1);
        var random = new Random(1);
        var d = Enumerable.Range(0, f.Products).Select(_ => random.NextDouble() - 0.5).ToArray();
        var g = Enumerable.Range(0, taps).Select(_ => random.NextDouble() - 0.5).ToArray();
        for (var i = 0; i < outputs; i++)
        {
            var direct = Enumerable.Range(0, taps).Sum(j => g[j] * d[i + j]);
            var minimal = Enumerable.Range(0, f.Products).Sum(a =>
                f.Output[a, i] * Enumerable.Range(0, taps).Sum(j => f.Filter[a, j] * g[j]) * Enumerable.Range(0, f.Products).Sum(l => f.Input[a, l] * d[l]));
            minimal.Should().BeApproximately(direct, 1e-12);
        }
    }

    [Fact]
    public void WinogradAxis_TheNetworkOf2017_TakesAFourthOfTheProducts()
    {
        // 6 outputs, 9 taps, stride 2: two tiles of three outputs by 7 products in one phase and 6 in the other, for 54 products.
        var (share, tiles) = WinogradAxis.Saving(6, 9, 2);
        tiles.Should().Be(2);
        share.Should().BeApproximately(26 / 54.0, 1e-12);
    }
}
