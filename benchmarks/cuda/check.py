#!/usr/bin/env python3
"""Proves and measures routing.cu on a GPU where PyTorch and NumPy are, without .NET.

Loads the PTX that the library carries (or what nvcc makes of the source, --nvcc), launches it as the library does, compares values and
gradients with PyTorch in float64, for float32, bfloat16 and float16 tensors, and times forward and backward against PyTorch op by op and
torch.compile, beside the card's copy bandwidth and matrix product measured in the same run. --sanitizer runs a part of the comparison
under compute-sanitizer as well. --cpu-selftest tries all of this script but the GPU on a machine without one: the kernels are emulated
(see emulate.py).
"""
import argparse
import ctypes
import gzip
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import torch

import emulate
from routing import LAYOUTS, Routing

SOURCE = emulate.SOURCE
TOLERANCE = 1e-5
MNIST = (128, 1152, 10, 8, 16)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ROUNDED = {"float32": 0.0, "bfloat16": 2.0 ** -8, "float16": 2.0 ** -11}       # what rounding once adds to a gradient's error


# The two machines: a GPU through its driver, and the emulation.

class Driver:
    """CUDA's driver on PyTorch's context and stream."""

    real, torch_device = ctypes.c_float, "cuda"

    def __init__(self, ptx, stored):
        torch.cuda.init()
        torch.zeros(1, device="cuda")        # makes the context current
        self.cuda = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        self.multiprocessors = torch.cuda.get_device_properties(0).multi_processor_count
        self.stored, self.module, self.functions = stored, ctypes.c_void_p(), {}
        started = time.time()
        self.call("cuModuleLoadData", ctypes.byref(self.module), ctypes.c_char_p(ptx))
        self.load_seconds = time.time() - started

    def call(self, name, *arguments):
        result = getattr(self.cuda, name)(*arguments)
        if result != 0:
            text = ctypes.c_char_p()
            self.cuda.cuGetErrorString(result, ctypes.byref(text))
            raise RuntimeError(f"{name} failed with {result}: {(text.value or b'?').decode()}")

    def function(self, name):
        if name not in self.functions:
            function = ctypes.c_void_p()
            self.call("cuModuleGetFunction", ctypes.byref(function), self.module, name.encode())
            self.functions[name] = function
        return self.functions[name]

    def attribute(self, name, which):
        value = ctypes.c_int()
        self.call("cuFuncGetAttribute", ctypes.byref(value), which, self.function(name))
        return value.value

    def launch(self, name, grid, threads, shared, arguments):
        pointers = (ctypes.c_void_p * 1)(ctypes.addressof(arguments))
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        self.call("cuLaunchKernel", self.function(name), grid[0], grid[1], 1, threads, 1, 1, shared, stream, pointers, None)

    def synchronize(self):
        torch.cuda.synchronize()

    def milliseconds(self, action, repeats, warm_up):
        """The median time on the device."""
        for _ in range(warm_up):
            action()
        times = []
        for _ in range(repeats):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            action()
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end))
        return statistics.median(times)


class Emulated:
    """The emulation in float32; its times say nothing about a GPU."""

    real, torch_device, multiprocessors = ctypes.c_float, "cpu", 4

    def __init__(self, library, stored):
        self.function, self.stored = ctypes.CDLL(library).capsules_emulate, stored

    def launch(self, name, grid, threads, shared, arguments):
        message = ctypes.create_string_buffer(256)
        if self.function(name.encode(), grid[0], grid[1], threads, shared, ctypes.byref(arguments), 0, message):
            raise RuntimeError(message.value.decode())

    def synchronize(self):
        pass

    def milliseconds(self, action, repeats, warm_up):
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            action()
            times.append(1000 * (time.perf_counter() - started))
        return statistics.median(times)


class Tensors:
    """Device memory as PyTorch's tensors, for routing.Routing."""

    def __init__(self, machine, poison=False):
        self.machine, self.poison, self.dtype = machine, poison, DTYPES[machine.stored]
        self.real, self.multiprocessors, self.launch = machine.real, machine.multiprocessors, machine.launch

    def empty(self, *shape):
        return self.allocate(shape, torch.float32)

    def empty_stored(self, *shape):
        return self.allocate(shape, self.dtype)

    def allocate(self, shape, dtype):
        tensor = torch.empty(*shape, dtype=dtype, device=self.machine.torch_device)
        return tensor.fill_(float("nan")) if self.poison else tensor

    def pointer(self, tensor):
        return self.address(tensor, torch.float32)

    def stored_pointer(self, tensor):
        return self.address(tensor, self.dtype)

    def address(self, tensor, dtype):
        if tensor is None:
            return None
        assert tensor.is_contiguous() and tensor.dtype == dtype
        return tensor.data_ptr()

    def total(self, tensor, axis):
        return tensor.sum(axis)

    def narrowed(self, tensor):
        return tensor.to(self.dtype)


