// Runs the kernels of routing.cu block by block on the processor. Shared memory is a fresh allocation of exactly the size of the launch,
// filled with NaN: an address sanitizer sees what lies outside, and a value that nothing wrote shows in the results.
#define EMULATED
#include "routing.cu"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef EMULATED_THREADS
#include <condition_variable>
#include <mutex>
#include <thread>
#else
#include <ucontext.h>
#endif

namespace
{
constexpr int WarpSize = 32;
constexpr size_t StackSize = 256 * 1024;

#ifdef EMULATED_THREADS

struct Barrier
{
    int expected = 0, arrived = 0;
    long generation = 0;
    std::mutex mutex;
    std::condition_variable changed;

    void wait()
    {
        std::unique_lock<std::mutex> lock(mutex);
        const long mine = generation;
        if (++arrived == expected)
        {
            arrived = 0;
            generation++;
            changed.notify_all();
            return;
        }

        changed.wait(lock, [&] { return generation != mine; });
    }
};

#else

void yieldFiber();

struct Barrier
{
    int expected = 0, arrived = 0;
    long generation = 0;

    void wait()
    {
        const long mine = generation;
        if (++arrived == expected)
        {
            arrived = 0;
            generation++;
            return;
        }

        while (generation == mine)
        {
            yieldFiber();
        }
    }
};

#endif

struct Warp
{
    Barrier barrier;
    real exchanged[2][WarpSize];
};

struct Thread
{
    Index index;
    int turn = 0;        // which of the two places the next exchange uses
    bool done = false;
#ifndef EMULATED_THREADS
    ucontext_t context;
    std::unique_ptr<char[]> stack;
#endif
};

// The block that runs.
Index gridSize, blockSize, block;
real* shared;
Barrier all;
std::vector<std::unique_ptr<Warp>> warps;

#ifdef EMULATED_THREADS
thread_local Thread* current;
#else
Thread* current;
ucontext_t scheduler;

void yieldFiber()
{
    swapcontext(&current->context, &scheduler);
}
#endif

typedef void (*Entry)(const void* arguments);

template <class Arguments, void (*Kernel)(Arguments)>
void call(const void* arguments)
{
    Kernel(*static_cast<const Arguments*>(arguments));
}

Entry find(const std::string& name)
{
#define NAMED(kernel, arguments)                              \
    if (name == #kernel)                                      \
    {                                                         \
        return &call<const arguments, &kernel>;               \
    }
#define LAYOUT(L)                                             \
    NAMED(capsules_routing_uniform_##L, PassArguments)        \
    NAMED(capsules_routing_coupled_##L, PassArguments)        \
    NAMED(capsules_routing_agreement_##L, PassArguments)      \
    NAMED(capsules_routing_gradient_##L, GradientArguments)

    NAMED(capsules_routing_finish, FinishArguments)
    NAMED(capsules_routing_start, StartArguments)
    NAMED(capsules_routing_step, StepArguments)
    LAYOUT(J10E16)
    LAYOUT(J32E16)
    LAYOUT(J16E32)
    LAYOUT(J10E64)
    return nullptr;
}

Entry entry;
const void* entryArguments;

#ifdef EMULATED_THREADS

void runThreads(std::vector<Thread>& threads, int)
{
    std::vector<std::thread> running;
    for (auto& thread : threads)
    {
        running.emplace_back([&thread] {
            current = &thread;
            entry(entryArguments);
        });
    }

    for (auto& thread : running)
    {
        thread.join();
    }
}

#else

void fiber()
{
    entry(entryArguments);
    current->done = true;
    yieldFiber();
}

// In turn until all are done: forwards, backwards, or from the middle on. What depends on the order is a race.
void runThreads(std::vector<Thread>& threads, int order)
{
    const int count = (int)threads.size();
    for (auto& thread : threads)
    {
        thread.stack.reset(new char[StackSize]);
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = thread.stack.get();
        thread.context.uc_stack.ss_size = StackSize;
        thread.context.uc_link = nullptr;
        makecontext(&thread.context, fiber, 0);
    }

    for (bool live = true; live;)
    {
        live = false;
        long before = all.generation * all.expected + all.arrived;
        for (auto& warp : warps)
        {
            before += warp->barrier.generation * WarpSize + warp->barrier.arrived;
        }

        bool ended = false;
        for (int i = 0; i < count; i++)
        {
            Thread& thread = threads[order == 0 ? i : order == 1 ? count - 1 - i : (i * 7 + count / 2) % count];
            if (thread.done)
            {
                continue;
            }

            current = &thread;
            swapcontext(&scheduler, &thread.context);
            ended |= thread.done;
            live |= !thread.done;
        }

        long after = all.generation * all.expected + all.arrived;
        for (auto& warp : warps)
        {
            after += warp->barrier.generation * WarpSize + warp->barrier.arrived;
        }

        if (live && !ended && after == before)
        {
            throw std::runtime_error("threads wait for each other for ever");
        }
    }
}

#endif

}

const Index& emulatedThread() { return current->index; }
const Index& emulatedBlock() { return block; }
const Index& emulatedBlockSize() { return blockSize; }
const Index& emulatedGridSize() { return gridSize; }
real* sharedMemory() { return shared; }
void __syncthreads() { all.wait(); }
void __syncwarp() { warps[current->index.x / WarpSize]->barrier.wait(); }

real shuffleXor(real x, int mask)
{
    Warp& warp = *warps[current->index.x / WarpSize];
    const int lane = current->index.x % WarpSize, turn = current->turn;
    warp.exchanged[turn][lane] = x;
    current->turn = 1 - turn;
    warp.barrier.wait();
    return warp.exchanged[turn][lane ^ mask];
}

// 0, or what went wrong in message (of size 200 at least).
extern "C" int capsules_emulate(
    const char* name, int gridX, int gridY, int threadCount, int sharedBytes, const void* arguments, int order, char* message)
{
    entry = find(name);
    entryArguments = arguments;
    if (entry == nullptr)
    {
        snprintf(message, 200, "There is no kernel %s.", name);
        return 1;
    }

    if (threadCount % WarpSize != 0 || threadCount > 1024 || sharedBytes > 48 * 1024 || gridY > 65535)
    {
        snprintf(message, 200, "%s cannot be launched with %d threads and %d bytes, grid y %d.", name, threadCount, sharedBytes, gridY);
        return 1;
    }

    gridSize = {gridX, gridY};
    blockSize = {threadCount, 1};
    for (block.y = 0; block.y < gridY; block.y++)
    {
        for (block.x = 0; block.x < gridX; block.x++)
        {
            // Bytes as the launch gives them in float32; wider numbers take as many more.
            const size_t size = sharedBytes / 4;
            void* memory = nullptr;
            if (posix_memalign(&memory, 64, size * sizeof(real)) != 0)
            {
                snprintf(message, 200, "There is no memory for a block of %s.", name);
                return 1;
            }

            shared = static_cast<real*>(memory);
            for (size_t i = 0; i < size; i++)
            {
                shared[i] = std::numeric_limits<real>::quiet_NaN();
            }

            all.expected = threadCount;
            all.arrived = 0;
            warps.clear();
            std::vector<Thread> threads(threadCount);
            for (int i = 0; i < threadCount; i++)
            {
                threads[i].index = {i, 0};
                if (i % WarpSize == 0)
                {
                    warps.emplace_back(new Warp());
                    warps.back()->barrier.expected = WarpSize;
                }
            }

            std::string failure;
            try
            {
                runThreads(threads, order);
            }
            catch (const std::exception& error)
            {
                failure = error.what();
            }

            free(memory);
            if (!failure.empty())
            {
                snprintf(message, 200, "%s: %s.", name, failure.c_str());
                return 1;
            }
        }
    }

    return 0;
}
