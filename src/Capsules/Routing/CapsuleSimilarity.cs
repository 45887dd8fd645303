namespace Capsules;

/// <summary>How alike a vote x and an output capsule y are, for <see cref="KMeansRouting"/>.</summary>
public enum CapsuleSimilarity
{
    /// <summary>The scalar product of x and y / |y|. The only one for which votes need not be built.</summary>
    Dot,

    /// <summary>The cosine of the angle: x.y / (|x| |y|).</summary>
    Cosine,

    /// <summary>Tanimoto's: x.y / (|x|^2 + |y|^2 - x.y).</summary>
    Tanimoto,

    /// <summary>Pearson's correlation: the cosine of x and y, each less the mean of its entries.</summary>
    Pearson,
}
