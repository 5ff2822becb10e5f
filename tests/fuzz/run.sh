#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: run.sh SECONDS [NAME]... ; each fuzzer (or those named, without "fuzz-") with libFuzzer
# for that long, from a build that was configured with CC=clang and --enable-fuzzing; PK_BUILDDIR
# is its folder (default: the current one). One TAP line each. What it finds stays in the
# corpus-NAME folder there, a crasher under the name that the diagnostics show.
set -u
seconds=${1:-}
if ! [ "$seconds" -gt 0 ] 2>/dev/null; then
  echo "usage: run.sh SECONDS [NAME]..." >&2
  exit 2
fi
shift
source_dir=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
build_dir=${PK_BUILDDIR:-$PWD}
if [ $# -eq 0 ]; then
  for source in "$source_dir"/fuzz-*.c; do
    name=$(basename "$source" .c)
    set -- "$@" "${name#fuzz-}"
  done
fi
echo "1..$#"
n=0
failed=0
for name in "$@"; do
  n=$((n + 1))
  fuzzer=$build_dir/tests/fuzz/fuzz-$name
  found=$build_dir/tests/fuzz/corpus-$name
  log=$build_dir/tests/fuzz/fuzz-$name.log
  mkdir -p "$found"
  if [ ! -x "$fuzzer" ] || ! "$fuzzer" -help=1 2>&1 | grep -q libFuzzer; then
    echo "not ok $n - fuzz-$name: $fuzzer is not linked with libFuzzer"
    failed=1
  elif "$fuzzer" -max_total_time="$seconds" -max_len=8192 -print_final_stats=1 \
    -artifact_prefix="$found/" "$found" "$source_dir/corpus/$name" >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "ok $n - fuzz-$name: $runs runs in $seconds s"
  else
    echo "not ok $n - fuzz-$name"
    tail -n 40 "$log" | sed 's/^/# /'
    failed=1
  fi
done
exit $failed
