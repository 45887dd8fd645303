#!/bin/sh
# Compiles routing.cu to PTX for compute capability 7.0 and later, which the driver translates for the card at hand: once for each type
# of numbers in memory (stored.cuh), to routing.TYPE.ptx.gz, which the library carries. With clang (no CUDA toolkit needed) or nvcc,
# whichever is there; COMPILER chooses. The PTX begins with the hash of its sources, which a test compares.
set -e
cd "$(dirname "$0")"
export LC_ALL=C                     # the order of the sources, which their hash depends on
hash=$(cat *.cu *.cuh | sha256sum | cut -d ' ' -f 1)
result=$(mktemp)
trap 'rm -f "$result"' EXIT

compiler=${COMPILER:-$(command -v clang || command -v clang-14 || command -v nvcc || true)}
[ -n "$compiler" ] || { echo 'build.sh: there is neither clang nor nvcc. Name a compiler in COMPILER.' >&2; exit 1; }
for type in float32 bfloat16 float16; do
    stored=-DSTORED_$(echo $type | tr a-z A-Z)
    case "$compiler" in
    *clang*)
        "$compiler" -x cuda --cuda-device-only --cuda-gpu-arch=sm_70 -nocudainc -nocudalib -Xclang -target-feature -Xclang +ptx63 \
            -std=c++14 -O3 $stored -S routing.cu -o "$result"
        ;;
    *)
        "$compiler" -ptx -arch=compute_70 -std=c++14 -O3 $stored routing.cu -o "$result"
        ;;
    esac

    # Bytes that depend on the sources and the compiler alone: no time in the gzip header, no blank lines, no trailing comments.
    {
        echo "// source sha256 $hash"
        echo "// stored as $type"
        sed -e 's/[[:space:]]*$//' -e '/^$/d' "$result"
    } | gzip -9n > routing.$type.ptx.gz
    echo "routing.$type.ptx.gz: $(wc -c < routing.$type.ptx.gz) bytes, sources $hash"
done