# PyTorch's way, op by op.

def squash(s):
    square = (s * s).sum(-1, keepdim=True)
    return s * (torch.sqrt(square + 1e-30) / (1 + square))


def eager(u, weight, bias=None, logits=None, iterations=3, leaky=False, through_all=True):
    B, N, _ = u.shape
    wide = weight if weight.shape[0] == N else weight.repeat_interleave(N // weight.shape[0], 0)
    votes = torch.einsum("bnd,njde->bnje", u, wide)
    b = torch.zeros(B, N, weight.shape[1], dtype=u.dtype, device=u.device)
    if logits is not None and iterations > 0:
        b = b + logits
    last = max(iterations, 1) - 1
    for t in range(last + 1):
        if leaky:
            c = torch.softmax(torch.cat([torch.zeros_like(b[..., :1]), b], -1), -1)[..., 1:]
        else:
            c = torch.softmax(b, -1)
        if not through_all:
            c = c.detach()
        s = torch.einsum("bnj,bnje->bje", c, votes)
        v = squash(s if bias is None else s + bias)
        if t < last:
            b = b + torch.einsum("bnje,bje->bnj", votes, v)
    return v


# The comparison.

def problem(machine, B, G, group, D, J, E, bias=False, logits=0, seed=1):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    N = G * group
    tensors = [normal(B, N, D), normal(G, J, D, E) * (0.25 / D ** 0.5), normal(J, E) * 0.3 if bias else None,
               None if logits == 0 else normal(N, J) if logits == 2 else normal(B, N, J)]
    inputs = [None if t is None else t.to(machine.torch_device, DTYPES[machine.stored]) for t in tensors]
    return inputs, normal(B, J, E).to(machine.torch_device)


def compare(machine, sizes, bias, logits, options, seed=1):
    inputs, upstream = problem(machine, *sizes, bias=bias, logits=logits, seed=seed)
    routing = Routing(Tensors(machine, poison=True), *inputs, **options)
    actual = [routing.forward(), *routing.backward(upstream)]
    machine.synchronize()
    wide = [None if t is None else t.double().requires_grad_(True) for t in inputs]
    v = eager(*wide, **options)
    wanted = [t for t in wide if t is not None]
    found = iter(torch.autograd.grad(v, wanted, upstream.double(), allow_unused=True))
    expected = [v.detach(), *(None if t is None else next(found) for t in wide)]
    worst = 0.0
    for name, a, e in zip(["v", "du", "dweight", "dbias", "dlogits"], actual, expected):
        if a is None:
            continue
        size = e.norm().item()
        difference = (a.double() - e).norm().item() / (size if size > 0 else 1)
        rounding = 0.0 if name == "v" else ROUNDED[machine.stored]
        if not difference < TOLERANCE + rounding:
            raise AssertionError(
                f"{name} in {machine.stored} differs by {difference:.3g}: sizes (B, G, group, D, J, E) = {sizes}, {options}")
        worst = max(worst, difference)
    again = Routing(Tensors(machine, poison=True), *inputs, **options)
    for first, second in zip(actual, [again.forward(), *again.backward(upstream)]):
        if first is not None and not torch.equal(first, second):
            raise AssertionError(f"Two runs differ: sizes {sizes}, {options}")
    return worst


def comparisons(small):
    default = dict(iterations=3, leaky=False, through_all=True)
    cases = [
        ((9, 5, 1, 8, 10, 16), True, 0, default),
        ((17, 3, 2, 7, 9, 13), True, 3, dict(iterations=4, leaky=True, through_all=True)),
        ((3, 4, 3, 8, 32, 16), False, 2, default),
        ((5, 6, 1, 9, 12, 20), True, 2, dict(iterations=2, leaky=False, through_all=True)),
        ((2, 5, 1, 4, 7, 33), False, 0, dict(iterations=5, leaky=False, through_all=True)),
        ((5, 6, 1, 8, 10, 16), True, 2, dict(iterations=3, leaky=True, through_all=False)),
        ((4, 3, 1, 2, 3, 5), True, 0, dict(iterations=1, leaky=False, through_all=True)),
        ((4, 3, 1, 2, 3, 5), False, 0, dict(iterations=0, leaky=True, through_all=True)),
    ]
    if not small:
        cases += [
            ((128, 1152, 1, 8, 10, 16), True, 0, default),
            ((1, 1152, 1, 8, 10, 16), False, 0, default),
            ((100, 32, 36, 8, 10, 16), True, 2, default),
            ((530, 8, 1, 8, 10, 16), False, 3, default),
            ((65, 50, 1, 16, 16, 32), True, 0, default),
            ((65, 50, 1, 8, 10, 64), True, 0, default),
            ((2, 9216, 1, 8, 10, 16), True, 0, default),
        ]
    return cases


def agree(machine, small):
    worst = 0.0
    for sizes, bias, logits, options in comparisons(small):
        worst = max(worst, compare(machine, sizes, bias, logits, options))
    print(f"{len(comparisons(small))} problems in {machine.stored} agree with PyTorch in float64: largest relative error {worst:.2g}, "
          "rounding of 16-bit gradients included; two runs give the same bits.")


# The measurement.

def ceilings(machine, small):
    """Bytes per second of a copy, reads and writes, and float32 operations per second of a matrix product."""
    torch.backends.cuda.matmul.allow_tf32 = False
    count, side = (1 << 16, 64) if small else (1 << 28, 8192)
    source = torch.randn(count, device=machine.torch_device)
    target = torch.empty_like(source)
    copy = 8 * count / machine.milliseconds(lambda: target.copy_(source), 10, 3) * 1e3
    a = torch.randn(side, side, device=machine.torch_device)
    product = 2 * side ** 3 / machine.milliseconds(lambda: a @ a, 5, 2) * 1e3
    print(f"copy {copy / 1e9:.0f} GB/s (reads and writes), float32 matrix product {product / 1e12:.2f} Tflop/s")
    return copy, product


def least(B, N, J, D, E, iterations, backward, bytes_each):
    """The fewest bytes and the operations: each input read once and each result written once; each pass makes every vote anew."""
    votes = B * N * J * E
    size = bytes_each * (B * N * D + N * J * D * E)
    making = 2 * D * votes
    operations = making + (iterations - 1) * (making + 4 * votes)
    if backward:
        operations += (iterations - 1) * (making + 6 * votes)                # the agreement passes
        # The votes, du and dW; then what multiplies the votes, and what combines the vectors.
        operations += 3 * making + (2 * (2 * iterations - 2) + 2 * (2 * iterations - 1)) * votes
    return size * (3 if backward else 1) + 4 * B * J * E, operations


def measure(machine, shape, copy, product, small, compiled):
    B, N, J, D, E = shape
    inputs, upstream = problem(machine, B, N, 1, D, J, E, bias=True)
    repeats, warm_up = (2, 0) if small else (50, 10)

    def forward():
        return Routing(Tensors(machine), *inputs).forward(save=False)

    def both():
        routing = Routing(Tensors(machine), *inputs)
        routing.forward()
        return routing.backward(upstream)

    leaves = [t.clone().requires_grad_(True) for t in inputs[:3]]
    peer_upstream = upstream.to(leaves[0].dtype)

    def peer_forward(function):
        with torch.no_grad():
            return function(*inputs[:3])

    def peer_both(function):
        return torch.autograd.grad(function(*leaves), leaves, peer_upstream)

    rows = [("fused kernel", machine.milliseconds(forward, repeats, warm_up), machine.milliseconds(both, repeats, warm_up))]
    peers = [("PyTorch op by op", eager)] + ([("torch.compile", torch.compile(eager))] if compiled else [])
    for name, function in peers:
        try:
            rows.append((name, machine.milliseconds(lambda: peer_forward(function), repeats, warm_up),
                         machine.milliseconds(lambda: peer_both(function), repeats, warm_up)))
        except Exception as error:      # a peer that runs out of memory or does not compile is a result too
            print(f"  {name}: {str(error).splitlines()[0][:100]}")
    print(f"B, N, J, D, E = {shape}, {machine.stored}")
    for name, f, fb in rows:
        print(f"  {name:18} forward {f:9.3f} ms ({f / rows[0][1]:5.1f} x)   forward + backward {fb:9.3f} ms ({fb / rows[0][2]:5.1f} x)")
    for name, backward, milliseconds in (("forward", False, rows[0][1]), ("forward + backward", True, rows[0][2])):
        size, operations = least(*shape, 3, backward, inputs[0].element_size())
        floor = 1e3 * max(size / copy, operations / product)
        print(f"  {name}: at least {size / 1e6:.0f} MB and {operations / 1e9:.2f} Gflop, {floor:.3f} ms at this run's rates: "
              f"the kernel reaches {floor / milliseconds:.0%}")
    if machine.torch_device == "cuda":
        memory(both, shape)


def memory(both, shape):
    B, N, J, _, E = shape
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    results = both()
    torch.cuda.synchronize()
    kept = sum(t.numel() * t.element_size() for t in results if t is not None)
    extra = torch.cuda.max_memory_allocated() - before - kept
    share = extra / (4 * B * N * J * E)
    print(f"  peak of extra memory beside the gradients {extra / 2 ** 20:.1f} MiB, {share:.1%} of u_hat in float32")

    # From 80 input capsules an iteration on: docs/gpu-kernel.md.
    # PyTorch rounds each of some twenty blocks up to 512 bytes.
    if N >= 80 * 3 and extra - 20 * 512 > 0.1 * 4 * B * N * J * E:
        raise SystemExit("That is more than the tenth of u_hat that docs/gpu.md promises.")


def sanitize():
    tool = shutil.which("compute-sanitizer")
    if tool is None:
        print("compute-sanitizer is not on PATH: not run.")
        return
    for check in ("memcheck", "racecheck", "initcheck", "synccheck"):
        command = [tool, "--tool", check, "--error-exitcode", "9", "--kernel-regex", "kns=capsules"]
        result = subprocess.run([*command, sys.executable, os.path.abspath(__file__), "--small"], capture_output=True, text=True)
        print(f"compute-sanitizer {check}: {'clean' if result.returncode == 0 else 'FAILED'}")
        if result.returncode != 0:
            print((result.stdout + result.stderr)[-3000:])
            sys.exit(1)


def embedded(stored):
    with gzip.open(os.path.join(SOURCE, f"routing.{stored}.ptx.gz"), "rb") as file:
        ptx = file.read()
    names = sorted(name for name in os.listdir(SOURCE) if name.endswith(".cu"))
    names += sorted(name for name in os.listdir(SOURCE) if name.endswith(".cuh"))
    digest = hashlib.sha256()
    for name in names:
        with open(os.path.join(SOURCE, name), "rb") as file:
            digest.update(file.read())
    if not ptx.startswith(f"// source sha256 {digest.hexdigest()}\n// stored as {stored}\n".encode()):
        raise SystemExit(f"routing.{stored}.ptx.gz does not belong to the sources: run build.sh beside them.")
    return ptx


def from_nvcc(stored):
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "routing.ptx")
        capability = "".join(map(str, torch.cuda.get_device_capability()))
        source = os.path.join(SOURCE, "routing.cu")
        command = ["nvcc", "-ptx", f"-arch=compute_{capability}", "-std=c++14", "-O3", f"-DSTORED_{stored.upper()}", source, "-o", target]
        subprocess.run(command, check=True)
        with open(target, "rb") as file:
            return file.read()


