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

// IEEE's 16 bits: a sign, 5 bits of exponent, 10 of mantissa; ties to even, as the processor's own rounding.
inline real fromHalf(unsigned short x)
{
    const int exponent = x >> 10 & 31, mantissa = x & 1023;
    const double size = exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
        : exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return real(x >> 15 ? -size : size);
}

inline unsigned short toHalf(real x)
{
    const unsigned short sign = std::signbit(x) ? 0x8000 : 0;
    if (std::isnan(x))
    {
        return 0x7fff;
    }

    if (x == 0)
    {
        return sign;
    }

    int exponent;
    std::frexp(std::fmin(std::fabs(double(x)), 1e6), &exponent);        // |x| < 2^exponent
    const int last = exponent < -13 ? -24 : exponent - 11;              // the last place's exponent
    const double places = std::nearbyint(std::ldexp(std::fmin(std::fabs(double(x)), 1e6), -last));
    const int bits = (last + 24) * 1024 + int(places);                  // of the mantissa, its leading bit into the exponent
    return sign | (bits < 0x7c00 ? bits : 0x7c00);
}

inline real root(real x) { return std::sqrt(x); }
inline real maximum(real x, real y) { return std::fmax(x, y); }
inline int minimum(int x, int y) { return x < y ? x : y; }
