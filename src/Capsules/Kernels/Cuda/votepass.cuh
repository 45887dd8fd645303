#pragma once

#include "arguments.cuh"
#include "coupling.cuh"
#include "memory.cuh"

enum PassKind
{
    UNIFORM,        // sum of the votes
    COUPLED,        // sum of c u_hat
    AGREEMENT,      // sum of db u_hat: the gradient of V
};

// A pass over the input capsules: partials[part, b, j] = the sum over the part's input capsules of factor * u_hat.
// Block (row tile, part); its warps are rowWarps row groups times as many input capsules at once as remain.
template <class L, int Kind>
__device__ __forceinline__ void votePass(const PassArguments& a)
{
    real* shared = sharedMemory();
    const int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int slots = warps / a.rowWarps, slot = warp / a.rowWarps, rowWarp = warp % a.rowWarps;
    const int tileRows = a.rowWarps * L::Rows;
    const int weightSize = a.J * capsuleStride<L>(a.D);
    real* weights = shared;
    real* inputs = shared + slots * weightSize;          // (slot, D, row)
    const Lane<L> at(lane);
    const int tileRow = rowWarp * L::Rows + at.row * L::R;
    const int firstRow = blockIdx.x * tileRows;
    const int begin = blockIdx.y * a.chunk;
    const int end = minimum(begin + a.chunk, a.N);
    const size_t rowSize = (size_t)a.J * a.E;

    int capsule[L::TJ];      // where the lane's output capsules lie in shared memory; any place for those that there are not
#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        capsule[k] = minimum(at.J(k), a.J - 1) * capsuleStride<L>(a.D) + at.E();
    }

    real sums[L::R][L::TJ][4] = {};
    real v[L::R][L::TJ][4] = {};
    real ds[Kind == AGREEMENT ? L::R : 1][L::TJ][4] = {};
#pragma unroll
    for (int r = 0; r < L::R; r++)
    {
        const size_t row = minimum(firstRow + tileRow + r, a.B - 1);
        if (Kind != UNIFORM && a.v != nullptr)
        {
            loadVector<L>(a.v + row * rowSize, at, a.J, a.E, isWhole(a.v, a.E), v[r]);
        }

        if (Kind == AGREEMENT)
        {
            loadVector<L>(a.ds + row * rowSize, at, a.J, a.E, isWhole(a.ds, a.E), ds[r % (Kind == AGREEMENT ? L::R : 1)]);
        }
    }

    for (int n0 = begin; n0 < end; n0 += slots)
    {
        __syncthreads();
        for (int s = 0; s < slots && n0 + s < end; s++)
        {
            const stored* weight = a.weight + (size_t)((n0 + s) / a.groupSize) * a.J * a.D * a.E;
            stageWeights<L>(weight, weights + s * weightSize, a.J, a.D, a.E, warp, warps, lane);
            for (int i = threadIdx.x; i < tileRows * a.D; i += blockDim.x)
            {
                const int row = i / a.D, d = i - row * a.D, b = firstRow + row;
                inputs[(s * a.D + d) * tileRows + row] = b < a.B ? load(a.u + ((size_t)b * a.N + n0 + s) * a.D + d) : real(0);
            }
        }

        __syncthreads();
        const int n = n0 + slot;
        if (n >= end)
        {
            continue;
        }

        real votes[L::R][L::TJ][4] = {};
        const real* input = inputs + slot * a.D * tileRows + tileRow;
        const real* weight = weights + slot * weightSize;
#pragma unroll 2
        for (int d = 0; d < a.D; d++)
        {
            const real2 rows = *reinterpret_cast<const real2*>(input + d * tileRows);
            const real x[2] = {rows.x, rows.y};

#pragma unroll
            for (int k = 0; k < L::TJ; k++)
            {
                const real4 w = *reinterpret_cast<const real4*>(weight + capsule[k] + d * L::EP);
#pragma unroll
                for (int r = 0; r < L::R; r++)
                {
                    real (&to)[4] = Kind == UNIFORM ? sums[r][k] : votes[r][k];
                    to[0] += x[r] * w.x;
                    to[1] += x[r] * w.y;
                    to[2] += x[r] * w.z;
                    to[3] += x[r] * w.w;
                }
            }
        }

        if (Kind == UNIFORM)
        {
            continue;
        }

#pragma unroll
        for (int r = 0; r < L::R; r++)
        {
            const size_t row = minimum(firstRow + tileRow + r, a.B - 1);
            const stored* logits = a.logits == nullptr ? nullptr : a.logits + row * a.logitsStride + (size_t)n * a.J;
            real factor[L::TJ];
            dots<L>(votes[r], v[r], factor);
            addLogits<L>(factor, logits, at, a.J);
            softmax<L>(factor, at, a.J, a.leaky != 0);
            if (Kind == AGREEMENT)
            {
                real gradient[L::TJ];
                dots<L>(votes[r], ds[r % (Kind == AGREEMENT ? L::R : 1)], gradient);
                softmaxGradient<L>(factor, gradient, at, a.J);
#pragma unroll
                for (int k = 0; k < L::TJ; k++)
                {
                    factor[k] = gradient[k];
                }
            }

            addTimes<L>(sums[r], factor, votes[r]);
        }
    }

    // The block's own parts of the sum, one slot after the other.
    const int places = a.rowWarps * 32, place = rowWarp * 32 + lane;
    for (int s = 1; s < slots; s++)
    {
        __syncthreads();
#pragma unroll
        for (int r = 0; r < L::R; r++)
        {
#pragma unroll
            for (int i = 0; i < L::LaneColumns; i++)
            {
                if (slot == s)
                {
                    shared[(r * L::LaneColumns + i) * places + place] = sums[r][i / 4][i % 4];
                }
            }
        }

        __syncthreads();
#pragma unroll
        for (int r = 0; r < L::R; r++)
        {
#pragma unroll
            for (int i = 0; i < L::LaneColumns; i++)
            {
                if (slot == 0)
                {
                    sums[r][i / 4][i % 4] += shared[(r * L::LaneColumns + i) * places + place];
                }
            }
        }
    }

    if (slot != 0)
    {
        return;
    }

#pragma unroll
    for (int r = 0; r < L::R; r++)
    {
        const int b = firstRow + tileRow + r;
        real* to = a.partials + ((size_t)blockIdx.y * a.B + b) * rowSize;
#pragma unroll
        for (int k = 0; k < L::TJ; k++)
        {
#pragma unroll
            for (int i = 0; i < 4; i++)
            {
                if (b < a.B && at.J(k) < a.J && at.E() + i < a.E)
                {
                    to[(size_t)at.J(k) * a.E + at.E() + i] = sums[r][k][i];
                }
            }
        }
    }
}
