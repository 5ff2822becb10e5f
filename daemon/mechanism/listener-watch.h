/* SPDX-License-Identifier: MIT */
/*
 * listener-watch: notices when a child has shut down a held listener.
 *
 * The listeners sit in an epoll instance of their own with no events asked for: EPOLLHUP
 * is reported all the same (epoll_ctl(2)), and connections, which wake with EPOLLIN, do
 * not pass its filter (ep_poll_callback() in fs/eventpoll.c). So a busy listener wakes
 * nobody here.
 */
#pragma once

struct loop;
struct listener_watch;

typedef void (*listener_watch_fn)(void *context);

/* Calls back once whenever a watched listener has hung up. Returns 0, -ENOMEM, or -errno.
 */
int listener_watch_new(struct loop *loop, listener_watch_fn callback, void *context,
	struct listener_watch **ret_watch);
struct listener_watch *listener_watch_free(struct listener_watch *watch);

/*
 * Watches `fd` (borrowed; closing its last copy ends the watch). Watching it once more
 * arms it again after a hang-up. Returns 0 or -errno.
 */
int listener_watch_add(struct listener_watch *watch, int fd);
