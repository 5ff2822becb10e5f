#!/bin/sh
# SPDX-License-Identifier: MIT
# No C file has more than 700 lines: a longer one has parts that deserve files of their own.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"
cd "$PK_SRCDIR" || exit 1
check "no C file has more than 700 lines" "$(find protocol daemon client tests -name '*.[ch]' \
  -exec wc -l {} + | awk '$2 != "total" && $1 > 700')"
finish
