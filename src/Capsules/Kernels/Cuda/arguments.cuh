// The kernels' arguments. CudaRoutingArguments.cs and benchmarks/cuda/routing.py have the same, field by field.
#pragma once

#include "stored.cuh"

struct PassArguments
{
    const stored* u;        // (B, N, D)
    const stored* weight;   // (N / groupSize, J, D, E)
    const stored* logits;   // b0: (N, J), or (B, N, J) with logitsStride = N J; null for none
    const real* v;          // V of the iteration before (B, J, E); null for none
    const real* ds;         // the gradient of s of this iteration (B, J, E); agreement passes only
    real* partials;         // (part, B, J, E)
    long long logitsStride;
    int B, N, D, J, E, groupSize;
    int leaky;
    int rowWarps;           // warps of a block that hold different rows; the others take different input capsules
    int chunk;              // input capsules of a part
    int padding;
};

struct FinishArguments
{
    const real* partials;   // (part, B, J, E)
    const stored* bias;     // (J, E) or null
    real* s;                // (B, J, E): where s is kept, or null
    real* v;                // (B, J, E): squash(s) is added to it, or null
    real* output;           // (B, J, E): squash(s), or null
    real scale;
    int parts, B, J, E;
    int first;              // whether v is to be set rather than added to
};

struct StartArguments
{
    const real* s;          // (iteration, B, J, E)
    const real* upstream;   // the gradient of the output (B, J, E)
    real* v;                // V(1) .. V(iterations - 1), or the last of them alone
    real* ds;               // ds of the last iteration
    int iterations, all, B, J, E;
    int padding;
};

struct StepArguments
{
    const real* partials;   // (part, B, J, E)
    const real* s;          // s of the iteration before (B, J, E)
    real* running;          // (B, J, E): the sum of the gradients of the later V
    real* ds;               // ds of the iteration before
    int parts, B, J, E;
    int first;              // whether the running sum is to be set rather than added to
    int padding;
};

struct GradientArguments
{
    const stored* u;
    const stored* weight;
    const stored* logits;
    const real* v;          // (pair, B, J, E)
    const real* ds;         // (pair, B, J, E): of the same iterations
    const real* first;      // ds(1) (B, J, E), or null
    stored* inputGradient;  // (B, N, D) or null
    stored* weightGradient; // (group, J, D, E) where one warp sums all of it; else null
    real* weightParts;      // (group, part of the group, row part, J, D, E) where several do; else null
    stored* logitsGradient; // (N, J) where one warp sums all rows, or (B, N, J) with logitsStride = N J; else null
    real* logitsParts;      // (row part, N, J) where several do; else null
    long long logitsStride;
    int B, N, D, J, E, groupSize;
    int leaky;
    int pairs;              // iterations whose coupling comes from an agreement
    int all;                // whether the coupling counts as a function of the votes, or as constant
    int chunk;              // input capsules of one group that one warp takes
    int rows;               // rows of the batch that one warp takes
    int padding;
};
