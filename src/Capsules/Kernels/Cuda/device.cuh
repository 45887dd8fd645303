// What the kernels need of a compiler: nvcc's own declarations, clang's intrinsics where there is no CUDA toolkit, or the emulation of a
// block by plain C++ (EMULATED), which brings the same names.
#pragma once

// The longest output capsule.
#define MAXIMUM_ENTRIES 64

#if defined(EMULATED)

#include "emulation.hpp"

#else

typedef float real;

#define INFINITY_REAL __builtin_inff()

#if defined(__CUDACC__) && !defined(__clang__)

typedef float2 real2;
typedef float4 real4;

#else

// Clang without a toolkit.
typedef float real2 __attribute__((ext_vector_type(2)));
typedef float real4 __attribute__((ext_vector_type(4)));

typedef __SIZE_TYPE__ size_t;

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

// Named as in CUDA; each is a register that the intrinsic reads.
struct ThreadIndex
{
    struct { __device__ operator int() const { return __nvvm_read_ptx_sreg_tid_x(); } } x;
};
struct BlockIndex
{
    struct { __device__ operator int() const { return __nvvm_read_ptx_sreg_ctaid_x(); } } x;
    struct { __device__ operator int() const { return __nvvm_read_ptx_sreg_ctaid_y(); } } y;
};
struct BlockSize
{
    struct { __device__ operator int() const { return __nvvm_read_ptx_sreg_ntid_x(); } } x;
};
struct GridSize
{
    struct { __device__ operator int() const { return __nvvm_read_ptx_sreg_nctaid_y(); } } y;
};

#define threadIdx (ThreadIndex())
#define blockIdx (BlockIndex())
#define blockDim (BlockSize())
#define gridDim (GridSize())
#define __syncwarp() __nvvm_bar_warp_sync(0xffffffffu)

#endif

// Shared memory of a size that the launch gives.
extern __shared__ real4 capsules_routing_shared[];

static __device__ __forceinline__ real* sharedMemory()
{
    return reinterpret_cast<real*>(capsules_routing_shared);
}

static __device__ __forceinline__ real shuffleXor(real x, int mask)
{
    real result;
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(result) : "f"(x), "r"(mask));
    return result;
}

// Makes the compiler read again what it has read before, rather than keep it in registers.
static __device__ __forceinline__ void forgetMemory()
{
    asm volatile("" ::: "memory");
}

// e^x for x <= 0. Its relative error grows with |x|, but so does e^x fall.
static __device__ __forceinline__ real exponential(real x)
{
    real result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x * 1.4426950408889634f));
    return result;
}

static __device__ __forceinline__ real root(real x)
{
    real result;
    asm("sqrt.rn.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// IEEE's 16 bits. To the nearest, ties to even; what is too large becomes infinity, and NaN stays NaN.
static __device__ __forceinline__ real fromHalf(unsigned short x)
{
    real result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x));
    return result;
}

static __device__ __forceinline__ unsigned short toHalf(real x)
{
    unsigned short result;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result) : "f"(x));
    return result;
}

static __device__ __forceinline__ real maximum(real x, real y)
{
    real result;
    asm("max.f32 %0, %1, %2;" : "=f"(result) : "f"(x), "f"(y));
    return result;
}

static __device__ __forceinline__ int minimum(int x, int y)
{
    return x < y ? x : y;
}

#endif
