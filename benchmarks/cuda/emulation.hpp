// CUDA's names in plain C++, for device.cuh: a block of threads as fibers of one thread, or, with EMULATED_THREADS, as real threads for a
// race detector. Numbers are doubles unless EMULATED_REAL says otherwise, so that what is left of a wrong index is no rounding error.
#pragma once

#include <cmath>
#include <cstddef>

#ifndef EMULATED_REAL
#define EMULATED_REAL double
#endif

typedef EMULATED_REAL real;

struct alignas(2 * sizeof(real)) real2
{
    real x, y;
};

struct alignas(4 * sizeof(real)) real4
{
    real x, y, z, w;
};

#define INFINITY_REAL real(INFINITY)
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct Index
{
    int x, y;
};

// Of the thread that runs.
const Index& emulatedThread();
const Index& emulatedBlock();
const Index& emulatedBlockSize();
const Index& emulatedGridSize();

#define threadIdx (emulatedThread())
#define blockIdx (emulatedBlock())
#define blockDim (emulatedBlockSize())
#define gridDim (emulatedGridSize())

// All threads of the block, or of the warp, wait for each other.
void __syncthreads();
void __syncwarp();

real* sharedMemory();

// Every lane of the warp must take part; a kernel in which one does not is reported as stuck.
real shuffleXor(real x, int mask);

inline void forgetMemory() {}
inline real exponential(real x) { return std::exp(x); }
inline real root(real x) { return std::sqrt(x); }
inline real maximum(real x, real y) { return std::fmax(x, y); }
inline int minimum(int x, int y) { return x < y ? x : y; }
