namespace Capsules;

/// <summary>
/// Which of the two published versions of the 2017 capsule network a component follows where they differ.
/// </summary>
/// <remarks>
/// <para>The text of Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules" (2017, https://arxiv.org/abs/1710.09829)
/// and its authors' released code (Sarasra/models, research/capsules) are two different recipes. The library offers both
/// by name and nothing in between.</para>
/// </remarks>
public enum Preset
{
    /// <summary>
    /// The text of the paper: no bias on the digit capsules, the margin loss summed over classes. Where the paper is
    /// silent (initialisation), the library's own choice, documented at each component.
    /// </summary>
    Paper,

    /// <summary>
    /// The authors' code: truncated normal weights and biases of 0.1, primary capsules scaled by 1/types before the bias,
    /// half the margin loss averaged over classes.
    /// </summary>
    OfficialCode,
}
