#!/usr/bin/env python3
"""Proves the indexing and the arithmetic of routing.cu where there is no GPU.

The device source is compiled as plain C++ (emulation.cpp) and compared with the paper's formulas in float64: random shapes, options and
orders of the threads. --sanitize adds the address and undefined-behaviour sanitizers, --threads runs real threads under the thread
sanitizer (small shapes: a block of 128 threads). Needs g++ or clang++, and numpy.
"""
import argparse
import ctypes
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import weakref

import numpy as np

import reference
from routing import Plan, Routing

HERE = os.path.dirname(os.path.abspath(__file__))
IN_REPOSITORY = os.path.join(HERE, "..", "..", "src", "Capsules", "Kernels", "Cuda")
SOURCE = IN_REPOSITORY if os.path.isdir(IN_REPOSITORY) else HERE       # outside it the device's files lie beside this one
LIBC = ctypes.CDLL(None)
DOUBLE_TOLERANCE = 1e-11
MULTIPROCESSORS = [1, 4, 20]         # they decide how the work is divided


class Emulation:
    """numpy arrays as device memory, and a launch that returns when the kernel has run."""

    def __init__(self, library, multiprocessors, order):
        self.real, self.dtype = ctypes.c_double, np.float64
        self.multiprocessors, self.order = multiprocessors, order
        self.function = ctypes.CDLL(library).capsules_emulate
        self.launches = 0

    def empty(self, *shape):
        return allocate(shape)

    def pointer(self, array):
        if array is None:
            return None
        assert array.flags.c_contiguous and array.dtype == self.dtype
        return array.ctypes.data

    def total(self, array, axis):
        return array.sum(axis)

    def launch(self, name, grid, threads, shared, arguments):
        message = ctypes.create_string_buffer(256)
        if self.function(name.encode(), grid[0], grid[1], threads, shared, ctypes.byref(arguments), self.order, message):
            raise RuntimeError(message.value.decode())
        self.launches += 1


def build(folder, compiler, flags):
    library = os.path.join(folder, "emulation.so")
    command = [compiler, "-std=c++17", "-O1", "-g", "-shared", "-fPIC", "-Wall", "-Wno-unknown-pragmas", "-I", HERE, "-I", SOURCE,
               os.path.join(HERE, "emulation.cpp"), "-o", library, *flags]
    subprocess.run(command, check=True)
    return library


def allocate(shape, offset=0):
    """Doubles that begin offset of them behind a 64-byte border and end where the allocation ends, so that a sanitizer sees both."""
    count = int(np.prod(shape))
    memory = ctypes.c_void_p()
    if LIBC.posix_memalign(ctypes.byref(memory), ctypes.c_size_t(64), ctypes.c_size_t((count + offset) * 8)):
        raise MemoryError(f"There is no memory for {shape}.")
    buffer = (ctypes.c_double * count).from_address(memory.value + offset * 8)
    weakref.finalize(buffer, LIBC.free, memory)
    array = np.frombuffer(buffer).reshape(shape)
    array[...] = np.nan                      # poison: what nothing writes shows
    return array


def normal(*shape, rng, scale=1.0, offset=0):
    array = allocate(shape, offset)
    array[...] = rng.standard_normal(shape) * scale
    return array


def error(actual, expected):
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    size = np.linalg.norm(expected)
    return np.linalg.norm(actual - expected) / (size if size > 0 else 1)


