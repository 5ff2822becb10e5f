#!/bin/sh
# SPDX-License-Identifier: MIT
# No shell script of ours makes shellcheck complain.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"
need shellcheck
cd "$PK_SRCDIR" || exit 1
scripts=$(for file in bootstrap .ci/run tests/*/*.sh tests/systemd/run packaging/*/*.sh; do
  [ -s "$file" ] && head -n 1 "$file" | grep -qE '^#(!.*sh|.*shell=)' && echo "$file"
done)
for script in $scripts; do
  check "$script" "$(shellcheck -x "$script" 2>&1)"
done
finish
