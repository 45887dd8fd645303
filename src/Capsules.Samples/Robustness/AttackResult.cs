using System.Globalization;
using System.Text;

namespace Capsules.Samples;

/// <summary>What images attacked with one epsilon did to a network.</summary>
/// <param name="Epsilon">The most by which a pixel changed; 0 for clean images.</param>
/// <param name="IsRight">For each image whether it was read right.</param>
/// <param name="Distances">For each image the distance from its reconstruction by the predicted class's capsule; empty without a decoder.</param>
internal sealed record AttackResult(double Epsilon, bool[] IsRight, float[] Distances)
{
    /// <summary>The share of clean images that detection may take for attacked ones.</summary>
    public const double FalsePositives = 0.05;

    public double Accuracy => IsRight.Count(right => right) / (double)IsRight.Length;

    /// <summary>Compares with the same images unharmed.</summary>
    /// <remarks>
    /// <para>Frosst, Sabour, Hinton, "DARCCC: Detecting Adversaries by Reconstruction from Class Conditional Capsules", 2018,
    /// https://arxiv.org/abs/1811.06969: an image that is far from its reconstruction by the winning capsule is taken for an attack.</para>
    /// </remarks>
    public Harm Against(AttackResult clean)
    {
        var fooled = Enumerable.Range(0, IsRight.Length).Where(i => clean.IsRight[i] && !IsRight[i]).ToArray();
        if (Distances.Length == 0 || fooled.Length == 0)
        {
            return new Harm(fooled.Length, null, null, null);
        }

        var distances = fooled.Select(i => Distances[i]).ToArray();
        var threshold = Detection.Threshold(clean.Distances, FalsePositives);
        var detected = distances.Count(distance => distance > threshold);
        return new Harm(fooled.Length, Detection.Area(clean.Distances, distances), detected / (double)fooled.Length,
            (fooled.Length - detected) / (double)IsRight.Length);
    }

    /// <summary>A table of results, the first of which is that of clean images, as CSV; what is not known stays empty.</summary>
    public static string Csv(string model, string method, AttackOptions options, IReadOnlyList<AttackResult> results)
    {
        var csv = new StringBuilder("model,method,steps,loss,epsilon,images,accuracy,fooled,auc,detected,undetected\n");
        foreach (var result in results)
        {
            var harm = result.Against(results[0]);
            csv.Append(CultureInfo.InvariantCulture, $"{model},{method},{options.Steps},{(options.UseTrainingLoss ? "training" : "score")},");
            csv.Append(CultureInfo.InvariantCulture, $"{result.Epsilon},{result.IsRight.Length},{result.Accuracy:f4},");
            csv.Append(CultureInfo.InvariantCulture, $"{harm.Fooled},{harm.Area:f4},{harm.Detected:f4},{harm.Undetected:f4}\n");
        }

        return csv.ToString();
    }
}

/// <summary>What an attack did, and how much of it shows.</summary>
/// <param name="Fooled">Images that were read right and now are read wrong.</param>
/// <param name="Area">Of those against all clean images: the area under the receiver operating characteristic of the distance.</param>
/// <param name="Detected">Of those: the share whose distance is above what 5 % of the clean images exceed.</param>
/// <param name="Undetected">Of all images: the share that fooled the network and passed.</param>
internal sealed record Harm(int Fooled, double? Area, double? Detected, double? Undetected);
