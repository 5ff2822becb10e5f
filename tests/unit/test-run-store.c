/* SPDX-License-Identifier: MIT */
/* test-run-store: what `portkeeper run` keeps for a portkeeperd that may die. */
#include "tests/unit/unit-test.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "client/run-store.h"

static int
make_fd(void)
{
	int fd = memfd_create("portkeeper-test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void
what_is_added_is_kept_under_its_name_in_order(void **state)
{
	struct run_store store = RUN_STORE_EMPTY;
	int a = make_fd(), b = make_fd(), c = make_fd();

	(void)state;
	assert_int_equal(run_store_add_consume(&store, "l0", a), 0);
	assert_int_equal(run_store_add_consume(&store, "l1", b), 0);
	assert_int_equal(run_store_add_consume(&store, "l0", c), 0);
	assert_int_equal(store.n, 3);
	assert_string_equal(store.entries[0].name, "l0");
	assert_int_equal(store.entries[0].fd, a);
	assert_string_equal(store.entries[1].name, "l1");
	assert_int_equal(store.entries[2].fd, c);
	run_store_done(&store);
	assert_false(is_open(a) || is_open(b) || is_open(c));
	assert_int_equal(store.n, 0);
}

/* A successor stores again what it was handed; the store must not grow by that. */
static void
the_same_open_file_is_kept_once_for_each_name(void **state)
{
	struct run_store store = RUN_STORE_EMPTY;
	int fd = make_fd(), copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int other_name = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	(void)state;
	assert_int_equal(run_store_add_consume(&store, "l0", fd), 0);
	assert_int_equal(run_store_add_consume(&store, "l0", copy), 0);
	assert_int_equal(store.n, 1);
	assert_true(is_open(fd));
	assert_false(is_open(copy));
	assert_int_equal(run_store_add_consume(&store, "l1", other_name), 0);
	assert_int_equal(store.n, 2);
	run_store_done(&store);
}

static void
removing_a_name_closes_all_that_have_it_and_no_other(void **state)
{
	struct run_store store = RUN_STORE_EMPTY;
	int a = make_fd(), b = make_fd(), c = make_fd();

	(void)state;
	assert_int_equal(run_store_add_consume(&store, "x", a), 0);
	assert_int_equal(run_store_add_consume(&store, "y", b), 0);
	assert_int_equal(run_store_add_consume(&store, "x", c), 0);
	run_store_remove(&store, "x");
	assert_int_equal(store.n, 1);
	assert_string_equal(store.entries[0].name, "y");
	assert_false(is_open(a) || is_open(c));
	assert_true(is_open(b));
	run_store_remove(&store, "no-such-name");
	assert_int_equal(store.n, 1);
	run_store_remove(&store, "y");
	assert_int_equal(store.n, 0);
	run_store_done(&store);
}

static void
a_full_store_refuses_and_closes_what_it_was_given(void **state)
{
	struct run_store store = RUN_STORE_EMPTY;
	int fd = make_fd();

	(void)state;
	/* filled without descriptors: the process may not have so many */
	store.entries = calloc(RUN_STORE_MAX, sizeof(*store.entries));
	assert_non_null(store.entries);
	for (; store.n < RUN_STORE_MAX; store.n++)
		store.entries[store.n] =
			(struct run_store_entry){ .name = strdup("full"), .fd = -1 };
	assert_int_equal(run_store_add_consume(&store, "one-more", fd), -E2BIG);
	assert_false(is_open(fd));
	assert_int_equal(store.n, RUN_STORE_MAX);
	run_store_done(&store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_is_kept_under_its_name_in_order),
		cmocka_unit_test(the_same_open_file_is_kept_once_for_each_name),
		cmocka_unit_test(removing_a_name_closes_all_that_have_it_and_no_other),
		cmocka_unit_test(a_full_store_refuses_and_closes_what_it_was_given),
	};

	return cmocka_run_group_tests_name("run-store", tests, NULL, NULL);
}
