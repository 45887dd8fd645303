#!/usr/bin/env bash
# publish.sh [FOLDER]: the sample, the benchmarks and the tests in one folder that needs no .NET and carries no libtorch, for verify.sh
# on a machine with an NVIDIA GPU and PyTorch. Default: artifacts/gpu. RID names another platform than linux-x64.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=${1:-artifacts/gpu} rid=${RID:-linux-x64}

for project in src/Capsules.Samples benchmarks/Capsules.Benchmarks tests/Capsules.Tests tests/Capsules.Samples.Tests; do
  dotnet publish "$project" -c Release -r "$rid" --self-contained -p:TorchBackend=external -o "$out/app"
done

# What only other systems, BenchmarkDotNet's own tool chains and compare-onnx need: a third of the folder.
rm -rf "$out"/app/{amd64,x86,arm64,Microsoft.CodeCoverage} "$out"/app/{onnxruntime*.dll,libonnxruntime*.so,libcapstone.so,Iced.dll,libmscordaccore.so,libmscordbi.so}
rm -f "$out"/app/Microsoft.CodeAnalysis*.dll "$out"/app/Microsoft.Diagnostics.*.dll "$out"/app/*.pdb
cp -r benchmarks/cuda "$out/"
cp src/Capsules/Kernels/Cuda/*.{cu,cuh,ptx.gz} "$out/cuda/"      # check.py finds them beside it
echo "$out: $(du -sm "$out" | cut -f1) MB. On the other machine: cuda/verify.sh, in this folder."
