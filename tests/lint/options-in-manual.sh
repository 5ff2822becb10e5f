#!/bin/sh
# SPDX-License-Identifier: MIT
# The options that --help shows and those of the man page are the same, for each command.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"

# shown: from a --help on standard input, the options, one a line, sorted
shown() {
  grep -E '^ +-' | grep -oE -- '(^|[ ,])--?[a-zA-Z][a-z-]*' | tr -d ' ,' | sort -u
}

# documented PAGE: the same from the page's entries
documented() {
  sed -n 's/^\.It \(Fl .*\)/\1/p' "$1" | sed 's/ Ns / /g; s/ Oo / /g; s/ , / /g' |
    grep -oE 'Fl -?[a-zA-Z][a-z-]*' | sed 's/^Fl /-/' | sort -u
}

# compare TITLE PAGE HELP
compare() {
  in_help=$(printf '%s\n' "$3" | shown)
  in_page=$(documented "$2" 2>&1)
  complaint=
  for option in $in_help; do
    printf '%s\n' "$in_page" | grep -qxe "$option" || complaint="$complaint$option is not in the manual
"
  done
  for option in $in_page; do
    # what takes part in every usage line needs no line of its own in --help
    [ "$option" = --help ] || [ "$option" = -h ] ||
      printf '%s\n' "$in_help" | grep -qxe "$option" ||
      complaint="$complaint$option is not in --help
"
  done
  check "$1: the manual has the options of --help, and no others" "$complaint"
}

verbs=$("$PK_BUILDDIR/portkeeper" help | sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p' |
  grep -vxE 'help|version')
[ -n "$verbs" ] || exit 1
for verb in $verbs; do
  compare "portkeeper $verb" "$PK_SRCDIR/packaging/man/portkeeper-$verb.1" \
    "$("$PK_BUILDDIR/portkeeper" "$verb" --help)"
done
compare portkeeperd "$PK_SRCDIR/packaging/man/portkeeperd.8" "$("$PK_BUILDDIR/portkeeperd" --help)"
finish