def describe(machine):
    print(f"{torch.cuda.get_device_name(0)}, {machine.multiprocessors} multiprocessors, PyTorch {torch.__version__}; "
          f"kernels for {machine.stored} loaded in {machine.load_seconds:.1f} s")
    print("registers / bytes of local memory of the kernels:")
    for kind in ("uniform", "coupled", "agreement", "gradient"):
        names = [(l.name, f"capsules_routing_{kind}_{l.name}") for l in LAYOUTS]
        values = [f"{short} {machine.attribute(name, 4)}/{machine.attribute(name, 3)}" for short, name in names]
        print(f"  {kind:10} {'  '.join(values)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu-selftest", action="store_true", help="this script without a GPU, the kernels emulated")
    parser.add_argument("--nvcc", action="store_true", help="compile the source with nvcc rather than take the library's PTX")
    parser.add_argument("--small", action="store_true", help="small comparisons alone")
    parser.add_argument("--sanitizer", action="store_true", help="run compute-sanitizer over the small comparisons first")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args()
    if options.cpu_selftest:
        with tempfile.TemporaryDirectory() as folder:
            compiler = shutil.which("g++") or "clang++"
            machines = [Emulated(emulate.build(folder, compiler, ["-DEMULATED_REAL=float"], stored), stored) for stored in DTYPES]
            for machine in machines:
                embedded(machine.stored)
                agree(machine, small=True)
            copy, product = ceilings(machines[0], small=True)
            measure(machines[0], (9, 6, 10, 8, 16), copy, product, small=True, compiled=False)
            print("The script works. These times are the emulation's and say nothing about a GPU.")
        return

    if options.sanitizer:
        sanitize()
    machines = [Driver(from_nvcc(stored) if options.nvcc else embedded(stored), stored) for stored in DTYPES]
    if not options.small:
        for machine in machines:
            describe(machine)
    for machine in machines:
        agree(machine, options.small)
    if options.small:
        return
    machine = machines[0]
    copy, product = ceilings(machine, small=False)
    for shape in (MNIST, (4096, *MNIST[1:]), (512, 9216, 10, 8, 16), (100, 512, 5, 8, 16)):
        # Compiling takes longer than all the rest: once is enough.
        compiled = shape == MNIST and not options.no_compile and hasattr(torch, "compile")
        measure(machine, shape, copy, product, small=False, compiled=compiled)
    for machine in machines[1:]:
        measure(machine, MNIST, copy, product, small=False, compiled=False)


if __name__ == "__main__":
    main()
