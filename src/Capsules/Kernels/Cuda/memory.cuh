// Between memory and lanes.
#pragma once

#include "lanes.cuh"
#include "stored.cuh"

// Floats from one output capsule's weights to the next in shared memory: lanes of neighbouring capsules then read other banks.
template <class L>
__device__ __forceinline__ int capsuleStride(int D)
{
    int size = D * L::EP;
    return size % 32 == 0 ? size + 16 : size;
}

// Whether rows of E entries from here on can be read by four.
template <class T>
__device__ __forceinline__ bool isWhole(const T* start, int E)
{
    return E % 4 == 0 && reinterpret_cast<size_t>(start) % (4 * sizeof(T)) == 0;
}

// One input capsule's weights (J, D, E) to shared memory (J, D, EP), by threads thread, thread + threads, ... in whole warps.
template <class L>
__device__ __forceinline__ void stageWeights(const stored* weight, real* target, int J, int D, int E, int warp, int warps, int lane)
{
    const int stride = capsuleStride<L>(D);
    const bool whole = E == L::EP && isWhole(weight, E);
    for (int j = warp; j < J; j += warps)
    {
        const stored* source = weight + (size_t)j * D * E;
        real* to = target + j * stride;
        if (whole)
        {
            for (int i = lane * 4; i < D * L::EP; i += 128)
            {
                *reinterpret_cast<real4*>(to + i) = loadFour(source + i);
            }
        }
        else
        {
            for (int i = lane; i < D * L::EP; i += 32)
            {
                int e = i % L::EP;
                to[i] = e < E ? load(source + i / L::EP * E + e) : real(0);
            }
        }
    }
}

template <class L>
__device__ __forceinline__ void addLogits(real (&x)[L::TJ], const stored* logits, const Lane<L>& at, int J)
{
    if (logits == nullptr)
    {
        return;
    }

#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        x[k] += at.J(k) < J ? load(logits + at.J(k)) : real(0);
    }
}

// One row's vector (J, E): the lane's part of it, and zeros where there is none.
template <class L>
__device__ __forceinline__ void loadVector(const real* row, const Lane<L>& at, int J, int E, bool whole, real (&x)[L::TJ][4])
{
    if (whole)
    {
#pragma unroll
        for (int k = 0; k < L::TJ; k++)
        {
            real4 value = {0, 0, 0, 0};
            if (at.J(k) < J && at.E() < E)
            {
                value = loadFour(row + (size_t)at.J(k) * E + at.E());
            }

            x[k][0] = value.x;
            x[k][1] = value.y;
            x[k][2] = value.z;
            x[k][3] = value.w;
        }

        return;
    }

#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            x[k][i] = at.J(k) < J && at.E() + i < E ? row[(size_t)at.J(k) * E + at.E() + i] : real(0);
        }
    }
}
