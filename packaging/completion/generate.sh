#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the completion of one shell to standard output. All that it knows of options comes
# from the program's own --help, and of directives from their table, so that it cannot
# promise anything else.
#
# usage: generate.sh bash|zsh|fish PORTKEEPER UNIT-DIRECTIVES.C
set -eu
shell=$1
portkeeper=$2
directives=$3

tab=$(printf '\t')
verbs=$("$portkeeper" help | sed -n 's/^  \([a-z][a-z]*\)  *\(.*\)$/\1\t\2/p')
[ -n "$verbs" ] || { echo "generate.sh: '$portkeeper help' lists no verbs" >&2; exit 1; }

# "V verb summary"; "C verb" if it takes a command; "O verb short long argument optional
# values description" for an option; "D name values meaning" for a directive. A line has
# tabs between its fields; "-" stands for an empty one.
facts() {
  printf '%s\n' "$verbs" | sed "s/^/V$tab/"
  printf '%s\n' "$verbs" | cut -f 1 | while read -r verb; do
    case $verb in help | version) continue ;; esac
    "$portkeeper" "$verb" --help | awk -v verb="$verb" '
      function flush() {
        if (long != "")
          printf "O\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", verb, short, long, argument, optional,
            values(text), text
        long = ""
      }
      # "auto (the default), always, never", "...: time-wait, established, ...": its words
      function values(text,    n, i, words, list) {
        gsub(/ *\([^)]*\)/, "", text)
        sub(/^.*: /, "", text)
        gsub(/ or /, ", ", text)
        n = split(text, words, /, */)
        list = ""
        for (i = 1; i <= n; i++) {
          if (words[i] == "...")
            continue
          if (words[i] !~ /^[a-z][a-z0-9-]*$/)
            return "-"
          list = list (list == "" ? "" : " ") words[i]
        }
        return n > 1 ? list : "-"
      }
      NR == 1 && / COMMAND / { printf "C\t%s\n", verb }
      /^ +(-[a-zA-Z], )?--[a-z]/ {
        flush()
        short = "-"; argument = "-"; optional = "-"
        line = $0
        sub(/^ +/, "", line)
        if (match(line, /^-[a-zA-Z], /)) {
          short = substr(line, 2, 1)
          line = substr(line, 5)
        }
        match(line, /^--[a-z-]+/)
        long = substr(line, 3, RLENGTH - 2)
        line = substr(line, RLENGTH + 1)
        if (match(line, /^\[?=[A-Z=]+\]?/)) {
          argument = substr(line, 1, RLENGTH)
          if (sub(/^\[=/, "", argument))
            optional = "optional"
          sub(/^=/, "", argument)
          sub(/\]$/, "", argument)
          line = substr(line, RLENGTH + 1)
        }
        sub(/^ +/, "", line)
        text = line
        next
      }
      /^          / { line = $0; sub(/^ +/, "", line); text = text " " line; next }
      { flush() }
      END { flush() }'
  done
  awk '
    /^static const char \*const [a-z_]+\[\]/ {
      list = $5; sub(/\[\].*/, "", list); names[list] = ""; next
    }
    list != "" && /^};/ { list = ""; next }
    list != "" {
      line = $0
      while (match(line, /"[^"]*"/)) {
        names[list] = names[list] (names[list] == "" ? "" : " ") \
          substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, RSTART + RLENGTH)
      }
      next
    }
    /^\t\{ "[A-Za-z0-9]+", SECTION_/ {
      split($0, part, "\"")
      name = part[2]
      is_boolean = /unit_parse_(boolean|tristate)/
      next
    }
    name != "" && /^\t  "/ {
      split($0, part, "\"")
      meaning = part[2]
      values = is_boolean ? "yes no" : "-"
      list_name = $(NF - 1)
      if (list_name in names)
        values = names[list_name]
      printf "D\t%s\t%s\t%s\n", name, values, meaning
      name = ""; list_name = ""
    }' "$directives"
}

# ---- bash

