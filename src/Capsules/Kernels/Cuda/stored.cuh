// Numbers as u, W, bias, logits and the gradients of them lie in memory. build.sh compiles the kernels once for each: float32,
// STORED_BFLOAT16, STORED_FLOAT16. They are made float32 where they are read, everything is computed in that, and a gradient is rounded
// once, to the nearest, where it is written.
#pragma once

#include "device.cuh"

__device__ __forceinline__ real load(const real* from)
{
    return *from;
}

__device__ __forceinline__ real4 loadFour(const real* from)
{
    return *reinterpret_cast<const real4*>(from);
}

__device__ __forceinline__ void store(real* to, real x)
{
    *to = x;
}

#if !defined(STORED_BFLOAT16) && !defined(STORED_FLOAT16)

typedef real stored;

#else

// A type of its own, so that no arithmetic takes the bits for a number.
struct stored
{
    unsigned short bits;
};

struct alignas(8) stored4
{
    stored x, y, z, w;
};

#if defined(STORED_BFLOAT16)

// The upper half of a float32.
union Float32
{
    float number;
    unsigned bits;
};

__device__ __forceinline__ real widen(stored x)
{
    Float32 wide;
    wide.bits = (unsigned)x.bits << 16;
    return wide.number;
}

__device__ __forceinline__ stored narrow(real x)
{
    Float32 wide;
    wide.number = x;

    // Half a last place, less one bit where the last place is even already: ties go to even, and what is too large to infinity.
    const unsigned rounded = (wide.bits + 0x7fff + (wide.bits >> 16 & 1)) >> 16;
    const bool isNumber = (wide.bits & 0x7fffffff) <= 0x7f800000;
    return {(unsigned short)(isNumber ? rounded : 0x7fc0)};
}

#else

__device__ __forceinline__ real widen(stored x)
{
    return fromHalf(x.bits);
}

__device__ __forceinline__ stored narrow(real x)
{
    return {toHalf(x)};
}

#endif

__device__ __forceinline__ real load(const stored* from)
{
    return widen(*from);
}

__device__ __forceinline__ real4 loadFour(const stored* from)
{
    const stored4 four = *reinterpret_cast<const stored4*>(from);
    return real4{widen(four.x), widen(four.y), widen(four.z), widen(four.w)};
}

__device__ __forceinline__ void store(stored* to, real x)
{
    *to = narrow(x);
}

#endif
