// Exact dynamic routing between capsules and its gradients, without the votes in memory. See docs/gpu-kernel.md.
//
// Votes are u_hat[b, n, j] = u[b, n] W[g(n), j], with g(n) = n / groupSize. Logits need no storage: after t iterations they are
// b0 + u_hat . V with V = v(1) + ... + v(t). So a pass over the input capsules makes each vote in registers, takes its products with a
// few vectors (B, J, E), and adds what follows to a sum (B, J, E); nothing of size N J lies between the passes.
//
// All sums are made in a fixed order and there are no atomic operations: the same sizes on the same card give the same bits.
// Nothing here is newer than compute capability 7.0.

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
};

struct PassArguments
{
    const real* u;          // (B, N, D)
    const real* weight;     // (N / groupSize, J, D, E)
    const real* logits;     // b0: (N, J), or (B, N, J) with logitsStride = N J; null for none
    const real* v;          // V of the iteration before (B, J, E); null for none
    const real* ds;         // the gradient of s of this iteration (B, J, E); agreement passes only
    real* partials;         // (part, B, J, E)
    long long logitsStride;
    int B, N, D, J, E, groupSize;
    int leaky;
    int rowWarps;           // warps of a block that hold different rows; the others take different input capsules
    int chunk;              // input capsules of a part
    int padding;
};

struct FinishArguments
{
    const real* partials;   // (part, B, J, E)
    const real* bias;       // (J, E) or null
    real* s;                // (B, J, E): where s is kept, or null
    real* v;                // (B, J, E): squash(s) is added to it, or null
    real* output;           // (B, J, E): squash(s), or null
    real scale;
    int parts, B, J, E;
    int first;              // whether v is to be set rather than added to
};

struct StartArguments
{
    const real* s;          // (iteration, B, J, E)
    const real* upstream;   // the gradient of the output (B, J, E)
    real* v;                // V(1) .. V(iterations - 1), or the last of them alone
    real* ds;               // ds of the last iteration
    int iterations, all, B, J, E;
    int padding;
};

struct StepArguments
{
    const real* partials;   // (part, B, J, E)
    const real* s;          // s of the iteration before (B, J, E)
    real* running;          // (B, J, E): the sum of the gradients of the later V
    real* ds;               // ds of the iteration before
    int parts, B, J, E;
    int first;              // whether the running sum is to be set rather than added to
    int padding;
};

