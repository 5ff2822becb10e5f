#!/bin/sh
# SPDX-License-Identifier: MIT
# The table in ARCHITECTURE.md, between the lines <!-- service-fsm --> and <!-- /service-fsm -->,
# is what print-fsm prints. `fsm-diagram.sh --write` puts it there.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"
page=$PK_SRCDIR/ARCHITECTURE.md
table=$("$PK_BUILDDIR/tests/unit/print-fsm") || exit 1

if [ "${1:-}" = --write ]; then
  new=$(mktemp) || exit 1
  printf '%s\n' "$table" | awk '
    FNR == NR { table = table $0 "\n"; next }
    /^<!-- service-fsm -->$/ { print; printf "```text\n%s```\n", table; skips = 1 }
    /^<!-- \/service-fsm -->$/ { skips = 0 }
    !skips { print }' - "$page" >"$new" && cat "$new" >"$page"
  rm -f "$new"
  exit
fi

shown=$(awk '
  /^<!-- \/service-fsm -->$/ { inside = 0 }
  inside && !/^```/ { print }
  /^<!-- service-fsm -->$/ { inside = 1 }' "$page")
if [ "$shown" = "$table" ]; then
  complaint=
else
  complaint=$(
    echo "run tests/lint/fsm-diagram.sh --write"
    scratch=$(mktemp -d) || exit 1
    printf '%s\n' "$shown" >"$scratch/shown"
    printf '%s\n' "$table" >"$scratch/table"
    diff "$scratch/shown" "$scratch/table"
    rm -rf "$scratch"
  )
fi
check "ARCHITECTURE.md shows the state table as it is" "$complaint"
finish
