#!/bin/sh
# SPDX-License-Identifier: MIT
# clang-format 14 changes nothing. Other versions lay some things out in another way.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"
program=
for candidate in clang-format-14 clang-format; do
  case $("$candidate" --version 2>/dev/null) in
    *"version 14."*)
      program=$candidate
      break
      ;;
  esac
done
[ -n "$program" ] || leave_out "clang-format 14 is not installed"
cd "$PK_SRCDIR" || exit 1
for folder in protocol daemon/* client tests/*; do
  [ -n "$(find "$folder" -maxdepth 1 -name '*.[ch]' -print -quit)" ] || continue
  check "$folder" "$(find "$folder" -maxdepth 1 -name '*.[ch]' -exec "$program" --dry-run {} + 2>&1)"
done
finish
