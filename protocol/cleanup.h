/* SPDX-License-Identifier: MIT */
/*
 * cleanup: scope-bound ownership of file descriptors and memory.
 *
 * A variable marked PK_CLOSE or PK_FREE owns what it holds and lets it go at the end of
 * its scope; pk_take_fd() and PK_TAKE_PTR() hand the content over and leave the variable
 * empty. An empty file descriptor is -1.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PK_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define PK_PRINTF(format_index, first) \
	__attribute__((format(printf, format_index, first)))

/* Closes `fd` if it is not empty, keeps errno, returns -1: fd = pk_close(fd). */
static inline int
pk_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;
		/* Linux frees the number whatever close() returns: close(2), NOTES. */
		(void)close(fd);
		errno = saved;
	}
	return -1;
}

static inline int
pk_take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static inline void
pk_cleanup_close(int *fd)
{
	*fd = pk_close(*fd);
}

static inline void
pk_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void
pk_cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define PK_CLOSE __attribute__((cleanup(pk_cleanup_close)))
#define PK_FREE __attribute__((cleanup(pk_cleanup_free)))
#define PK_FCLOSE __attribute__((cleanup(pk_cleanup_fclose)))
#define PK_TAKE_PTR(pointer) \
	({ \
		__typeof__(pointer) *pk_p_ = &(pointer); \
		__typeof__(pointer) pk_v_ = *pk_p_; \
		*pk_p_ = NULL; \
		pk_v_; \
	})
