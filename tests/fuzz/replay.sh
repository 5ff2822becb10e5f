#!/bin/sh
# SPDX-License-Identifier: MIT
# Each fuzzer over its own corpus; one TAP line a fuzzer. Crashers that were found stay there.
set -u
n=0
for source in "$PK_SRCDIR"/tests/fuzz/fuzz-*.c; do
  name=$(basename "$source" .c)
  n=$((n + 1))
  if output=$("$PK_BUILDDIR/tests/fuzz/$name" "$PK_SRCDIR/tests/fuzz/corpus/${name#fuzz-}" 2>&1); then
    echo "ok $n - $name: $output"
  else
    echo "not ok $n - $name"
    echo "$output" | sed 's/^/# /'
  fi
done
echo "1..$n"