write_bash() {
  awk -F '\t' '
    function kind(    k) {
      if ($7 != "-") return "words " $7
      if ($5 == "NAME=VALUE") return "directive"
      if ($5 == "DIR") return "folder"
      if ($5 == "ADDRESS" && $4 == "listen") return "address"
      return "nothing"
    }
    $1 == "V" { verbs = verbs " " $2 }
    $1 == "C" { commands = commands (commands == "" ? "" : "|") $2 }
    $1 == "O" {
      if ($3 != "-") options[$2] = options[$2] " -" $3
      options[$2] = options[$2] " --" $4 ($5 != "-" && $6 == "-" ? "=" : "")
      if ($5 != "-") {
        # an optional argument only stands behind "="
        key = $2 ":--" $4 ($6 == "-" ? "" : "=")
        if ($3 != "-" && $6 == "-") key = $2 ":-" $3 "|" key
        values[++n_values] = "\t" key ") echo \"" kind() "\" ;;"
      }
    }
    $1 == "D" {
      directives = directives "\n\t" $2 "="
      if ($3 != "-") {
        m = split($3, words, " ")
        for (i = 1; i <= m; i++) directives = directives " " $2 "=" words[i]
      }
    }
    END {
      print "_portkeeper_verbs=\"" substr(verbs, 2) "\""
      print "_portkeeper_directives=\"" directives "\n\""
      print "_portkeeper_options() {\n\tcase $1 in"
      n = split(verbs, verb, " ")
      for (i = 1; i <= n; i++)
        if (verb[i] in options)
          print "\t" verb[i] ") echo \"" substr(options[verb[i]], 2) "\" ;;"
      print "\tesac\n}"
      print "# what may follow option $2 of verb $1; nothing at all: it takes no argument"
      print "_portkeeper_value() {\n\tcase $1:$2 in"
      for (i = 1; i <= n_values; i++) print values[i]
      print "\tesac\n}"
      print "_portkeeper_runs_command() {\n\t[[ $1 == @(" commands ") ]]\n}"
    }'
  cat <<'END'

# Candidates for $2 as the argument of a _portkeeper_value $1
_portkeeper_complete_value() {
	case $1 in
	words*) compgen -W "${1#words }" -- "$2" ;;
	directive) compgen -W "$_portkeeper_directives" -- "$2" ;;
	folder) compgen -d -- "$2" ;;
	address)
		compgen -W "udp: unix-dgram: unix-seqpacket: fd:" -- "$2"
		[[ $2 == /* ]] && compgen -f -- "$2"
		;;
	esac
}

# $1: number of the first word of the command among `words`
_portkeeper_complete_command() {
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]] && declare -F _command_offset >/dev/null; then
			_command_offset $((i + 1))
			return
		fi
	done
	if ((${#words[@]} - 1 == $1)); then
		mapfile -t COMPREPLY < <(compgen -c -- "$current")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
}

_portkeeper() {
	local line=${COMP_LINE:0:COMP_POINT} words current verb previous value i
	COMPREPLY=()
	# by blanks, because "=" and ":" end a word for readline
	read -ra words <<<"$line"
	[[ $line == *[[:blank:]] ]] && words+=("")
	current=${words[-1]}
	if ((${#words[@]} <= 2)); then
		mapfile -t COMPREPLY < <(compgen -W "$_portkeeper_verbs" -- "$current")
		return
	fi
	verb=${words[1]}
	if [[ $verb == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$_portkeeper_verbs" -- "$current")
		return
	fi
	for ((i = 2; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		--) break ;;
		--*=*) ;;
		-*) [[ -n $(_portkeeper_value "$verb" "${words[i]}") ]] && ((i++)) ;;
		*) break ;;
		esac
	done
	if _portkeeper_runs_command "$verb" && ((i < ${#words[@]} - 1)); then
		[[ ${words[i]} == -- ]] && ((i++))
		_portkeeper_complete_command "$i"
		return
	fi
	previous=${words[-2]}
	value=$(_portkeeper_value "$verb" "$previous")
	if [[ $current == --*=* ]]; then
		value=$(_portkeeper_value "$verb" "${current%%=*}")
		[[ -n $value ]] || value=$(_portkeeper_value "$verb" "${current%%=*}=")
		current=${current#*=}
	elif [[ -z $value || $previous != -* || $previous == *=* ]]; then
		if [[ -n $current && $current != -* ]] && _portkeeper_runs_command "$verb"; then
			_portkeeper_complete_command $((${#words[@]} - 1))
			return
		fi
		value="words $(_portkeeper_options "$verb")"
	fi
	mapfile -t COMPREPLY < <(_portkeeper_complete_value "$value" "$current")
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace 2>/dev/null
	# readline replaces only what follows the last "=" or ":" that it breaks words at
	if [[ $current == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]]; then
		local prefix=${current%"${current##*[=:]}"}
		COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
	fi
}

complete -F _portkeeper portkeeper
END
}

# ---- zsh

write_zsh() {
  printf '#compdef portkeeper\n'
  awk -F '\t' '
    # inside single quotes, and inside [...] of _arguments or before the colon of _describe
    function quote(text) {
      gsub(/\047/, "\047\\\047\047", text)
      gsub(/\[|\]|:/, "\\\\&", text)
      return text
    }
    function action() {
      if ($7 != "-") return "(" $7 ")"
      if ($5 == "NAME=VALUE") return "_portkeeper_directive"
      if ($5 == "DIR") return "_files -/"
      if ($4 == "listen") return "_portkeeper_address"
      return " "
    }
    $1 == "V" { verbs[++n_verbs] = $2; summary[$2] = $3 }
    $1 == "C" { takes_command[$2] = 1 }
    $1 == "O" {
      has[$2] = 1
      rest = "[" quote($8) "]"
      if ($5 != "-") rest = rest ($6 == "-" ? ":" : "::") $5 ":" action()
      plus = $5 == "-" ? "" : ($6 == "-" ? "+" : "-")
      equals = $5 == "-" ? "" : ($6 == "-" ? "=" : "=-")
      if ($3 != "-") specs[$2] = specs[$2] " \\\n\t\t\047*-" $3 plus rest "\047"
      specs[$2] = specs[$2] " \\\n\t\t\047*--" $4 equals rest "\047"
    }
    $1 == "D" {
      directives = directives "\n\t\t\047" $2 ":" quote($4) "\047"
      if ($3 != "-") values = values "\n\t" $2 ") compadd -- " $3 " ;;"
    }
    END {
      print "\n_portkeeper_directive() {\n\tlocal name"
      print "\tlocal -a directives=(" directives "\n\t)"
      print "\tif ! compset -P 1 \047*=\047; then"
      print "\t\t_describe -t directives directive directives -S = -q\n\t\treturn\n\tfi"
      print "\tname=${${IPREFIX%=}##*[= ]}\n\tcase $name in" values "\n\tesac\n}"
      print "\n_portkeeper_address() {"
      print "\tcompadd -S \047\047 -- udp: unix-dgram: unix-seqpacket: fd:\n\t_files\n}"
      print "\n_portkeeper_verbs() {\n\tlocal -a verbs=("
      for (i = 1; i <= n_verbs; i++)
        print "\t\t\047" verbs[i] ":" quote(summary[verbs[i]]) "\047"
      print "\t)\n\t_describe -t commands command verbs\n}"
      print "\n_portkeeper() {\n\tlocal curcontext=$curcontext state"
      print "\t_arguments -C \0471: :_portkeeper_verbs\047 \047*:: :->verb\047"
      print "\t[[ $state == verb ]] || return\n\tcase $words[1] in"
      for (i = 1; i <= n_verbs; i++)
        if (has[verbs[i]])
          print "\t" verbs[i] ")\n\t\t_arguments -s -S" specs[verbs[i]] " \\\n\t\t" \
            (takes_command[verbs[i]] ? "\047(-)1:command: _command_names -e\047 \047*::arguments: _normal\047" \
              : "\047*: :\047") "\n\t\t;;"
      print "\thelp) _portkeeper_verbs ;;\n\tesac\n}\n\n_portkeeper \"$@\""
    }'
}

# ---- fish

write_fish() {
  awk -F '\t' '
    function quote(text) { gsub(/[\\\047]/, "\\\\&", text); return "\047" text "\047" }
    BEGIN { print "complete -c portkeeper -f" }
    $1 == "V" {
      verbs = verbs " " $2
      print "complete -c portkeeper -n __fish_use_subcommand -a " $2 " -d " quote($3)
    }
    $1 == "C" { commands[$2] = "" }
    $1 == "O" {
      line = "complete -c portkeeper -n \047__fish_seen_subcommand_from " $2 "\047"
      if ($3 != "-") line = line " -s " $3
      line = line " -l " $4
      if ($5 != "-" && $2 in commands)
        commands[$2] = commands[$2] ($3 != "-" ? " -" $3 : "") " --" $4
      if ($7 != "-") line = line " -x -a " quote($7)
      else if ($5 == "NAME=VALUE") line = line " -x -a \047(__portkeeper_directives)\047"
      else if ($5 == "DIR") line = line " -x -a \047(__fish_complete_directories)\047"
      else if ($4 == "listen") line = line " -r -F -a \047udp: unix-dgram: unix-seqpacket: fd:\047"
      else if ($5 != "-" && $6 == "-") line = line " -x"
      print line " -d " quote($8)
    }
    $1 == "D" {
      directives = directives "\n\tprintf \047%s\\t%s\\n\047 " $2 "= " quote($4)
      m = $3 == "-" ? 0 : split($3, words, " ")
      for (i = 1; i <= m; i++) directives = directives "\n\techo " $2 "=" words[i]
    }
    END {
      print "complete -c portkeeper -n \047__fish_seen_subcommand_from help\047 -a \047" \
        substr(verbs, 2) "\047"
      for (verb in commands)
        print "complete -c portkeeper -n \047__fish_seen_subcommand_from " verb \
          "\047 -x -a \047(__fish_complete_subcommand --fcs-skip=2" commands[verb] ")\047"
      print "\nfunction __portkeeper_directives" directives "\nend"
    }'
}

case $shell in
bash | zsh | fish) facts | "write_$shell" ;;
*)
  echo "usage: generate.sh bash|zsh|fish PORTKEEPER UNIT-DIRECTIVES.C" >&2
  exit 2
  ;;
esac
