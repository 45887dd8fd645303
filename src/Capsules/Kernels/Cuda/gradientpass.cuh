#pragma once

#include "arguments.cuh"
#include "coupling.cuh"
#include "memory.cuh"

// The sums of a piece of one weight's gradient, from the lanes that own them.
template <class L, class T>
__device__ __forceinline__ void writeWeights(
    T* target, const real (&sums)[L::DT][L::Owned], const Lane<L>& at, int d0, const GradientArguments& a)
{
#pragma unroll
    for (int dd = 0; dd < L::DT; dd++)
    {
#pragma unroll
        for (int i = 0; i < L::Owned; i++)
        {
            const int column = i * 32 + threadIdx.x % 32;
            const int j = L::Exchanged ? column / L::EP : at.J(i / 4);
            const int e = L::Exchanged ? column % L::EP : at.E() + i % 4;
            if (d0 + dd < a.D && j < a.J && e < a.E)
            {
                store(target + ((size_t)j * a.D + d0 + dd) * a.E + e, sums[dd][i]);
            }
        }
    }
}

// The last pass of the backward: makes each vote once more, combines its gradient
//     du_hat = sum over iterations of c ds + db V
// and contracts it with W into the gradient of u and with u into that of W. Warps are independent of each other: one has one chunk of
// input capsules of one group, a piece of DT input entries, and a part of the rows. Block x counts chunks and pieces, block y parts.
template <class L>
__device__ __forceinline__ void gradientPass(const GradientArguments& a)
{
    const int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int pieces = (a.D + L::DT - 1) / L::DT;
    const int chunks = (a.groupSize + a.chunk - 1) / a.chunk;            // of a group
    const long long unit = (long long)blockIdx.x * warps + warp;
    if (unit >= (long long)(a.N / a.groupSize) * chunks * pieces)
    {
        return;
    }

    const int piece = (int)(unit % pieces);
    const long long slot = unit / pieces;
    const int group = (int)(slot / chunks), chunk = (int)(slot % chunks);
    const int begin = group * a.groupSize + chunk * a.chunk;
    const int end = minimum(begin + a.chunk, (group + 1) * a.groupSize);
    const int rowBegin = blockIdx.y * a.rows, rowEnd = minimum(rowBegin + a.rows, a.B);
    const int d0 = piece * L::DT;

    constexpr int ExchangeStride = L::Columns + 8, Owned = L::Owned;
    const bool wantsLogits = a.logitsGradient != nullptr || a.logitsParts != nullptr;
    const int stride = capsuleStride<L>(a.D);
    const int inputStride = (a.D + 3) / 4 * 4;
    const int warpSize = a.J * stride + L::RG * inputStride + (L::Exchanged ? L::RG * ExchangeStride : 0);
    real* weights = sharedMemory() + warp * warpSize;
    real* inputs = weights + a.J * stride;                       // (row, D)
    real* exchange = inputs + L::RG * inputStride;               // (row, column)
    const Lane<L> at(lane);
    const size_t rowSize = (size_t)a.J * a.E, batchSize = (size_t)a.B * rowSize;
    const bool whole = isWhole(a.v, a.E) && isWhole(a.ds, a.E) && isWhole(a.first, a.E);
    int capsule[L::TJ];
#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        capsule[k] = minimum(at.J(k), a.J - 1) * stride + at.E();
    }

    stageWeights<L>(a.weight + (size_t)group * a.J * a.D * a.E, weights, a.J, a.D, a.E, 0, 1, lane);
    const real* pieceWeights = weights + d0 * L::EP;
    const real* pieceInputs = inputs + d0;
    const real* ownColumns = exchange + lane;
    real weightGradient[L::DT][Owned] = {};
    for (int n = begin; n < end; n++)
    {
        real logitsGradient[L::TJ] = {};
        for (int row = rowBegin; row < rowEnd; row += L::RG)
        {
            __syncwarp();
            for (int i = lane; i < L::RG * a.D; i += 32)
            {
                const int r = i / a.D, d = i - r * a.D;
                inputs[r * inputStride + d] = row + r < rowEnd ? load(a.u + ((size_t)(row + r) * a.N + n) * a.D + d) : real(0);
            }

            __syncwarp();
            const bool isThere = row + at.row < rowEnd;
            const size_t b = isThere ? row + at.row : rowEnd - 1;
            const real* input = inputs + at.row * inputStride;
            real votes[L::TJ][4] = {};
#pragma unroll 2
            for (int d = 0; d < a.D; d++)
            {
                const real x = input[d];
#pragma unroll
                for (int k = 0; k < L::TJ; k++)
                {
                    const real4 w = *reinterpret_cast<const real4*>(weights + capsule[k] + d * L::EP);
                    votes[k][0] += x * w.x;
                    votes[k][1] += x * w.y;
                    votes[k][2] += x * w.z;
                    votes[k][3] += x * w.w;
                }
            }

            const stored* logits = a.logits == nullptr ? nullptr : a.logits + b * a.logitsStride + (size_t)n * a.J;
            real gradient[L::TJ][4] = {};        // of the votes
            real rowLogits[L::TJ] = {};
            for (int pair = 0; pair < a.pairs; pair++)
            {
                // One vector at a time: registers are what a warp of this pass has least of. So V is read a second time, from the cache.
                const real* v = a.v + pair * batchSize + b * rowSize;
                const real* ds = a.ds + pair * batchSize + b * rowSize;
                real x[L::TJ][4], c[L::TJ], db[L::TJ];
                loadVector<L>(v, at, a.J, a.E, whole, x);
                dots<L>(votes, x, c);
                addLogits<L>(c, logits, at, a.J);
                softmax<L>(c, at, a.J, a.leaky != 0);
                loadVector<L>(ds, at, a.J, a.E, whole, x);
                addTimes<L>(gradient, c, x);
                if (a.all == 0)
                {
                    continue;
                }

                dots<L>(votes, x, db);
                softmaxGradient<L>(c, db, at, a.J);
                forgetMemory();
                loadVector<L>(v, at, a.J, a.E, whole, x);
                addTimes<L>(gradient, db, x);
#pragma unroll
                for (int k = 0; k < L::TJ; k++)
                {
                    rowLogits[k] += db[k];
                }
            }

            if (a.first != nullptr)
            {
                // The first iteration has no V: its coupling is that of the initial logits alone.
                real ds[L::TJ][4], c[L::TJ] = {};
                loadVector<L>(a.first + b * rowSize, at, a.J, a.E, whole, ds);
                addLogits<L>(c, logits, at, a.J);
                softmax<L>(c, at, a.J, a.leaky != 0);
                if (wantsLogits && a.all != 0)
                {
                    real db[L::TJ];
                    dots<L>(votes, ds, db);
                    softmaxGradient<L>(c, db, at, a.J);
#pragma unroll
                    for (int k = 0; k < L::TJ; k++)
                    {
                        rowLogits[k] += db[k];
                    }
                }

                addTimes<L>(gradient, c, ds);
            }

            // Rows that there are not, and output capsules neither, take no part from here on.
#pragma unroll
            for (int k = 0; k < L::TJ; k++)
            {
                const bool counts = isThere && at.J(k) < a.J;
                rowLogits[k] = counts ? rowLogits[k] : real(0);
                logitsGradient[k] += rowLogits[k];
#pragma unroll
                for (int i = 0; i < 4; i++)
                {
                    gradient[k][i] = counts ? gradient[k][i] : real(0);
                }

                if (wantsLogits && a.logitsStride != 0 && counts && piece == 0 && at.entry == 0)
                {
                    store(a.logitsGradient + b * a.logitsStride + (size_t)n * a.J + at.J(k), rowLogits[k]);
                }
            }

            if (a.inputGradient != nullptr)
            {
#pragma unroll
                for (int dd = 0; dd < L::DT; dd++)
                {
                    const int d = d0 + dd;
                    if (d >= a.D)
                    {
                        break;
                    }

                    real sum = 0;
#pragma unroll
                    for (int k = 0; k < L::TJ; k++)
                    {
                        const real4 w = *reinterpret_cast<const real4*>(pieceWeights + capsule[k] + dd * L::EP);
                        const real product =
                            gradient[k][0] * w.x + gradient[k][1] * w.y + gradient[k][2] * w.z + gradient[k][3] * w.w;
                        sum += at.J(k) < a.J ? product : real(0);
                    }

                    sum = laneSum<L::RG, 32>(sum);
                    if (isThere && at.entry + L::LE * at.capsule == dd % (L::LE * L::LJ))
                    {
                        store(a.inputGradient + (b * a.N + n) * a.D + d, sum);
                    }
                }
            }

            if (a.weightGradient == nullptr && a.weightParts == nullptr)
            {
                continue;
            }

            if (L::Exchanged)
            {
#pragma unroll
                for (int k = 0; k < L::TJ; k++)
                {
                    real4 value = {gradient[k][0], gradient[k][1], gradient[k][2], gradient[k][3]};
                    *reinterpret_cast<real4*>(exchange + at.row * ExchangeStride + at.J(k) * L::EP + at.E()) = value;
                }

                __syncwarp();
#pragma unroll
                for (int r = 0; r < L::RG; r++)
                {
                    real columns[Owned];
#pragma unroll
                    for (int i = 0; i < Owned; i++)
                    {
                        columns[i] = ownColumns[r * ExchangeStride + i * 32];
                    }

#pragma unroll
                    for (int dd = 0; dd < L::DT; dd++)
                    {
                        const real x = d0 + dd < a.D ? pieceInputs[r * inputStride + dd] : real(0);
#pragma unroll
                        for (int i = 0; i < Owned; i++)
                        {
                            weightGradient[dd][i] += x * columns[i];
                        }
                    }
                }
            }
            else
            {
#pragma unroll
                for (int dd = 0; dd < L::DT; dd++)
                {
                    const real x = d0 + dd < a.D ? input[d0 + dd] : real(0);
#pragma unroll
                    for (int i = 0; i < Owned; i++)
                    {
                        weightGradient[dd][i] += x * gradient[i / 4 % L::TJ][i % 4];
                    }
                }
            }
        }

        if (wantsLogits && a.logitsStride == 0 && piece == 0)
        {
#pragma unroll
            for (int k = 0; k < L::TJ; k++)
            {
                const real sum = laneSum<1, L::RG>(logitsGradient[k]);
                if (at.row != 0 || at.entry != 0 || at.J(k) >= a.J)
                {
                    continue;
                }

                const size_t place = (size_t)n * a.J + at.J(k);
                if (a.logitsParts != nullptr)
                {
                    a.logitsParts[(size_t)blockIdx.y * a.N * a.J + place] = sum;
                }
                else
                {
                    store(a.logitsGradient + place, sum);
                }
            }
        }
    }

    const size_t weightSize = (size_t)a.J * a.D * a.E;
    if (a.weightParts != nullptr)
    {
        writeWeights<L>(a.weightParts + ((size_t)slot * gridDim.y + blockIdx.y) * weightSize, weightGradient, at, d0, a);
    }
    else if (a.weightGradient != nullptr)
    {
        writeWeights<L>(a.weightGradient + (size_t)slot * weightSize, weightGradient, at, d0, a);
    }
}
