#!/bin/sh
# SPDX-License-Identifier: MIT
# Each row of the table of directives has an entry in portkeeper.unit(5), in the part of its
# section and with its default; and each entry there is a row.
# shellcheck source=tests/lint/common.sh
. "$(dirname "$0")/common.sh"
page=$PK_SRCDIR/packaging/man/portkeeper.unit.5
rows=$("$PK_BUILDDIR/tests/unit/print-directives") || exit 1

# lines "section name default" as the manual has them
entries=$(awk '
  function done() {
    if (name != "")
      printf "%s\t%s\t%s\n", section, name, value
    name = ""
  }
  /^\.Sh / { done(); section = $2 }
  /^\.It Va [A-Z]/ { done(); name = $3; value = "nothing" }
  /^\.Bl/ { depth++ }
  /^\.El/ { if (--depth == 0) done() }
  /^Default: / { value = $0; sub(/^Default: /, "", value); sub(/[.,;].*/, "", value) }
  /Not set by default/ { value = "-" }
  END { done() }' "$page")

# name_of SECTION: as the manual spells it
name_of() {
  echo "$1" | tr '[:lower:]' '[:upper:]'
}

tab=$(printf '\t')
missing=
wrong=
while IFS=$tab read -r section name initial; do
  entry=$(printf '%s\n' "$entries" | awk -F '\t' -v name="$name" '$2 == name')
  wanted="$(name_of "$section")$tab$name$tab$initial"
  if [ -z "$entry" ]; then
    missing="$missing$name
"
  elif [ "$entry" != "$wanted" ]; then
    wrong="$wrong$entry (should be: $wanted)
"
  fi
done <<ROWS
$rows
ROWS
unknown=$(printf '%s\n' "$entries" | cut -f 2 | while read -r name; do
  printf '%s\n' "$rows" | cut -f 2 | grep -qx "$name" || echo "$name"
done)
check "every directive is in the manual" "$missing"
check "with its section and its default" "$wrong"
check "and the manual has no other" "$unknown"
finish
