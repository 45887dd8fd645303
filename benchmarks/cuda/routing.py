"""The launches of routing.cu in Python: the same plan as src/Capsules/Kernels/Cuda/CudaRoutingPlan.cs, over any device that launches.

u, weight, bias, logits and their gradients are of the device's stored type, all else is real."""
import ctypes
from collections import namedtuple

SHARED_FLOATS = 12288        # 48 KiB, what every card gives without being asked
WARPS = 4                    # of a block that passes over input capsules
RESIDENT_BLOCKS = 3          # of those on one multiprocessor

Layout = namedtuple("Layout", "name capsules entries row_groups piece lane_columns columns")
LAYOUTS = [
    Layout("J10E16", 10, 16, 4, 8, 20, 160),
    Layout("J32E16", 32, 16, 1, 4, 16, 512),
    Layout("J16E32", 16, 32, 1, 4, 16, 512),
    Layout("J10E64", 10, 64, 1, 4, 20, 640),
]


def ceil_div(a, b):
    return -(-a // b)


class Plan:
    """Which kernels serve so many capsules, and how many blocks of what size."""

    def __init__(self, B, N, D, J, E, group_size, passes, multiprocessors):
        self.B, self.N, self.D, self.J, self.E, self.group_size = B, N, D, J, E, group_size
        self.layout = next((l for l in LAYOUTS if J <= l.capsules and E <= l.entries), None)
        if self.layout is None:
            raise ValueError(f"No layout serves J = {J} capsules of E = {E} entries.")
        layout = self.layout
        stride = D * layout.entries
        weight = J * (stride + 16 if stride % 32 == 0 else stride)

        # The passes that sum over the input capsules.
        warp_rows = 2 * layout.row_groups
        self.row_warps = 1
        while self.row_warps < (2 if layout.row_groups > 1 else WARPS) and self.row_warps * warp_rows < B:
            self.row_warps *= 2
        tile_rows = self.row_warps * warp_rows
        slot = weight + D * tile_rows
        self.slots = min(WARPS // self.row_warps, SHARED_FLOATS // slot)
        warp = weight + layout.row_groups * ceil_div(D, 4) * 4 + (layout.row_groups * (layout.columns + 8) if layout.row_groups > 1 else 0)
        self.gradient_warps = min(WARPS, SHARED_FLOATS // warp)
        if self.slots == 0 or self.gradient_warps == 0:
            raise ValueError(f"One input capsule's weights, D = {D} by J = {J} by E = {E}, do not fit into shared memory.")
        self.pass_threads = 32 * self.row_warps * self.slots
        exchange = self.row_warps * 32 * 2 * layout.lane_columns if self.slots > 1 else 0
        self.pass_shared = 4 * max(self.slots * slot, exchange)
        self.row_tiles = ceil_div(B, tile_rows)
        resident = multiprocessors * RESIDENT_BLOCKS
        parts = resident * (2 if self.row_tiles > resident // 2 else 1) // self.row_tiles
        most = max(min(N, 8), N // 16)
        parts = max(1, min(parts, most, 65535))
        self.chunk = ceil_div(ceil_div(N, parts), self.slots) * self.slots
        self.parts = ceil_div(N, self.chunk)

        # The pass that writes the gradients.
        self.gradient_threads = 32 * self.gradient_warps
        self.gradient_shared = 4 * self.gradient_warps * warp
        target = resident * WARPS
        units = N // group_size * ceil_div(D, layout.piece)
        budget, weights, logits = max(most, N // 10 - 3 * passes - 1) * B * J * E, N // group_size * J * D * E, N * J
        chunks = max(1, min(target // units, group_size, budget // weights - 1))
        self.gradient_chunk = ceil_div(group_size, chunks)
        self.chunks = ceil_div(group_size, self.gradient_chunk)
        units *= self.chunks
        affordable = (budget - weights - logits) // (self.chunks * weights + logits)
        row_parts = max(1, min(target // units, ceil_div(B, layout.row_groups), affordable))
        self.rows = ceil_div(ceil_div(B, row_parts), layout.row_groups) * layout.row_groups
        self.row_parts = ceil_div(B, self.rows)
        self.gradient_blocks = ceil_div(units, self.gradient_warps)

        self.vector_blocks = ceil_div(B * J, 8)


def structures(real):
    """The kernels' arguments, as in arguments.cuh."""
    pointer, number, big = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong

    def make(name, fields):
        return type(name, (ctypes.Structure,), {"_fields_": fields})

    def ints(names):
        return [(n, number) for n in names.split()]

    def pointers(names):
        return [(n, pointer) for n in names.split()]

    return namedtuple("Structures", "Pass Finish Start Step Gradient")(
        make("Pass", pointers("u weight logits v ds partials") + [("logitsStride", big)]
             + ints("B N D J E groupSize leaky rowWarps chunk padding")),
        make("Finish", pointers("partials bias s v output") + [("scale", real)] + ints("parts B J E first")),
        make("Start", pointers("s upstream v ds") + ints("iterations all B J E padding")),
        make("Step", pointers("partials s running ds") + ints("parts B J E first padding")),
        make("Gradient", pointers("u weight logits v ds first inputGradient weightGradient weightParts logitsGradient logitsParts")
             + [("logitsStride", big)]
             + ints("B N D J E groupSize leaky pairs all chunk rows padding")))


class Routing:
    """One problem on one device. The device has launch(name, grid, threads, shared, arguments), empty(*shape), pointer(array), both also
    for stored numbers, total(array, axis) and narrowed(array), from real to stored, real and multiprocessors."""

    def __init__(self, device, u, weight, bias=None, logits=None, iterations=3, leaky=False, through_all=True):
        self.device, self.u, self.weight, self.bias = device, u, weight, bias
        self.logits = logits if iterations > 0 else None
        self.unused_logits = logits if iterations == 0 else None
        B, N, D = u.shape
        G, J, _, E = weight.shape
        self.passes, self.leaky, self.all = max(iterations, 1), int(leaky), int(through_all)
        self.plan = Plan(B, N, D, J, E, N // G, self.passes, device.multiprocessors)
        self.structures = structures(device.real)
        self.logits_stride = N * J if self.logits is not None and len(self.logits.shape) == 3 else 0

    def sizes(self):
        p = self.plan
        return dict(B=p.B, N=p.N, D=p.D, J=p.J, E=p.E, groupSize=p.group_size)

    def vote_pass(self, kind, partials, v=None, ds=None):
        p, at, stored = self.plan, self.device.pointer, self.device.stored_pointer
        arguments = self.structures.Pass(
            u=stored(self.u), weight=stored(self.weight), logits=stored(self.logits), v=at(v), ds=at(ds), partials=at(partials),
            logitsStride=self.logits_stride, leaky=self.leaky, rowWarps=p.row_warps, chunk=p.chunk, **self.sizes())
        self.device.launch(f"capsules_routing_{kind}_{p.layout.name}", (p.row_tiles, p.parts), p.pass_threads, p.pass_shared, arguments)

    def forward(self, save=True):
        p, at, empty = self.plan, self.device.pointer, self.device.empty
        partials, output = empty(p.parts, p.B, p.J, p.E), empty(p.B, p.J, p.E)
        self.s = empty(self.passes, p.B, p.J, p.E) if save else None
        v = empty(p.B, p.J, p.E) if self.passes > 1 else None
        for t in range(self.passes):
            last, uniform = t == self.passes - 1, t == 0 and self.logits is None
            self.vote_pass("uniform" if uniform else "coupled", partials, v if t > 0 else None)
            arguments = self.structures.Finish(
                partials=at(partials), bias=self.device.stored_pointer(self.bias), s=at(self.s[t]) if save else None,
                v=None if last else at(v), output=at(output) if last else None, scale=1.0 / (p.J + self.leaky) if uniform else 1.0,
                parts=p.parts, B=p.B, J=p.J, E=p.E, first=int(t == 0))
            self.device.launch("capsules_routing_finish", (p.vector_blocks, 1), 256, 0, arguments)
        return output

    def backward(self, upstream):
        """The gradients of u, weight, bias and logits."""
        p, at, empty, total = self.plan, self.device.pointer, self.device.empty, self.device.total
        pairs = self.passes - 1 if self.all else min(self.passes - 1, 1)
        shape = (p.B, p.J, p.E)
        v, ds = empty(max(pairs, 1), *shape), empty(pairs + (1 if self.all or pairs == 0 else 0), *shape)
        arguments = self.structures.Start(
            s=at(self.s), upstream=at(upstream), v=at(v), ds=at(ds[max(pairs - 1, 0)]), iterations=self.passes, all=self.all,
            B=p.B, J=p.J, E=p.E)
        self.device.launch("capsules_routing_start", (p.vector_blocks, 1), 256, 0, arguments)
        if self.all and pairs > 0:
            self.pass_backwards(pairs, v, ds)

        # What one warp sums is written as it is stored; what several sum is added up first.
        stored, empty_stored, narrowed = self.device.stored_pointer, self.device.empty_stored, self.device.narrowed
        input_gradient = empty_stored(*self.u.shape)
        slots = p.chunks * p.row_parts
        weight_gradient = empty_stored(*self.weight.shape) if slots == 1 else None
        weight_parts = None if slots == 1 else empty(self.weight.shape[0], slots, p.J, p.D, p.E)
        logits_gradient, logits_parts = None, None
        if self.logits is not None and self.all:
            if self.logits_stride or p.row_parts == 1:
                logits_gradient = empty_stored(*self.logits.shape)
            else:
                logits_parts = empty(p.row_parts, p.N, p.J)
        arguments = self.structures.Gradient(
            u=stored(self.u), weight=stored(self.weight), logits=stored(self.logits), v=at(v), ds=at(ds),
            first=at(ds[pairs]) if self.all or pairs == 0 else None, inputGradient=stored(input_gradient),
            weightGradient=stored(weight_gradient), weightParts=at(weight_parts), logitsGradient=stored(logits_gradient),
            logitsParts=at(logits_parts), logitsStride=self.logits_stride, leaky=self.leaky, pairs=pairs, all=self.all,
            chunk=p.gradient_chunk, rows=p.rows, **self.sizes())
        name = f"capsules_routing_gradient_{p.layout.name}"
        self.device.launch(name, (p.gradient_blocks, p.row_parts), p.gradient_threads, p.gradient_shared, arguments)

        if weight_parts is not None:
            weight_gradient = narrowed(total(weight_parts, 1))
        if logits_parts is not None:
            logits_gradient = narrowed(total(logits_parts, 0))
        bias_gradient = narrowed(total(total(ds, 0), 0)) if self.bias is not None else None
        return input_gradient, weight_gradient, bias_gradient, logits_gradient

    def pass_backwards(self, pairs, v, ds):
        """From the last iteration to the second. A function of its own, so that its parts are let go before those of the gradients."""
        p, at, empty, shape = self.plan, self.device.pointer, self.device.empty, (self.plan.B, self.plan.J, self.plan.E)
        partials, running = empty(p.parts, *shape), empty(*shape)
        for pair in range(pairs - 1, -1, -1):
            self.vote_pass("agreement", partials, v[pair], ds[pair])
            arguments = self.structures.Step(
                partials=at(partials), s=at(self.s[pair]), running=at(running), ds=at(ds[pair - 1] if pair > 0 else ds[pairs]),
                parts=p.parts, B=p.B, J=p.J, E=p.E, first=int(pair == pairs - 1))
            self.device.launch("capsules_routing_step", (p.vector_blocks, 1), 256, 0, arguments)
