#!/usr/bin/env bash
# Breaks a copy of the library in one small way after another and runs the tests that should notice: see README.md.
#   tests/mutants/mutants.sh [NAME ...]      the mutants whose names contain one of these; all by default
# Exit code 0 when every mutant was caught.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
copy=${MUTANTS_COPY:-$(mktemp -d)}
run=${MUTANTS_RUN:-}      # a command that runs another one, for machines where builds wait for their turn
limit=300                 # seconds: a loop that no longer ends is caught too
tests=tests/Capsules.Tests
[ -n "${MUTANTS_COPY:-}" ] || trap 'rm -rf "$copy"' EXIT

fail() {
  echo "mutants.sh: $*" >&2
  exit 2
}

# One line per mutant, fields apart by tabs.
mutants() {
  awk '
    function put() { if (name) printf "%s\t%s\t%s\t%s\t%s\n", name, file, from, to, filter; name = "" }
    function rest() { sub(/^[a-z]+ +/, ""); return $0 }
    /^name / { put(); name = rest(); file = from = to = filter = "" }
    /^file / { file = rest() }
    /^from / { from = rest() }
    /^to / { to = rest() }
    /^tests / { filter = rest() }
    END { put() }' "$here/mutants.txt"
}

wanted() {
  [ $# -gt 1 ] || return 0
  local name=$1 part
  shift
  for part in "$@"; do
    [[ $name == *"$part"* ]] && return 0
  done
  return 1
}

build() {
  $run dotnet build "$tests" -c Release -v q -nologo -p:TreatWarningsAsErrors=false -p:RunAnalyzers=false >"$copy/build.log" 2>&1
}

check() {
  $run timeout "$limit" dotnet test "$tests" -c Release --no-build --filter "$1" >"$copy/test.log" 2>&1
}

mkdir -p "$copy"
# With new times (-m): what an earlier mutant left behind is built anew.
tar -C "$root" --exclude=.git --exclude=bin --exclude=obj --exclude=artifacts --exclude=runs -cf - . | tar -C "$copy" -xmf - ||
  fail "the tree cannot be copied to $copy"
cd "$copy" || exit 2

chosen=()
while IFS= read -r line; do
  wanted "${line%%$'\t'*}" "$@" && chosen+=("$line")
done < <(mutants)
[ ${#chosen[@]} -gt 0 ] || fail "no mutant has such a name; see mutants.txt"

# Without a mutant the same tests must pass: a test that fails anyway catches nothing.
filters=$(printf '%s\n' "${chosen[@]}" | cut -f5 | sed 's/[^ ]*/FullyQualifiedName~&/' | sort -u | paste -sd'|')
build || fail "the tree does not build; see $copy/build.log"
check "$filters" || fail "the tests fail without a mutant; see $copy/test.log"
grep -q 'Passed!' "$copy/test.log" || fail "no test ran; see $copy/test.log"

caught=0 bad=0
for line in "${chosen[@]}"; do
  IFS=$'\t' read -r name file from to filter <<<"$line"
  original=$(cat "$file") || fail "$name: there is no $file"
  [ "$(grep -cF -- "$from" "$file")" -eq 1 ] || fail "$name: not exactly one line of $file has: $from"
  printf '%s\n' "${original/"$from"/"$to"}" >"$file"
  if ! build; then
    verdict="DOES NOT BUILD" bad=$((bad + 1))
    grep -m1 'error' "$copy/build.log"
  elif check "FullyQualifiedName~$filter"; then
    verdict="SURVIVED" bad=$((bad + 1))
  else
    verdict=$(grep -m1 -oE 'Failed: +[0-9]+' "$copy/test.log" | sed -E 's/.* ([0-9]+)/caught by \1 tests/')
    verdict=${verdict:-caught: the process ended} caught=$((caught + 1))
  fi
  printf '%s\n' "$original" >"$file"
  printf '%-40s %-28s %s\n' "$name" "$filter" "$verdict"
done
echo "$caught of ${#chosen[@]} mutants caught"
[ "$bad" -eq 0 ]
