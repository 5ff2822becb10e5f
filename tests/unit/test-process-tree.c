/* SPDX-License-Identifier: MIT */
/* test-process-tree: who is found and signalled, over a tree of processes that do not
 * exist. */
#include "tests/unit/unit-test.h"

#include <signal.h>

#include "base/sys.h"
#include "mechanism/process-tree.h"
#include "tests/unit/fake-sys.h"

/*
 * this ── a ── b ── c
 *           └─ d
 *      └─ e
 */
struct tree {
	pid_t a, b, c, d, e;
};

static struct tree
make_tree(void)
{
	struct tree tree;

	fake_sys_reset();
	tree.a = fake_sys_fork(0);
	tree.b = fake_sys_fork(tree.a);
	tree.c = fake_sys_fork(tree.b);
	tree.d = fake_sys_fork(tree.a);
	tree.e = fake_sys_fork(0);
	return tree;
}

static void
a_signal_reaches_all_below_from_the_leaves_up(void **state)
{
	struct tree tree = make_tree();

	(void)state;
	/* from the top down their children would move away and be missed */
	assert_int_equal(process_tree_signal(getpid(), SIGTERM, NULL, NULL), 5);
	assert_false(fake_sys_is_alive(tree.a) || fake_sys_is_alive(tree.b) ||
		fake_sys_is_alive(tree.c) || fake_sys_is_alive(tree.d) ||
		fake_sys_is_alive(tree.e));
	fake_sys_reset();
}

static void
signal_0_only_counts(void **state)
{
	struct tree tree = make_tree();

	(void)state;
	assert_int_equal(process_tree_signal(getpid(), 0, NULL, NULL), 5);
	assert_int_equal(process_tree_signal(tree.a, 0, NULL, NULL), 3);
	assert_int_equal(process_tree_signal(tree.c, 0, NULL, NULL), 0);
	assert_int_equal(fake_sys_n_signals(tree.a, 0), 0);
	assert_true(fake_sys_is_alive(tree.a));
	fake_sys_reset();
}

static void
a_zombie_counts_until_it_is_reaped(void **state)
{
	struct tree tree = make_tree();
	struct sys_exit exit;

	(void)state;
	fake_sys_exit(tree.e, 0);
	assert_int_equal(process_tree_signal(getpid(), 0, NULL, NULL), 5);
	assert_int_equal(sys_wait_next(&exit), 1);
	assert_int_equal(process_tree_signal(getpid(), 0, NULL, NULL), 4);
	fake_sys_reset();
}

static enum process_tree_choice
choose(pid_t pid, void *context)
{
	const struct tree *tree = context;

	if (pid == tree->a)
		return PROCESS_TREE_PASS;
	return pid == tree->b ? PROCESS_TREE_SKIP : PROCESS_TREE_TAKE;
}

static void
passing_goes_on_below_and_skipping_does_not(void **state)
{
	struct tree tree = make_tree();

	(void)state;
	assert_int_equal(process_tree_signal(getpid(), SIGKILL, choose, &tree), 2);
	assert_true(fake_sys_is_alive(tree.a));
	assert_true(fake_sys_is_alive(tree.b));
	assert_true(fake_sys_is_alive(tree.c));
	assert_false(fake_sys_is_alive(tree.d));
	assert_false(fake_sys_is_alive(tree.e));
	fake_sys_reset();
}

static void
more_children_than_there_was_room_for_are_all_found(void **state)
{
	(void)state;
	fake_sys_reset();
	for (int i = 0; i < 500; i++)
		(void)fake_sys_fork(0);
	assert_int_equal(process_tree_signal(getpid(), SIGKILL, NULL, NULL), 500);
	for (int i = 0; i < 500; i++)
		assert_false(fake_sys_is_alive(FAKE_SYS_FIRST_PID + i));
	fake_sys_reset();
}

static void
a_chain_without_end_is_walked_in_several_rounds(void **state)
{
	struct sys_exit exit;
	pid_t pid = 0;
	int rounds = 0;

	(void)state;
	fake_sys_reset();
	for (int i = 0; i < 300; i++)
		pid = fake_sys_fork(pid);
	while (process_tree_signal(getpid(), SIGKILL, NULL, NULL) > 0) {
		assert_true(++rounds < 20);
		while (sys_wait_next(&exit) > 0)
			;
	}
	assert_int_equal(fake_sys_n_there(), 0);
	fake_sys_reset();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_reaches_all_below_from_the_leaves_up),
		cmocka_unit_test(signal_0_only_counts),
		cmocka_unit_test(a_zombie_counts_until_it_is_reaped),
		cmocka_unit_test(passing_goes_on_below_and_skipping_does_not),
		cmocka_unit_test(more_children_than_there_was_room_for_are_all_found),
		cmocka_unit_test(a_chain_without_end_is_walked_in_several_rounds),
	};

	return cmocka_run_group_tests_name("process-tree", tests, NULL, NULL);
}
