// Exact dynamic routing between capsules and its gradients, without the votes in memory. See docs/gpu-kernel.md.
//
// Votes are u_hat[b, n, j] = u[b, n] W[g(n), j], with g(n) = n / groupSize. Logits need no storage: after t iterations they are
// b0 + u_hat . V with V = v(1) + ... + v(t). So a pass over the input capsules makes each vote in registers, takes its products with a
// few vectors (B, J, E), and adds what follows to a sum (B, J, E); nothing of size N J lies between the passes.
//
// All sums are made in a fixed order and there are no atomic operations: the same sizes on the same card give the same bits.
// Nothing here is newer than compute capability 7.0.
//
// This is all of it in one translation unit, which build.sh compiles once for each type of numbers in memory (stored.cuh).

#include "gradientpass.cuh"
#include "vectors.cuh"
#include "votepass.cuh"

// The layouts, from the smallest on: the first that serves is taken. The names carry J and E at most.
//
//             LE LJ TJ DT
typedef Layout<4, 2, 5, 8> J10E16;
typedef Layout<4, 8, 4, 4> J32E16;
typedef Layout<8, 4, 4, 4> J16E32;
typedef Layout<16, 2, 5, 4> J10E64;

#define ENTRY_POINTS(L)                                                                                               \
    extern "C" __global__ void __launch_bounds__(128, 3) capsules_routing_uniform_##L(const PassArguments a)          \
    {                                                                                                                 \
        votePass<L, UNIFORM>(a);                                                                                      \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(128, 3) capsules_routing_coupled_##L(const PassArguments a)          \
    {                                                                                                                 \
        votePass<L, COUPLED>(a);                                                                                      \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(128, 2) capsules_routing_agreement_##L(const PassArguments a)        \
    {                                                                                                                 \
        votePass<L, AGREEMENT>(a);                                                                                    \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(128, 3) capsules_routing_gradient_##L(const GradientArguments a)     \
    {                                                                                                                 \
        gradientPass<L>(a);                                                                                           \
    }

ENTRY_POINTS(J10E16)
ENTRY_POINTS(J32E16)
ENTRY_POINTS(J16E32)
ENTRY_POINTS(J10E64)
