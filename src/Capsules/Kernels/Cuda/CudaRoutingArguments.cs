using System.Runtime.InteropServices;

namespace Capsules;

// The arguments of the kernels, field by field as in arguments.cuh, which explains them. Padding is spelt out: PTX declares whole sizes.
// What is void* there is of the call's own dtype.

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CudaPassArguments
{
    public void* Input;
    public void* Weight;
    public void* Logits;
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
    public void* Bias;
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
    public void* Input;
    public void* Weight;
    public void* Logits;
    public float* V;
    public float* Ds;
    public float* First;
    public void* InputGradient;
    public void* WeightGradient;
    public float* WeightParts;
    public void* LogitsGradient;
    public float* LogitsParts;
    public long LogitsStride;
    public CudaRoutingSizes Sizes;
    public int Leaky;
    public int Pairs;
    public int All;
    public int Chunk;
    public int Rows;
    public int Padding;
}
