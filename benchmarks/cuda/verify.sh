#!/usr/bin/env bash
# verify.sh [RESULTS]: everything that needs an NVIDIA GPU, in 5 to 10 minutes by estimate: known answers, the tests that are skipped elsewhere,
# the kernel against PyTorch, the comparisons, an epoch; and 5 minutes more at most where compute-sanitizer is on PATH. Run it in the folder that publish.sh made, on a machine with PyTorch 2.10 or later and NumPy;
# neither .NET nor a network is needed. What each step wrote goes to RESULTS (default: gpu-results), with a summary; the exit code is 0 if all passed.
#   PYTHON            the python3 that has PyTorch. Default: python3
#   CAPSULES_LIBTORCH its lib folder. Default: what PYTHON says
#   CAPSULES_DATA     the folder with MNIST's files. Without them the epoch is of built-in digits.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
app=${APP:-$here/../app} results=${1:-gpu-results} python=${PYTHON:-python3}
app=$(cd "$app" && pwd) || exit 1
mkdir -p "$results" || exit 1
results=$(cd "$results" && pwd)
summary=$results/summary.txt failed=0
: > "$summary"

if [ -z "${CAPSULES_LIBTORCH:-}" ]; then
  CAPSULES_LIBTORCH=$("$python" -c 'import torch,os;print(os.path.join(os.path.dirname(torch.__file__),"lib"))') || {
    echo "verify.sh: $python has no PyTorch. Name another one in PYTHON, or its lib folder in CAPSULES_LIBTORCH." >&2
    exit 1
  }
fi
export CAPSULES_LIBTORCH
chmod +x "$app"/Capsules.{Samples,Benchmarks,Tests,Samples.Tests} 2>/dev/null

step() { # step NAME SECONDS COMMAND...
  local name=$1 limit=$2 start=$SECONDS code
  shift 2
  echo "== $name" | tee "$results/$name.txt"
  timeout "$limit" "$@" >> "$results/$name.txt" 2>&1 < /dev/null
  code=$?
  tail -n 25 "$results/$name.txt"
  case $code in 0) verdict=passed ;; 124) verdict="OUT OF TIME after $limit s" ;; *) verdict="FAILED with exit code $code" ;; esac
  [ $code -eq 0 ] || failed=$((failed + 1))
  echo "$name: $verdict, $((SECONDS - start)) s" | tee -a "$summary"
}

# Emulated kernels and those of the repository's files are tested where it is built.
gpu_tests=(-noLogo -noColor -method '*Cuda*' -class- '*Emulated*' -class- '*CudaPtxTests')
epoch=(train --device cuda --epochs 1 --seed 1 --dataset mnist)
[ -n "${CAPSULES_DATA:-}" ] || epoch=(train --device cuda --epochs 1 --seed 1 --dataset builtin --images 20000)
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT

step known-answers 60 "$app/Capsules.Samples" info --check --device cuda
step library-tests 120 "$app/Capsules.Tests" "${gpu_tests[@]}"
step sample-tests 120 "$app/Capsules.Samples.Tests" "${gpu_tests[@]}"
if [ -f "$here/check.py" ]; then
  step kernel-against-pytorch 240 "$python" "$here/check.py"
fi
step compare 150 "$app/Capsules.Benchmarks" compare --device cuda --quick --case mnist-128 --case mnist-1024 --case mnist-4096 --case cifar-512 \
  --markdown "$results/compare.md" --json "$results/compare.json"
step compare-network 120 "$app/Capsules.Benchmarks" compare-network --device cuda --rounds 5 --batch 128 \
  --markdown "$results/compare-network.md" --json "$results/compare-network.json"
step epoch-float32 60 "$app/Capsules.Samples" "${epoch[@]}" --output "$runs/float32"
step epoch-tf32 60 "$app/Capsules.Samples" "${epoch[@]}" --precision tf32 --output "$runs/tf32"
step epoch-bfloat16 60 "$app/Capsules.Samples" "${epoch[@]}" --precision bfloat16 --output "$runs/bfloat16"
step epoch-replicas 90 "$app/Capsules.Samples" "${epoch[@]}" --replicas 2 --output "$runs/replicas"
if [ -f "$here/check.py" ] && command -v compute-sanitizer > /dev/null; then
  step sanitizers 300 "$python" "$here/check.py" --sanitizer --small
fi

echo
cat "$summary"
[ $failed -eq 0 ] || echo "$failed step(s) failed; what they wrote is in $results." >&2
exit $((failed > 0))