def check(library, case, order):
    rng = np.random.default_rng(case["seed"])
    B, G, group, D, J, E = (case[k] for k in "B G group D J E".split())
    N = G * group
    u = normal(B, N, D, rng=rng)
    weight = normal(G, J, D, E, rng=rng, scale=0.5 / np.sqrt(D), offset=case["offset"])
    bias = normal(J, E, rng=rng, scale=0.3) if case["bias"] else None
    logits = None if case["logits"] == 0 else normal(*((N, J) if case["logits"] == 2 else (B, N, J)), rng=rng)
    upstream = normal(B, J, E, rng=rng)
    options = dict(iterations=case["iterations"], leaky=case["leaky"], through_all=case["all"])
    device = Emulation(library, case["multiprocessors"], order)
    routing = Routing(device, u, weight, bias, logits, **options)
    v = routing.forward()
    actual = [v, *routing.backward(upstream)]
    expected = reference.route(u, weight, bias, logits, upstream=upstream, **options)
    worst = 0.0
    for name, a, e in zip(["v", "du", "dweight", "dbias", "dlogits"], actual, expected):
        if e is None and a is None:
            continue
        difference = error(a, e)
        worst = max(worst, difference)
        if not difference < DOUBLE_TOLERANCE:
            raise AssertionError(f"{name} differs by {difference:.3g} in {case}, thread order {order}")
    return worst, actual, device.launches


def random_case(seed, small):
    r = random.Random(seed)
    B = r.choice([1, 2, 3, 7] if small else [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33, 41])
    J, E = r.choice([(1, 1), (2, 3), (10, 16), (9, 13), (5, 16), (3, 4), (11, 16), (32, 16), (17, 5), (16, 32), (12, 20), (10, 64), (7, 33),
                     (10, 8)])
    return dict(
        B=B, G=r.choice([1, 2, 3] if small else [1, 2, 3, 5, 8, 13, 21]), group=r.choice([1, 1, 2, 5]),
        D=r.choice([1, 2, 3, 4, 7, 8, 9, 12, 16]), J=J, E=E, iterations=r.choice([0, 1, 2, 3] if small else [0, 1, 2, 3, 4, 5]),
        bias=r.random() < 0.5, logits=r.choice([0, 0, 2, 3]), leaky=r.random() < 0.4, all=r.random() < 0.7,
        multiprocessors=r.choice(MULTIPROCESSORS), offset=r.choice([0, 0, 0, 1]), seed=seed)


def served(case):
    try:
        Plan(case["B"], case["G"] * case["group"], case["D"], case["J"], case["E"], case["group"], case["multiprocessors"])
        return True
    except ValueError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compiler", default=shutil.which("g++") or "clang++")
    parser.add_argument("--sanitize", action="store_true", help="address and undefined-behaviour sanitizers")
    parser.add_argument("--threads", action="store_true", help="real threads under the thread sanitizer")
    parser.add_argument("--library", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library is None:
        sanitizer = "address,undefined" if options.sanitize else "thread" if options.threads else None
        flags = [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=undefined"] if sanitizer else []
        flags += ["-DEMULATED_THREADS"] if options.threads else []
        with tempfile.TemporaryDirectory() as folder:
            library = build(folder, options.compiler, flags)
            command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--library", library]
            environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
            if sanitizer:
                runtime = "libasan.so" if options.sanitize else "libtsan.so"
                path = subprocess.run([options.compiler, f"-print-file-name={runtime}"], capture_output=True, text=True, check=True).stdout
                environment.update(LD_PRELOAD=path.strip(), ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0",
                                   TSAN_OPTIONS="exitcode=66:halt_on_error=1")
            sys.exit(subprocess.run(command, env=environment).returncode)

    started, worst, launches, done, seed = time.time(), 0.0, 0, 0, options.seed * 10000
    while done < options.cases:
        seed += 1
        case = random_case(seed, options.threads)
        if not served(case):
            continue
        difference, first, count = check(options.library, case, 0)
        worst, launches, done = max(worst, difference), launches + count, done + 1
        if not options.threads:
            order = 1 + done % 2
            _, again, _ = check(options.library, case, order)
            if not all(a is b is None or np.array_equal(a, b) for a, b in zip(first, again)):
                raise AssertionError(f"The results depend on the order of the threads in {case}")
    print(f"{done} cases, {launches} launches: largest error {worst:.2g} of float64, in {time.time() - started:.0f} s"
          f"{', address and undefined-behaviour sanitizers clean' if options.sanitize else ''}"
          f"{', thread sanitizer clean' if options.threads else ''}.")


if __name__ == "__main__":
    main()
