#!/bin/sh
# SPDX-License-Identifier: MIT
# mandoc has no warning about any man page.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"
need mandoc
cd "$PK_SRCDIR/packaging/man" || exit 1
for page in *.[1-8]; do
  # pages that are not installed yet cannot be found: that is no fault of this one
  check "$page" "$(mandoc -Tlint -Wwarning "$page" 2>&1 | grep -v 'referenced manual not found')"
done
finish
