#!/bin/sh
# Compiles routing.cu to PTX for compute capability 7.0 and later, which the driver translates for the card at hand: once for each type
# of numbers in memory (stored.cuh), to routing.TYPE.ptx.gz, which the library carries. With clang, which needs no CUDA toolkit: "clang" or
# "clang-14" on PATH, or the one in COMPILER. Not with nvcc: CudaPtxTests read instructions and parameters as clang writes them. The PTX
# begins with the hash of its sources, which a test compares.
set -e
cd "$(dirname "$0")"
export LC_ALL=C                     # the order of the sources, which their hash depends on
hash=$(cat *.cu *.cuh | sha256sum | cut -d ' ' -f 1)
result=$(mktemp)
trap 'rm -f "$result"' EXIT

compiler=${COMPILER:-$(command -v clang || command -v clang-14 || true)}
case $("$compiler" --version 2>&1 || true) in
*"clang version"*) ;;
*) echo "build.sh: ${compiler:-what is on PATH} is no clang. Name one in COMPILER." >&2; exit 1 ;;
esac
for type in float32 bfloat16 float16; do
    stored=-DSTORED_$(echo $type | tr a-z A-Z)
    "$compiler" -x cuda --cuda-device-only --cuda-gpu-arch=sm_70 -nocudainc -nocudalib -Xclang -target-feature -Xclang +ptx63 \
        -std=c++14 -O3 $stored -S routing.cu -o "$result"

    # Bytes that depend on the sources and the compiler alone: no time in the gzip header, no blank lines, no trailing comments.
    {
        echo "// source sha256 $hash"
        echo "// stored as $type"
        sed -e 's/[[:space:]]*$//' -e '/^$/d' "$result"
    } | gzip -9n > routing.$type.ptx.gz
    echo "routing.$type.ptx.gz: $(wc -c < routing.$type.ptx.gz) bytes, sources $hash"
done
