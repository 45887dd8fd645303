using System.Runtime.InteropServices;

namespace Capsules;

// The arguments of the kernels, field by field as in routing.cu, which explains them. Padding is spelt out: PTX declares whole sizes.

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CudaPassArguments
{
    public float* Input;
    public float* Weight;
    public float* Logits;
    public float* V;
    public float* Ds;
    public float* Partials;
    public long LogitsStride;
    public CudaRoutingSizes Sizes;
    public int Leaky;
    public int RowWarps;
    public int Chunk;
    public int Padding;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CudaFinishArguments
{
    public float* Partials;
    public float* Bias;
    public float* S;
    public float* V;
    public float* Output;
    public float Scale;
    public int Parts;
    public int B;
    public int J;
    public int E;
    public int First;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CudaStartArguments
{
    public float* S;
    public float* Upstream;
    public float* V;
    public float* Ds;
    public int Iterations;
    public int All;
    public int B;
    public int J;
    public int E;
    public int Padding;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CudaStepArguments
{
    public float* Partials;
    public float* S;
    public float* Running;
    public float* Ds;
    public int Parts;
    public int B;
    public int J;
    public int E;
    public int First;
    public int Padding;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CudaGradientArguments
{
    public float* Input;
    public float* Weight;
    public float* Logits;
    public float* V;
    public float* Ds;
    public float* First;
    public float* InputGradient;
    public float* WeightGradient;
    public float* LogitsGradient;
    public long LogitsStride;
    public CudaRoutingSizes Sizes;
    public int Leaky;
    public int Pairs;
    public int All;
    public int Chunk;
    public int Rows;
    public int Padding;
}
