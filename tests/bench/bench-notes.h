/* SPDX-License-Identifier: MIT */
/* bench-notes: what echo-server and load-client share in a mapped file. */
#pragma once

struct bench_notes {
	volatile unsigned died_in_accept; /* servers that were killed inside accept() */
	volatile unsigned char accepting; /* inside accept(), right now */
	volatile unsigned char accepted[65536]; /* by the client's port */
};