struct GradientArguments
{
    const real* u;
    const real* weight;
    const real* logits;
    const real* v;          // (pair, B, J, E)
    const real* ds;         // (pair, B, J, E): of the same iterations
    const real* first;      // ds(1) (B, J, E), or null
    real* inputGradient;    // (B, N, D) or null
    real* weightGradient;   // (group, part of the group, row part, J, D, E) or null
    real* logitsGradient;   // (row part, N, J), or (B, N, J) with logitsStride = N J; null for none
    long long logitsStride;
    int B, N, D, J, E, groupSize;
    int leaky;
    int pairs;              // iterations whose coupling comes from an agreement
    int all;                // whether the coupling counts as a function of the votes, or as constant
    int chunk;              // input capsules of one group that one warp takes
    int rows;               // rows of the batch that one warp takes
    int padding;
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

// Floats from one output capsule's weights to the next in shared memory: lanes of neighbouring capsules then read other banks.
template <class L>
__device__ __forceinline__ int capsuleStride(int D)
{
    int size = D * L::EP;
    return size % 32 == 0 ? size + 16 : size;
}

// Whether rows of E entries from here on can be read by four.
__device__ __forceinline__ bool isWhole(const real* start, int E)
{
    return E % 4 == 0 && reinterpret_cast<size_t>(start) % sizeof(real4) == 0;
}

// One input capsule's weights (J, D, E) to shared memory (J, D, EP), by threads thread, thread + threads, ... in whole warps.
template <class L>
__device__ __forceinline__ void stageWeights(const real* weight, real* target, int J, int D, int E, int warp, int warps, int lane)
{
    const int stride = capsuleStride<L>(D);
    const bool whole = E == L::EP && isWhole(weight, E);
    for (int j = warp; j < J; j += warps)
    {
        const real* source = weight + (size_t)j * D * E;
        real* to = target + j * stride;
        if (whole)
        {
            for (int i = lane * 4; i < D * L::EP; i += 128)
            {
                *reinterpret_cast<real4*>(to + i) = *reinterpret_cast<const real4*>(source + i);
            }
        }
        else
        {
            for (int i = lane; i < D * L::EP; i += 32)
            {
                int e = i % L::EP;
                to[i] = e < E ? source[i / L::EP * E + e] : real(0);
            }
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

template <class L>
__device__ __forceinline__ void addLogits(real (&x)[L::TJ], const real* logits, const Lane<L>& at, int J)
{
    if (logits == nullptr)
    {
        return;
    }

#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
        x[k] += at.J(k) < J ? logits[at.J(k)] : real(0);
    }
}

// One row's vector (J, E): the lane's part of it, and zeros where there is none.
template <class L>
__device__ __forceinline__ void loadVector(const real* row, const Lane<L>& at, int J, int E, bool whole, real (&x)[L::TJ][4])
{
    if (whole)
    {
#pragma unroll
        for (int k = 0; k < L::TJ; k++)
        {
            real4 value = {0, 0, 0, 0};
            if (at.J(k) < J && at.E() < E)
            {
                value = *reinterpret_cast<const real4*>(row + (size_t)at.J(k) * E + at.E());
            }

            x[k][0] = value.x;
            x[k][1] = value.y;
            x[k][2] = value.z;
            x[k][3] = value.w;
        }

        return;
    }

#pragma unroll
    for (int k = 0; k < L::TJ; k++)
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            x[k][i] = at.J(k) < J && at.E() + i < E ? row[(size_t)at.J(k) * E + at.E() + i] : real(0);
        }
    }
}

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
            const real* weight = a.weight + (size_t)((n0 + s) / a.groupSize) * a.J * a.D * a.E;
            stageWeights<L>(weight, weights + s * weightSize, a.J, a.D, a.E, warp, warps, lane);
            for (int i = threadIdx.x; i < tileRows * a.D; i += blockDim.x)
            {
                const int row = i / a.D, d = i - row * a.D, b = firstRow + row;
                inputs[(s * a.D + d) * tileRows + row] = b < a.B ? a.u[((size_t)b * a.N + n0 + s) * a.D + d] : real(0);
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
            const real* logits = a.logits == nullptr ? nullptr : a.logits + row * a.logitsStride + (size_t)n * a.J;
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

    constexpr bool Exchanged = L::RG > 1;       // whether a weight's gradient sums over lanes, so that columns change hands
    constexpr int ExchangeStride = L::Columns + 8;
    constexpr int Owned = Exchanged ? L::Columns / 32 : L::LaneColumns;
    const int stride = capsuleStride<L>(a.D);
    const int inputStride = (a.D + 3) / 4 * 4;
    const int warpSize = a.J * stride + L::RG * inputStride + (Exchanged ? L::RG * ExchangeStride : 0);
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
                inputs[r * inputStride + d] = row + r < rowEnd ? a.u[((size_t)(row + r) * a.N + n) * a.D + d] : real(0);
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

            const real* logits = a.logits == nullptr ? nullptr : a.logits + b * a.logitsStride + (size_t)n * a.J;
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
                if (a.logitsGradient != nullptr && a.all != 0)
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

                if (a.logitsGradient != nullptr && a.logitsStride != 0 && counts && piece == 0 && at.entry == 0)
                {
                    a.logitsGradient[b * a.logitsStride + (size_t)n * a.J + at.J(k)] = rowLogits[k];
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
                        a.inputGradient[(b * a.N + n) * a.D + d] = sum;
                    }
                }
            }

            if (a.weightGradient == nullptr)
            {
                continue;
            }

            if (Exchanged)
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

        if (a.logitsGradient != nullptr && a.logitsStride == 0 && piece == 0)
        {
#pragma unroll
            for (int k = 0; k < L::TJ; k++)
            {
                const real sum = laneSum<1, L::RG>(logitsGradient[k]);
                if (at.row == 0 && at.entry == 0 && at.J(k) < a.J)
                {
                    a.logitsGradient[((size_t)blockIdx.y * a.N + n) * a.J + at.J(k)] = sum;
                }
            }
        }
    }

    if (a.weightGradient == nullptr)
    {
        return;
    }

    real* target = a.weightGradient + ((size_t)slot * gridDim.y + blockIdx.y) * a.J * a.D * a.E;
#pragma unroll
    for (int dd = 0; dd < L::DT; dd++)
    {
#pragma unroll
        for (int i = 0; i < Owned; i++)
        {
            const int column = i * 32 + lane;
            const int j = Exchanged ? column / L::EP : at.J(i / 4);
            const int e = Exchanged ? column % L::EP : at.E() + i % 4;
            if (d0 + dd < a.D && j < a.J && e < a.E)
            {
                target[((size_t)j * a.D + d0 + dd) * a.E + e] = weightGradient[dd][i];
            }
        }
    }
}

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
            s[i] = a.scale * sumParts(a.partials, vector * a.E + e, stride, a.parts) + (a.bias == nullptr ? real(0) : a.bias[j * a.E + e]);
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
