/* SPDX-License-Identifier: MIT */
/*
 * options: the command line of portkeeperd, as `portkeeper run` writes it.
 */
#pragma once

#include "policy/manager.h"
#include "protocol/error.h"

struct unit;

/*
 * Reads the command line into a unit, which the caller owns, and `options`. Returns 0; 1
 * when
 * --help or --version was answered; or -errno with `err`: -ENOENT and -EACCES are about
 * the program that is to be run, everything else about the arguments.
 */
int options_parse(int argc, char **argv, struct unit **ret_unit,
	struct manager_options *options, struct error *err);
