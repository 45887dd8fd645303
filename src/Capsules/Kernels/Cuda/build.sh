#!/bin/sh
# Compiles routing.cu to PTX for compute capability 7.0 and later, which the driver translates for the card at hand, and writes
# routing.ptx.gz, which the library carries. With clang (no CUDA toolkit needed) or nvcc, whichever is there; COMPILER chooses.
# The PTX begins with the hash of its sources, which a test compares.
set -e
cd "$(dirname "$0")"
sources="routing.cu device.cuh"
hash=$(cat $sources | sha256sum | cut -d ' ' -f 1)
result=$(mktemp)
trap 'rm -f "$result"' EXIT

compiler=${COMPILER:-$(command -v clang || command -v clang-14 || command -v nvcc || true)}
[ -n "$compiler" ] || { echo 'build.sh: there is neither clang nor nvcc. Name a compiler in COMPILER.' >&2; exit 1; }
case "$compiler" in
*clang*)
    "$compiler" -x cuda --cuda-device-only --cuda-gpu-arch=sm_70 -nocudainc -nocudalib -Xclang -target-feature -Xclang +ptx63 \
        -std=c++14 -O3 -S routing.cu -o "$result"
    ;;
*)
    "$compiler" -ptx -arch=compute_70 -std=c++14 -O3 routing.cu -o "$result"
    ;;
esac

# Bytes that depend on the sources and the compiler alone: no time in the gzip header, no blank lines, no trailing comments.
{
    echo "// source sha256 $hash"
    sed -e 's/[[:space:]]*$//' -e '/^$/d' "$result"
} | gzip -9n > routing.ptx.gz
echo "routing.ptx.gz: $(wc -c < routing.ptx.gz) bytes, sources $hash"
