#pragma once

#include "arguments.cuh"
#include "lanes.cuh"

// Vectors of E entries, one of a (B, J) to a warp: what lies between two passes.

// |s| / (1 + |s|^2): squash(s) = this times s.
__device__ __forceinline__ real squashFactor(real square)
{
    return root(square) / (real(1) + square);
}

__device__ __forceinline__ bool ownVector(int B, int J, long long* vector)
{
    *vector = (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    return *vector < (long long)B * J;
}

// The sum of the parts at one place, in their order.
__device__ __forceinline__ real sumParts(const real* partials, size_t at, size_t stride, int parts)
{
    real sum = 0;
#pragma unroll 8
    for (int part = 0; part < parts; part++)
    {
        sum += partials[part * stride + at];
    }

    return sum;
}

// Squash's gradient at s under the gradient g of squash(s), entry by entry: factor g + coefficient s. Both are 0 at 0.
struct SquashGradient
{
    real factor, coefficient;

    __device__ SquashGradient(real square, real dot)
    {
        // By the inverse: the fifth power of a length does not fit in a float from 5e7 on, and 1 / infinity is a plausible 0.
        const real length = root(square), inverse = real(1) / (real(1) + square);
        factor = length * inverse;
        coefficient = square > 0 ? (real(1) - square) * inverse * inverse * dot / length : real(0);
    }
};

extern "C" __global__ void __launch_bounds__(256) capsules_routing_finish(const FinishArguments a)
{
    long long vector;
    if (!ownVector(a.B, a.J, &vector))
    {
        return;
    }

    const int lane = threadIdx.x % 32, j = (int)(vector % a.J);
    const size_t stride = (size_t)a.B * a.J * a.E;
    real s[MAXIMUM_ENTRIES / 32], square = 0;
#pragma unroll
    for (int i = 0; i < MAXIMUM_ENTRIES / 32; i++)
    {
        const int e = i * 32 + lane;
        s[i] = 0;
        if (e < a.E)
        {
            const real bias = a.bias == nullptr ? real(0) : load(a.bias + j * a.E + e);
            s[i] = a.scale * sumParts(a.partials, vector * a.E + e, stride, a.parts) + bias;
        }

        square += s[i] * s[i];
    }

    const real factor = squashFactor(laneSum<1, 32>(square));
#pragma unroll
    for (int i = 0; i < MAXIMUM_ENTRIES / 32; i++)
    {
        const int e = i * 32 + lane;
        const size_t at = vector * a.E + e;
        if (e >= a.E)
        {
            break;
        }

        if (a.s != nullptr)
        {
            a.s[at] = s[i];
        }

        if (a.v != nullptr)
        {
            a.v[at] = factor * s[i] + (a.first != 0 ? real(0) : a.v[at]);
        }

        if (a.output != nullptr)
        {
            a.output[at] = factor * s[i];
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) capsules_routing_start(const StartArguments a)
{
    long long vector;
    if (!ownVector(a.B, a.J, &vector))
    {
        return;
    }

    const int lane = threadIdx.x % 32;
    const size_t stride = (size_t)a.B * a.J * a.E;
    real sum[MAXIMUM_ENTRIES / 32] = {};
    for (int t = 0; t < a.iterations; t++)
    {
        const bool last = t == a.iterations - 1;
        real s[MAXIMUM_ENTRIES / 32], g[MAXIMUM_ENTRIES / 32], square = 0, dot = 0;
#pragma unroll
        for (int i = 0; i < MAXIMUM_ENTRIES / 32; i++)
        {
            const int e = i * 32 + lane;
            s[i] = e < a.E ? a.s[t * stride + vector * a.E + e] : real(0);
            g[i] = e < a.E && last ? a.upstream[vector * a.E + e] : real(0);
            square += s[i] * s[i];
            dot += s[i] * g[i];
        }

        square = laneSum<1, 32>(square);
        const SquashGradient gradient(square, laneSum<1, 32>(dot));
        const real factor = squashFactor(square);
#pragma unroll
        for (int i = 0; i < MAXIMUM_ENTRIES / 32; i++)
        {
            const int e = i * 32 + lane;
            if (e >= a.E)
            {
                break;
            }

            sum[i] += factor * s[i];
            if (last)
            {
                a.ds[vector * a.E + e] = gradient.factor * g[i] + gradient.coefficient * s[i];
            }
            else
            {
                a.v[(a.all != 0 ? t * stride : 0) + vector * a.E + e] = sum[i];
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) capsules_routing_step(const StepArguments a)
{
    long long vector;
    if (!ownVector(a.B, a.J, &vector))
    {
        return;
    }

    const int lane = threadIdx.x % 32;
    const size_t stride = (size_t)a.B * a.J * a.E;
    real s[MAXIMUM_ENTRIES / 32], g[MAXIMUM_ENTRIES / 32], square = 0, dot = 0;
#pragma unroll
    for (int i = 0; i < MAXIMUM_ENTRIES / 32; i++)
    {
        const int e = i * 32 + lane;
        const size_t at = vector * a.E + e;
        s[i] = 0;
        g[i] = 0;
        if (e < a.E)
        {
            s[i] = a.s[at];
            g[i] = sumParts(a.partials, at, stride, a.parts) + (a.first != 0 ? real(0) : a.running[at]);
            a.running[at] = g[i];
        }

        square += s[i] * s[i];
        dot += s[i] * g[i];
    }

    const SquashGradient gradient(laneSum<1, 32>(square), laneSum<1, 32>(dot));
#pragma unroll
    for (int i = 0; i < MAXIMUM_ENTRIES / 32; i++)
    {
        const int e = i * 32 + lane;
        if (e < a.E)
        {
            a.ds[vector * a.E + e] = gradient.factor * g[i] + gradient.coefficient * s[i];
        }
    }
}
