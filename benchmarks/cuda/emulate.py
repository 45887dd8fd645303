#!/usr/bin/env python3
"""Proves the indexing and the arithmetic of routing.cu where there is no GPU.

The device source is compiled as plain C++ (emulation.cpp) and compared with the paper's formulas in float64: random shapes, options and
orders of the threads, and each type of numbers in memory: with 16 bits the inputs are rounded ones, and each gradient must be float64's
rounded once. --sanitize adds the address and undefined-behaviour sanitizers, --threads runs real threads under the thread
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
TYPES = ["float32", "bfloat16", "float16"]      # stored.cuh's; what float32 stands for are doubles here
MULTIPROCESSORS = [1, 4, 20]         # they decide how the work is divided


class Stored:
    """Arrays as the kernels read and write them: doubles themselves, or the bits of 16-bit numbers."""

    def __init__(self, name):
        self.name = name
        self.dtype = np.dtype(np.float64 if name == "float32" else np.uint16)
        self.mantissa, self.smallest = {"float32": (None, None), "bfloat16": (7, -126), "float16": (10, -14)}[name]

    def widened(self, array):
        if self.name == "float32" or array is None:
            return array
        if self.name == "float16":
            return array.view(np.float16).astype(np.float64)
        return (array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)

    def narrowed(self, array, offset=0):
        """The nearest numbers, ties to even, in memory of their own."""
        if self.name == "float16":
            bits = array.astype(np.float16).view(np.uint16)
        elif self.name == "bfloat16":
            wide = array.astype(np.float32).view(np.uint32)
            bits = ((wide + 0x7fff + (wide >> 16 & 1)) >> 16).astype(np.uint16)
        else:
            bits = array
        result = allocate(array.shape, offset, self.dtype)
        result[...] = bits
        return result

    def half_places(self, array):
        """Half of the last place of each number: how far the nearest number is away at most."""
        exponents = np.where(array == 0, self.smallest, np.maximum(np.frexp(np.abs(array))[1] - 1, self.smallest))
        return np.ldexp(0.5, exponents - self.mantissa)


class Emulation:
    """numpy arrays as device memory, and a launch that returns when the kernel has run."""

    def __init__(self, library, stored, multiprocessors, order):
        self.real, self.stored = ctypes.c_double, stored
        self.multiprocessors, self.order = multiprocessors, order
        self.function = ctypes.CDLL(library).capsules_emulate
        self.launches = 0

    def empty(self, *shape):
        return allocate(shape)

    def empty_stored(self, *shape):
        return allocate(shape, dtype=self.stored.dtype)

    def pointer(self, array):
        return self.address(array, np.float64)

    def stored_pointer(self, array):
        return self.address(array, self.stored.dtype)

    def address(self, array, dtype):
        if array is None:
            return None
        assert array.flags.c_contiguous and array.dtype == dtype
        return array.ctypes.data

    def total(self, array, axis):
        return array.sum(axis)

    def narrowed(self, array):
        return self.stored.narrowed(array)

    def launch(self, name, grid, threads, shared, arguments):
        message = ctypes.create_string_buffer(256)
        if self.function(name.encode(), grid[0], grid[1], threads, shared, ctypes.byref(arguments), self.order, message):
            raise RuntimeError(message.value.decode())
        self.launches += 1


def build(folder, compiler, flags, stored):
    library = os.path.join(folder, f"emulation-{stored}.so")
    command = [compiler, "-std=c++17", "-O1", "-g", "-shared", "-fPIC", "-Wall", "-Wno-unknown-pragmas", "-I", HERE, "-I", SOURCE,
               os.path.join(HERE, "emulation.cpp"), "-o", library, f"-DSTORED_{stored.upper()}", *flags]
    subprocess.run(command, check=True)
    return library


def allocate(shape, offset=0, dtype=np.dtype(np.float64)):
    """Numbers that begin offset of them behind a 64-byte border and end where the allocation ends, so that a sanitizer sees both."""
    count = int(np.prod(shape))
    memory = ctypes.c_void_p()
    if LIBC.posix_memalign(ctypes.byref(memory), ctypes.c_size_t(64), ctypes.c_size_t((count + offset) * dtype.itemsize)):
        raise MemoryError(f"There is no memory for {shape}.")
    buffer = (ctypes.c_char * (count * dtype.itemsize)).from_address(memory.value + offset * dtype.itemsize)
    weakref.finalize(buffer, LIBC.free, memory)
    array = np.frombuffer(buffer, dtype).reshape(shape)
    array[...] = np.nan if dtype == np.float64 else 0x7fff      # poison: what nothing writes shows. 0x7fff is NaN in 16 bits
    return array


def error(actual, expected):
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    size = np.linalg.norm(expected)
    return np.linalg.norm(actual - expected) / (size if size > 0 else 1)


def places(stored, actual, expected):
    """The largest distance in halves of the last place, where float64's own error counts for nothing: 1 is a number rounded once."""
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    return (np.maximum(np.abs(actual - expected) - DOUBLE_TOLERANCE * np.abs(expected).max(), 0) / stored.half_places(expected)).max()


