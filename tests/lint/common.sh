# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What the lint tests share: TAP lines, and the two folders. A test sources it, calls the
# functions below, and ends with `finish`. Run by hand it takes the folder that it stands in as
# the source, and the current one as the build.
set -u
PK_SRCDIR=${PK_SRCDIR:-$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)}
PK_BUILDDIR=${PK_BUILDDIR:-$PWD}
LC_ALL=C
export PK_SRCDIR PK_BUILDDIR LC_ALL
tap_count=0
tap_failed=0

# check TITLE COMPLAINTS: passes if there are none; else shows them
check() {
  tap_count=$((tap_count + 1))
  if [ -z "$2" ]; then
    echo "ok $tap_count - $1"
  else
    echo "not ok $tap_count - $1"
    printf '%s\n' "$2" | sed 's/^/# /'
    tap_failed=1
  fi
}

# leave_out REASON: the whole test is skipped
leave_out() {
  echo "1..0 # SKIP $1"
  exit 0
}

# need COMMAND: leaves the test out where COMMAND is not installed
need() {
  command -v "$1" >/dev/null 2>&1 || leave_out "$1 is not installed"
}

finish() {
  echo "1..$tap_count"
  exit "$tap_failed"
}
