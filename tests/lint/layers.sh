#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may include whom. A file includes its own layer or a lower one, and always names the
# folder. Of two layers that stand side by side neither sees the other: mechanism takes the
# plain values of base/spec.h, not config/.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"
cd "$PK_SRCDIR" || exit 1

# includes_of FOLDER: lines "file:included", of the includes in quotation marks
includes_of() {
  grep -H '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$1"/*.[ch] |
    sed 's/^\([^:]*\):[^"]*"\([^"]*\)".*/\1:\2/'
}

# only FOLDER LAYER...: the files of FOLDER include nothing but these layers, and config.h
only() {
  folder=$1
  shift
  allowed='config\.h'
  for layer; do
    allowed="$allowed|$layer/.*"
  done
  check "$folder includes only $*" "$(includes_of "$folder" | grep -Ev ":($allowed)\$")"
}

only daemon/base base protocol
only daemon/config config base protocol
only daemon/mechanism mechanism base protocol
only daemon/policy policy mechanism config base protocol
only daemon/surface surface policy mechanism config base protocol
only protocol protocol
only client client protocol

missing=$(for folder in daemon/base daemon/config daemon/mechanism daemon/policy daemon/surface; do
  includes_of "$folder"
done | sed 's/^[^:]*://' | sort -u | while read -r file; do
  [ "$file" = config.h ] || [ -f "$file" ] || [ -f "daemon/$file" ] || echo "$file"
done)
check "every included file is where its name says" "$missing"

check "only daemon/base/loop.c knows libevent" "$(grep -lE 'include[[:space:]]*<(event2?/|event|evutil)' \
  daemon/*/*.[ch] client/*.[ch] protocol/*.[ch] | grep -v '^daemon/base/loop\.c$')"
check "fork, clone and waiting stand in daemon/base/sys.c only" "$(grep -nE \
  '\<(fork|vfork|clone|clone3|posix_spawnp?|waitpid|waitid|wait4)\(' daemon/*/*.c |
  grep -v '^daemon/base/sys\.c:' | grep -vE ':[[:space:]]*(/?\*|//)' | grep -v '[a-z_(] \?[a-z]*()' )"
check "the protocol folder does not log and has no loop" "$(grep -nE '\<(log_line|loop_[a-z]+)\(' protocol/*.[ch])"
finish
