namespace Capsules;

/// <summary>What routing does with one input capsule's J logits and coupling coefficients, for one block of rows.</summary>
internal unsafe interface ICoupling
{
    /// <summary>dots[j] += the initial logits of input capsule n; where rows have their own, <paramref name="logits"/> are the block's.</summary>
    static abstract void AddLogits(in RoutingProblem problem, int n, float* logits, float* dots);

    /// <summary>coefficients[j] = softmax over j of logits[j], in place where both are one; leaky counts one more logit of zero.</summary>
    static abstract void Softmax(in RoutingProblem problem, float* logits, float* coefficients);

    /// <summary>
    /// From coefficients c and their gradients dc to the logits' gradients c_j (dc_j - sum_k c_k dc_k), in the place of c, and c in
    /// the place of dc. The leaky softmax's extra entry has dc = 0, so it needs no term.
    /// </summary>
    static abstract void SoftmaxGradient(in RoutingProblem problem, float* coefficients, float* gradients);
}
