namespace Capsules;

/// <summary>What a capsule is, and so how a layer transforms it into votes.</summary>
public enum CapsuleKind
{
    /// <summary>
    /// A vector, whose length is its activation unless one is given beside it. A vote is u W with W (D, E): <see cref="LinearVotes"/>.
    /// </summary>
    Vector,

    /// <summary>
    /// A pose matrix P x P, kept as P * P entries row after row, with an activation beside it. A vote is M W with W (P, P), the
    /// transformation of a part's pose into the whole's: <see cref="MatrixVotes"/>.
    /// </summary>
    Matrix,
}
