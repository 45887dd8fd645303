using SkiaSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Reports;

public class PanelTests
{
    [Fact]
    public void PngFile_Panel_HasItsSizeAndAMarginAndExactPixels()
    {
        using var picture = Drawn(new ImagePanel(new Raster(2, 1, [10, 20, 30, 255, 200, 210, 220, 255]), zoom: 3));
        (picture.Width, picture.Height).Should().Be((2 * PngFile.Margin + 6, 2 * PngFile.Margin + 3));
        picture.GetPixel(PngFile.Margin - 1, PngFile.Margin).Should().Be(SKColors.White);
        picture.GetPixel(PngFile.Margin + 2, PngFile.Margin + 2).Should().Be(new SKColor(10, 20, 30));
        picture.GetPixel(PngFile.Margin + 3, PngFile.Margin).Should().Be(new SKColor(200, 210, 220));
    }

    // The widths are those of DejaVu Sans: a digit is 0.636 wide. Another font, or none, would measure differently.
    [Fact]
    public void PictureFont_Digits_AreDrawnInTheCarriedFont()
    {
        PictureFont.Width("0000000000", 20).Should().Be(128);
        PictureFont.Width("", 20).Should().Be(0);
        using var picture = Drawn(new TextPanel("ε = 0.05 ± Ж", 20));
        var ink = picture.Pixels.Count(pixel => pixel.Red < 128);
        ink.Should().BeGreaterThan(200, "letters are there");
    }

    [Fact]
    public void TextPanel_WiderThanAllowed_BreaksBetweenWords()
    {
        var line = new TextPanel("one two three");
        var broken = new TextPanel("one two three", maxWidth: line.Width - 1);
        broken.Height.Should().Be(2 * line.Height);
        broken.Width.Should().BeLessThan(line.Width);
    }

    [Fact]
    public void PictureFont_FitToWidth_EndsInAnEllipsis()
    {
        PictureFont.Fit("short", 11, 100).Should().Be("short");
        var fitted = PictureFont.Fit("a name that goes on and on and on", 11, 100);
        fitted.Should().StartWith("a name").And.EndWith("…");
        PictureFont.Width(fitted, 11).Should().BeLessThanOrEqualTo(100);
    }

    [Fact]
    public void GridPanel_CaptionsWiderThanImages_AreNotCut()
    {
        var image = new ImagePanel(new Raster(1, 1, [0, 0, 0, 255]), 10);
        const string caption = "a caption far wider than its image";
        var width = PictureFont.Width(caption, PictureFont.Small);
        new GridPanel([[new Cell(image, caption), new Cell(image)]], gap: 8).Width.Should().Be(width + 8 + 10);
        new GridPanel([[new Cell(image, caption, SKColors.Red), new Cell(image)]], gap: 8).Width.Should().Be(width + 8 + 16, "frames of 3 pixels to each side");
        new GridPanel([[new Cell(image)], [new Cell(image), null]], rowHeads: ["row", "another row"]).Width
            .Should().Be(PictureFont.Width("another row", PictureFont.Small) + 6 + 10 + 8);
    }

    [Fact]
    public void Raster_GreyTwoChannelsAndColour_ShowWhatTheyShould()
    {
        using var scope = NewDisposeScope();
        Raster.OfImages(tensor([0f, 1f, 0.5f, 2f], [1, 1, 2, 2]))[0].Rgba.Should().Equal(0, 0, 0, 255, 255, 255, 255, 255, 128, 128, 128, 255, 255, 255, 255, 255);
        Raster.OfImages(tensor([1f, 0f], [1, 2, 1, 1]))[0].Rgba.Should().Equal(255, 255, 255, 255);
        Raster.OfImages(tensor([1f, 0f, 0.2f], [1, 3, 1, 1]))[0].Rgba.Should().Equal(255, 0, 51, 255);
        Raster.OfImages(zeros(3, 1, 2, 5)).Should().HaveCount(3).And.OnlyContain(raster => raster.Width == 5 && raster.Height == 2);
    }

    [Fact]
    public void Raster_Values_AreColouredBetweenLowAndHigh()
    {
        using var scope = NewDisposeScope();
        var raster = Raster.OfValues(tensor([2f, 4f, 9f], [1, 3]), low: 2, high: 4);
        var (low, high) = (HeatColors.At(0), HeatColors.At(1));
        raster.Rgba.Should().Equal(low.Red, low.Green, low.Blue, 255, high.Red, high.Green, high.Blue, 255, high.Red, high.Green, high.Blue, 255);
        Raster.OfValues(ones(1, 1), 1, 1).Rgba[..3].Should().Equal([low.Red, low.Green, low.Blue], "of a range without extent");
    }

    [Fact]
    public void HeatColors_FromLowToHigh_GrowBrighter()
    {
        var brightness = Enumerable.Range(0, 101).Select(i => HeatColors.At(i / 100f)).Select(color => 0.299 * color.Red + 0.587 * color.Green + 0.114 * color.Blue);
        brightness.Should().BeInAscendingOrder();
    }

    private static SKBitmap Drawn(Panel panel)
    {
        using var folder = new TemporaryFolder();
        PngFile.Write(folder.PathOf("picture.png"), panel);
        return SKBitmap.Decode(folder.PathOf("picture.png"));
    }
}