def check(libraries, case, order):
    rng = np.random.default_rng(case["seed"])
    stored = Stored(case["stored"])
    B, G, group, D, J, E = (case[k] for k in "B G group D J E".split())
    N = G * group

    def normal(*shape, scale=1.0, offset=0):
        return stored.narrowed(rng.standard_normal(shape) * scale, offset)

    u = normal(B, N, D, offset=case["offset"])
    weight = normal(G, J, D, E, scale=0.5 / np.sqrt(D), offset=case["offset"])
    bias = normal(J, E, scale=0.3, offset=case["offset"]) if case["bias"] else None
    logits = None if case["logits"] == 0 else normal(*((N, J) if case["logits"] == 2 else (B, N, J)), offset=case["offset"])
    upstream = allocate((B, J, E))
    upstream[...] = rng.standard_normal((B, J, E))
    options = dict(iterations=case["iterations"], leaky=case["leaky"], through_all=case["all"])
    device = Emulation(libraries[stored.name], stored, case["multiprocessors"], order)
    routing = Routing(device, u, weight, bias, logits, **options)
    v = routing.forward()
    actual = [v, *routing.backward(upstream)]
    expected = reference.route(*map(stored.widened, (u, weight, bias, logits)), upstream=upstream, **options)
    worst = 0.0
    for name, a, e in zip(["v", "du", "dweight", "dbias", "dlogits"], actual, expected):
        if e is None and a is None:
            continue
        if name == "v" or stored.name == "float32":
            difference = error(a, e)
            worst = max(worst, difference)
            agrees = difference < DOUBLE_TOLERANCE
        else:
            difference = places(stored, stored.widened(a), e)
            agrees = difference <= 1 + 1e-4       # bfloat16 by way of float32
        if not agrees:
            raise AssertionError(f"{name} differs by {difference:.3g} in {case}, thread order {order}")
    return worst, actual, device.launches


def random_case(seed, small, stored):
    r = random.Random(seed)
    B = r.choice([1, 2, 3, 7] if small else [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33, 41])
    J, E = r.choice([(1, 1), (2, 3), (10, 16), (9, 13), (5, 16), (3, 4), (11, 16), (32, 16), (17, 5), (16, 32), (12, 20), (10, 64), (7, 33),
                     (10, 8)])
    return dict(
        B=B, G=r.choice([1, 2, 3] if small else [1, 2, 3, 5, 8, 13, 21]), group=r.choice([1, 1, 2, 5]),
        D=r.choice([1, 2, 3, 4, 7, 8, 9, 12, 16]), J=J, E=E, iterations=r.choice([0, 1, 2, 3] if small else [0, 1, 2, 3, 4, 5]),
        bias=r.random() < 0.5, logits=r.choice([0, 0, 2, 3]), leaky=r.random() < 0.4, all=r.random() < 0.7,
        multiprocessors=r.choice(MULTIPROCESSORS), offset=r.choice([0, 0, 1, 2]), seed=seed, stored=stored)


def served(case):
    try:
        Plan(case["B"], case["G"] * case["group"], case["D"], case["J"], case["E"], case["group"], 1, case["multiprocessors"])
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
    parser.add_argument("--libraries", nargs=len(TYPES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.libraries is None:
        sanitizer = "address,undefined" if options.sanitize else "thread" if options.threads else None
        flags = [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=undefined"] if sanitizer else []
        flags += ["-DEMULATED_THREADS"] if options.threads else []
        with tempfile.TemporaryDirectory() as folder:
            libraries = [build(folder, options.compiler, flags, stored) for stored in TYPES]
            command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--libraries", *libraries]
            environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
            if sanitizer:
                runtime = "libasan.so" if options.sanitize else "libtsan.so"
                path = subprocess.run([options.compiler, f"-print-file-name={runtime}"], capture_output=True, text=True, check=True).stdout
                environment.update(LD_PRELOAD=path.strip(), ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0",
                                   TSAN_OPTIONS="exitcode=66:halt_on_error=1")
            sys.exit(subprocess.run(command, env=environment).returncode)

    started, worst, launches, done, seed = time.time(), 0.0, 0, 0, options.seed * 10000
    libraries = dict(zip(TYPES, options.libraries))
    while done < options.cases:
        seed += 1
        case = random_case(seed, options.threads, TYPES[done % len(TYPES)])
        if not served(case):
            continue
        difference, first, count = check(libraries, case, 0)
        worst, launches, done = max(worst, difference), launches + count, done + 1
        if not options.threads:
            order = 1 + done % 2
            _, again, _ = check(libraries, case, order)
            if not all(a is b is None or np.array_equal(a, b) for a, b in zip(first, again)):
                raise AssertionError(f"The results depend on the order of the threads in {case}")
    print(f"{done} cases, {launches} launches: largest error {worst:.2g} of float64, in {time.time() - started:.0f} s"
          f"{', address and undefined-behaviour sanitizers clean' if options.sanitize else ''}"
          f"{', thread sanitizer clean' if options.threads else ''}.")


if __name__ == "__main__":
    main()
