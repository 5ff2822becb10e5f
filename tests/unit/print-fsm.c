/* SPDX-License-Identifier: MIT */
/*
 * print-fsm: the table of service-fsm as ARCHITECTURE.md shows it.
 * tests/lint/fsm-diagram.sh compares the two; `tests/lint/fsm-diagram.sh --write` puts it
 * there.
 */
#include <stdio.h>

#include "policy/service-fsm.h"

int
main(void)
{
	service_fsm_print(stdout);
	return ferror(stdout) || fclose(stdout) != 0;
}
