"""Reads a safetensors file by the published description of the format alone, and prints its metadata and tensors as JSON.

    python3 read.py FILE        # needs nothing but Python 3.6; SafetensorsTests runs it on files that the library wrote

Whatever the description does not allow ends in an AssertionError.
"""
import json
import math
import struct
import sys

# Bytes of an element, and struct's letter for it. bfloat16 is the upper half of a float32; a complex number is two of them.
DTYPES = {"BOOL": (1, "?"), "U8": (1, "B"), "I8": (1, "b"), "I16": (2, "h"), "I32": (4, "i"), "I64": (8, "q"),
          "F16": (2, "e"), "BF16": (2, "H"), "F32": (4, "f"), "F64": (8, "d"), "C64": (8, "f")}


def values(dtype, data):
    size, letter = DTYPES[dtype]
    count = len(data) // struct.calcsize(letter)
    numbers = struct.unpack("<%d%s" % (count, letter), data)
    if dtype == "BF16":
        numbers = struct.unpack("<%df" % count, b"".join(struct.pack("<I", n << 16) for n in numbers))
    return [n if math.isfinite(n) else str(n) for n in numbers]


with open(sys.argv[1], "rb") as file:
    content = file.read()
length, = struct.unpack("<Q", content[:8])
assert length <= len(content) - 8
text, data = content[8:8 + length].decode("utf-8"), content[8 + length:]
assert text[0] == "{" and text.rstrip(" ")[-1] == "}"
header = json.loads(text, object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else sys.exit("a name twice"))
metadata = header.pop("__metadata__", {})
assert all(isinstance(value, str) for value in metadata.values())
end, tensors = 0, {}
for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
    assert set(entry) == {"dtype", "shape", "data_offsets"}
    start, stop = entry["data_offsets"]
    elements = 1
    for n in entry["shape"]:
        elements *= n
    assert start == end and stop - start == elements * DTYPES[entry["dtype"]][0]
    end = stop
    tensors[name] = {"dtype": entry["dtype"], "shape": entry["shape"], "values": values(entry["dtype"], data[start:stop])}
assert end == len(data)
print(json.dumps({"metadata": metadata, "tensors": tensors}))
