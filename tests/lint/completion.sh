#!/bin/sh
# SPDX-License-Identifier: MIT
# Loads each completion in its own shell and asks it to complete. TAP.
# shellcheck disable=SC2016 # what stands in single quotes is for those shells
set -u
build=${PK_BUILDDIR:-.}/packaging/completion
count=0
failures=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
export LC_ALL=C.UTF-8 HOME="$scratch" XDG_CONFIG_HOME="$scratch" XDG_DATA_HOME="$scratch"

# check TITLE WANTED GOT: the words WANTED, in this order, are all that was offered
check() {
  count=$((count + 1))
  if [ "$2" = "$3" ]; then
    echo "ok $count - $1"
  else
    echo "not ok $count - $1"
    echo "# wanted: $2"
    echo "# got:    $3"
    failures=$((failures + 1))
  fi
}

# skip SHELL: one line instead of its tests
skip() {
  count=$((count + 1))
  echo "ok $count - $1 completes # SKIP $1 is not installed"
}

# ---- bash: the function is called as readline calls it

bash_complete() {
  timeout 20 bash --norc -c '
    source "$1" || exit 1
    line=$2
    COMP_LINE=$line COMP_POINT=${#line}
    read -ra COMP_WORDS <<<"$line"
    [[ $line == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _portkeeper
    echo "${COMPREPLY[*]}"' bash "$build/bash/portkeeper" "$1" 2>&1
}

if command -v bash >/dev/null; then
  check "bash completes every verb" "run inspect release doctor help version" \
    "$(bash_complete 'portkeeper ')"
  check "bash completes an option of a verb" "--log-format=" \
    "$(bash_complete 'portkeeper run --log-f')"
  check "bash completes the value behind an equals sign" "json journal" \
    "$(bash_complete 'portkeeper run --log-format=j')"
  check "bash completes the name of a directive" "RestartSec= RestartSteps=" \
    "$(bash_complete 'portkeeper run -l 80 -p RestartS')"
  check "bash completes the value of a directive" "on-abnormal on-abort" \
    "$(bash_complete 'portkeeper run -p Restart=on-a')"
  check "bash completes the command that is run" "printenv" \
    "$(bash_complete 'portkeeper run -l 80 -- printen' | tr ' ' '\n' | sort -u)"
  check "bash does not take an option of one verb for another" "" \
    "$(bash_complete 'portkeeper inspect --dry')"
else
  skip bash
fi

# ---- fish: it tells what it would offer

fish_complete() {
  timeout 20 fish --no-config -c 'source $argv[1]; complete -C $argv[2]' \
    "$build/fish/portkeeper.fish" "$1" 2>&1 | cut -f 1 | tr '\n' ' ' | sed 's/ $//'
}

if command -v fish >/dev/null; then
  check "fish completes every verb" "doctor help inspect release run version" \
    "$(fish_complete 'portkeeper ')"
  check "fish completes an option of a verb" "--log-format" \
    "$(fish_complete 'portkeeper run --log-f')"
  check "fish completes the value behind an equals sign" \
    "--log-format=journal --log-format=json" "$(fish_complete 'portkeeper run --log-format=j')"
  check "fish completes the name of a directive" "RestartSec= RestartSteps=" \
    "$(fish_complete 'portkeeper run -l 80 -p RestartS')"
  check "fish completes the value of a directive" "Restart=on-abnormal Restart=on-abort" \
    "$(fish_complete 'portkeeper run -p Restart=on-a')"
  check "fish completes the command that is run" "printenv" \
    "$(fish_complete 'portkeeper run -l 80 -- printen')"
else
  skip fish
fi

# ---- zsh: typed into an interactive one on a pseudo-terminal, which shows its line then

zsh_complete() {
  timeout 30 zsh -f -c '
    zmodload zsh/zpty || exit 1
    zpty shell zsh -f -i
    zpty -w shell "PS1= PS2=; unsetopt beep zle_bracketed_paste; stty -echo"
    zpty -w shell "fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D"
    zpty -w shell "show() { print -r -- \"<<\$BUFFER>>\" }; zle -N show"
    zpty -w shell "bindkey \"^I\" complete-word; bindkey \"^X\" show"
    zpty -w shell "print RE\"\"ADY"
    zpty -r shell ready "*READY*" || exit 1
    zpty -w -n shell "$2"$'"'\\t\\x18'"'
    zpty -r shell line "*<<*>>*" || exit 1
    line=${line##*"<<"}
    print -r -- "${line%%">>"*}"
    zpty -d shell' zsh "$build/zsh" "$1" 2>&1
}

if command -v zsh >/dev/null; then
  check "zsh completes a verb" "portkeeper inspect " "$(zsh_complete 'portkeeper ins')"
  check "zsh completes an option of a verb" "portkeeper run --log-format=" \
    "$(zsh_complete 'portkeeper run --log-f')"
  check "zsh completes the value behind an equals sign" "portkeeper run --log-format=json " \
    "$(zsh_complete 'portkeeper run --log-format=js')"
  check "zsh completes the name of a directive" "portkeeper run -l 80 -p WhileDown=" \
    "$(zsh_complete 'portkeeper run -l 80 -p While')"
  check "zsh completes the value of a directive" "portkeeper run -p WhileDown=refuse " \
    "$(zsh_complete 'portkeeper run -p WhileDown=r')"
  check "zsh completes the command that is run" "portkeeper run -l 80 -- printenv " \
    "$(zsh_complete 'portkeeper run -l 80 -- printen')"
else
  skip zsh
fi

# ---- nothing is left out

directives=${PK_SRCDIR:-.}/daemon/config/unit-directives.c
missing=
# shellcheck disable=SC2013 # they are words
for name in $(sed -n 's/^	{ "\([A-Za-z0-9]*\)", SECTION_.*/\1/p' "$directives"); do
  for file in bash/portkeeper zsh/_portkeeper fish/portkeeper.fish; do
    grep -qw "$name" "$build/$file" || missing="$missing $file:$name"
  done
done
check "every directive is in every completion" "" "$missing"

echo "1..$count"
[ "$failures" -eq 0 ]
