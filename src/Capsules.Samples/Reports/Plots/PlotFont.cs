using ScottPlot;

namespace Capsules.Samples;

/// <summary>The font of plots.</summary>
internal static class PlotFont
{
    /// <summary>Sets a plot's font.</summary>
    public static void Use(Plot plot) => plot.Font.Set("DejaVu Sans");
}
