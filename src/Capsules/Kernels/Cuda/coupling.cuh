// What a lane computes of its votes: products with vectors, and the coupling that follows from them.
#pragma once

#include "lanes.cuh"

template <class L>
__device__ __forceinline__ void dots(const real (&votes)[L::TJ][4], const real (&vector)[L::TJ][4], real (&result)[L::TJ])
{
#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        real dot = 0;
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            dot += votes[k][i] * vector[k][i];
        }

        result[k] = sumOverEntries<L>(dot);
    }
}

template <class L>
__device__ __forceinline__ void addTimes(real (&sum)[L::TJ][4], const real (&factor)[L::TJ], const real (&vector)[L::TJ][4])
{
#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            sum[k][i] += factor[k] * vector[k][i];
        }
    }
}

// Softmax over the output capsules of R rows, in place; capsules that there are not get 0.
template <class L>
__device__ __forceinline__ void softmax(real (&x)[L::TJ], const Lane<L>& at, int J, bool leaky)
{
    real most = leaky ? real(0) : -INFINITY_REAL;
#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        most = at.J(k) < J ? maximum(most, x[k]) : most;
    }

    most = laneMax<L::RG * L::LE, 32>(most);
    real sum = 0;
#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        x[k] = at.J(k) < J ? exponential(x[k] - most) : real(0);
        sum += x[k];
    }

    sum = sumOverCapsules<L>(sum) + (leaky ? exponential(-most) : real(0));
    const real inverse = real(1) / sum;
#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        x[k] *= inverse;
    }
}

// The gradient of the logits from that of the couplings, in place of the latter.
template <class L>
__device__ __forceinline__ void softmaxGradient(const real (&c)[L::TJ], real (&gradient)[L::TJ], const Lane<L>& at, int J)
{
    real mean = 0;
#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        gradient[k] = at.J(k) < J ? gradient[k] : real(0);
        mean += c[k] * gradient[k];
    }

    mean = sumOverCapsules<L>(mean);
#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        gradient[k] = c[k] * (gradient[k] - mean);
    }
}
