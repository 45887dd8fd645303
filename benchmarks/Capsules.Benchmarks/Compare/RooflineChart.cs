using System.Text;

namespace Capsules.Benchmarks;

/// <summary>A roofline as SVG: what each case reaches, below what the machine's memory and its matrix product allow.</summary>
/// <remarks>
/// Across: operations per byte that must move; up: operations per second; both logarithmic. The slope is the copy's rate, the
/// ceiling the matrix product's, medians over the same rounds. Whoever lies below the slope's foot waits for memory, below the
/// ceiling for arithmetic; caches that hold the weights lift a case above the slope.
/// </remarks>
internal sealed class RooflineChart
{
    private const double Width = 760, Height = 460, Left = 70, Right = 20, Top = 44, Bottom = 56;


    // The ends of both axes, powers of two around all points and the place where slope and ceiling meet.
    private readonly double _fewest, _most, _lowest, _highest;

    private readonly List<(double X, double Y, string Anchor)> _labels = [];

    private RooflineChart(IReadOnlyList<PassResult> passes, double ceiling, double slope)
    {
        var perByte = passes.Select(PerByte).Append(ceiling / slope).ToList();
        var rates = passes.Select(pass => pass.Roofline.GigaflopPerSecond).Append(ceiling).ToList();
        (_fewest, _most) = (Below(perByte.Min()) / 2, 2 * Above(perByte.Max()));      // room for labels on either side
        (_lowest, _highest) = (Below(Math.Min(rates.Min(), slope * _fewest)), Above(rates.Max()));
    }

    public static string Of(Comparison comparison)
    {
        var passes = comparison.Cases.SelectMany(c => c.Passes).ToList();
        var ceiling = new Samples(passes.Select(p => p.Roofline.ProductGigaflopPerSecond)).Median;
        var slope = new Samples(passes.Select(p => p.Roofline.CopyGigabytesPerSecond)).Median;
        return new RooflineChart(passes, ceiling, slope).Draw(comparison, passes, ceiling, slope);
    }

    private string Draw(Comparison comparison, IReadOnlyList<PassResult> passes, double ceiling, double slope)
    {
        var machine = comparison.Machine;
        var svg = new StringBuilder();
        svg.AppendLine($"<svg xmlns='http://www.w3.org/2000/svg' width='{Width}' height='{Height}' viewBox='0 0 {Width} {Height}' font-family='sans-serif' font-size='12'>");
        svg.AppendLine($"<rect width='{Width}' height='{Height}' fill='white'/>");
        Text(svg, Width / 2, 22, "middle", $"Fused dynamic routing: {machine.Processor}, {machine.Threads} threads, {machine.Vectors}-bit vectors, {machine.Date}", 14);
        Grid(svg);

        // The roof: the copy's slope up to where it meets the ceiling, then the ceiling.
        var ridge = ceiling / slope;
        svg.AppendLine($"<polyline fill='none' stroke='#444' stroke-width='2' points='{X(_fewest):f1},{Y(slope * _fewest):f1} {X(ridge):f1},{Y(ceiling):f1} {X(_most):f1},{Y(ceiling):f1}'/>");
        Text(svg, X(_most) - 4, Y(ceiling) - 6, "end", $"matrix product, {ceiling:f0} GFLOP/s");
var middle = Math.Sqrt(_fewest * ridge);
        Text(svg, X(middle) - 8, Y(slope * middle) - 6, "end", $"copy, {slope:f0} GB/s");

        // From the top down, so that a label which another has taken the place of moves to below it.
        foreach (var pass in passes.OrderByDescending(pass => pass.Roofline.GigaflopPerSecond))
        {
            Point(svg, pass);
        }

        Legend(svg);
        return svg.AppendLine("</svg>").ToString();
    }

    private void Grid(StringBuilder svg)
    {
        for (var perByte = _fewest; perByte <= _most; perByte *= 2)
        {
            svg.AppendLine($"<line x1='{X(perByte):f1}' x2='{X(perByte):f1}' y1='{Top}' y2='{Height - Bottom}' stroke='#eee'/>");
            Text(svg, X(perByte), Height - Bottom + 16, "middle", $"{perByte:0.##}");
        }

        for (var rate = _lowest; rate <= _highest; rate *= 2)
        {
            svg.AppendLine($"<line x1='{Left}' x2='{Width - Right}' y1='{Y(rate):f1}' y2='{Y(rate):f1}' stroke='#eee'/>");
            Text(svg, Left - 6, Y(rate) + 4, "end", $"{rate:0}");
        }

        Text(svg, (Left + Width - Right) / 2, Height - 16, "middle", "floating-point operations per byte that must move");
        svg.AppendLine($"<text transform='translate(18 {(Top + Height - Bottom) / 2:f0}) rotate(-90)' text-anchor='middle'>GFLOP/s</text>");
    }

    private void Point(StringBuilder svg, PassResult pass)
    {
        var r = pass.Roofline;
        var (x, y) = (X(PerByte(pass)), Y(r.GigaflopPerSecond));
        if (pass.Pass == PassResult.ForwardPass)
        {
            svg.AppendLine($"<circle cx='{x:f1}' cy='{y:f1}' r='4.5' fill='#1f77b4'/>");
            Label(svg, x - 9, y + 4, "end", pass.Case);
        }
        else
        {
            svg.AppendLine($"<rect x='{x - 4:f1}' y='{y - 4:f1}' width='8' height='8' fill='#d95f02'/>");
            Label(svg, x + 9, y + 4, "start", pass.Case);
        }
    }

    private void Label(StringBuilder svg, double x, double y, string anchor, string text)
    {
        while (_labels.Any(label => label.Anchor == anchor && Math.Abs(label.X - x) < 70 && Math.Abs(label.Y - y) < 12))
        {
            y += 2;
        }

        _labels.Add((x, y, anchor));
        Text(svg, x, y, anchor, text);
    }

    private static void Legend(StringBuilder svg)
    {
        var (x, y) = (Width - Right - 150, Height - Bottom - 34);
        svg.AppendLine($"<circle cx='{x}' cy='{y}' r='4.5' fill='#1f77b4'/>");
        Text(svg, x + 12, y + 4, "start", PassResult.ForwardPass);
        svg.AppendLine($"<rect x='{x - 4}' y='{y + 14}' width='8' height='8' fill='#d95f02'/>");
        Text(svg, x + 12, y + 22, "start", PassResult.TrainingPass);
    }

    private static double PerByte(PassResult pass) => 1e3 * pass.Roofline.Gigaflop / pass.Roofline.Megabytes;

    private static double Below(double value) => Math.Pow(2, Math.Floor(Math.Log2(value)));

    private static double Above(double value) => Math.Pow(2, Math.Floor(Math.Log2(value)) + 1);

    private double X(double perByte) => Left + (Width - Left - Right) * Math.Log2(perByte / _fewest) / Math.Log2(_most / _fewest);

    private double Y(double rate) => Height - Bottom - (Height - Top - Bottom) * Math.Log2(rate / _lowest) / Math.Log2(_highest / _lowest);

    private static void Text(StringBuilder svg, double x, double y, string anchor, string text, int size = 12) =>
        svg.AppendLine($"<text x='{x:f1}' y='{y:f1}' text-anchor='{anchor}' font-size='{size}'>{System.Security.SecurityElement.Escape(text)}</text>");
}
