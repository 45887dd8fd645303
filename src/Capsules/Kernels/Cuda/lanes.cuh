// How votes lie in the lanes of a warp.
#pragma once

#include "device.cuh"

// What lies in the lanes of a warp. LE lanes hold TE entries each of one output capsule; LJ lanes take the output capsules in turn, TJ
// each; what is left of the 32 lanes holds further rows of the batch, in the lowest bits of the lane so that neighbours read the same
// weight. In a vote pass a lane makes the votes of R rows at a time, in the gradient pass of one. It serves J <= LJ TJ and E <= LE TE;
// DT is how many input entries of a weight's gradient one warp sums in registers.
template <int LE_, int LJ_, int TJ_, int DT_>
struct Layout
{
    static constexpr int LE = LE_, LJ = LJ_, TJ = TJ_, R = 2, DT = DT_, TE = 4;
    static constexpr int RG = 32 / (LE * LJ);
    static constexpr int Rows = RG * R;
    static constexpr int EP = LE * TE;
    static constexpr int Columns = LJ * TJ * EP;
    static constexpr int LaneColumns = TJ * TE;

    // Whether a weight's gradient sums over lanes, so that columns change hands in the gradient pass; and how many a lane then owns.
    static constexpr bool Exchanged = RG > 1;
    static constexpr int Owned = Exchanged ? Columns / 32 : LaneColumns;
};

// The place of a lane.
template <class L>
struct Lane
{
    int row, entry, capsule;

    __device__ explicit Lane(int lane)
        : row(lane % L::RG), entry(lane / L::RG % L::LE), capsule(lane / (L::RG * L::LE))
    {
    }

    __device__ int J(int k) const { return k * L::LJ + capsule; }
    __device__ int E() const { return entry * L::TE; }
};

template <int From, int To>
__device__ __forceinline__ real laneSum(real x)
{
#pragma unroll
    for (int mask = From; mask < To; mask <<= 1)
    {
        x += shuffleXor(x, mask);
    }

    return x;
}

template <int From, int To>
__device__ __forceinline__ real laneMax(real x)
{
#pragma unroll
    for (int mask = From; mask < To; mask <<= 1)
    {
        x = maximum(x, shuffleXor(x, mask));
    }

    return x;
}

template <class L>
__device__ __forceinline__ real sumOverEntries(real x)
{
    return laneSum<L::RG, L::RG * L::LE>(x);
}

template <class L>
__device__ __forceinline__ real sumOverCapsules(real x)
{
    return laneSum<L::RG * L::LE, 32>(x);
}
