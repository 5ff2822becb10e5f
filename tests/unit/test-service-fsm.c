/* SPDX-License-Identifier: MIT */
/*
 * test-service-fsm: every cell of the table [state][event]. What is expected stands here
 * a second time, written by hand from what the states mean; all other cells must be
 * empty. This program links nothing of the mechanisms: the table needs none.
 */
#include "tests/unit/unit-test.h"

#include "policy/service-fsm.h"

struct wanted_cell {
	enum service_state state;
	enum service_event event;
	enum service_state next;
	const char *actions;
};

/* clang-format off */
#define CELL(state, event, next, actions) \
	{ SERVICE_##state, SERVICE_EVENT_##event, SERVICE_##next, actions }

static const struct wanted_cell wanted_cells[] = {
	CELL(DOWN,           START,           UP,             "spawn"),
	CELL(DOWN,           ADOPT,           STOP_SIGNAL,    "keep-queue signal stop-timer check-tree"),
	CELL(UP,             STOP,            STOP_COMMAND,   "run-stop stop-timer"),
	CELL(UP,             INTERRUPT,       STOP_GRACE,     "grace-timer"),
	CELL(UP,             KILL,            STOP_KILL,      "kill stop-timer check-tree"),
	CELL(UP,             SPAWN_FAILED,    ENDED,          "decide"),
	CELL(UP,             MAIN_EXITED,     CLEANING,       "keep-queue kill-leftovers stop-timer check-tree"),
	CELL(UP,             MAIN_DOUBTFUL,   JUDGING,        "ask-manager keep-queue"),
	CELL(JUDGING,        JUDGED,          CLEANING,       "kill-leftovers stop-timer check-tree"),
	CELL(JUDGING,        STOP,            STOP_SIGNAL,    "signal stop-timer check-tree"),
	CELL(JUDGING,        INTERRUPT,       STOP_SIGNAL,    "signal stop-timer check-tree"),
	CELL(JUDGING,        KILL,            STOP_KILL,      "kill stop-timer check-tree"),
	CELL(CLEANING,       TREE_EMPTY,      STOP_POST,      "run-stop-post stop-timer"),
	CELL(CLEANING,       TIMEOUT,         STOP_POST,      "run-stop-post stop-timer"),
	CELL(STOP_GRACE,     MAIN_EXITED,     STOP_SIGNAL,    "keep-queue signal stop-timer check-tree"),
	CELL(STOP_GRACE,     TIMEOUT,         STOP_COMMAND,   "run-stop stop-timer"),
	CELL(STOP_GRACE,     STOP,            STOP_COMMAND,   "run-stop stop-timer"),
	CELL(STOP_GRACE,     KILL,            STOP_KILL,      "kill stop-timer check-tree"),
	CELL(STOP_COMMAND,   COMMANDS_DONE,   STOP_SIGNAL,    "signal stop-timer check-tree"),
	CELL(STOP_COMMAND,   TIMEOUT,         STOP_SIGNAL,    "kill-commands signal stop-timer check-tree"),
	CELL(STOP_COMMAND,   KILL,            STOP_KILL,      "kill-commands kill stop-timer check-tree"),
	CELL(STOP_COMMAND,   MAIN_EXITED,     STOP_COMMAND,   "keep-queue"),
	CELL(STOP_SIGNAL,    MAIN_EXITED,     STOP_SIGNAL,    "keep-queue check-tree"),
	CELL(STOP_SIGNAL,    COMMANDS_DONE,   STOP_SIGNAL,    "check-tree"),
	CELL(STOP_SIGNAL,    TREE_EMPTY,      STOP_POST,      "run-stop-post stop-timer"),
	CELL(STOP_SIGNAL,    TIMEOUT,         STOP_KILL,      "kill stop-timer check-tree"),
	CELL(STOP_SIGNAL,    KILL,            STOP_KILL,      "kill stop-timer check-tree"),
	CELL(STOP_KILL,      MAIN_EXITED,     STOP_KILL,      "keep-queue check-tree"),
	CELL(STOP_KILL,      COMMANDS_DONE,   STOP_KILL,      "check-tree"),
	CELL(STOP_KILL,      TREE_EMPTY,      STOP_POST,      "run-stop-post stop-timer"),
	CELL(STOP_KILL,      TIMEOUT,         STOP_POST,      "run-stop-post stop-timer"),
	CELL(STOP_POST,      COMMANDS_DONE,   ENDED,          "decide"),
	CELL(STOP_POST,      TIMEOUT,         STOP_POST_KILL, "kill-commands stop-timer"),
	CELL(STOP_POST,      KILL,            STOP_POST_KILL, "kill-commands stop-timer"),
	CELL(STOP_POST_KILL, COMMANDS_DONE,   ENDED,          "decide"),
	CELL(STOP_POST_KILL, TIMEOUT,         ENDED,          "decide"),
	CELL(ENDED,          RESTART_NOW,     UP,             "spawn"),
	CELL(ENDED,          RESTART_LATER,   BACKOFF,        "delay-timer away"),
	CELL(ENDED,          RESTART_LIMITED, PAUSED,         "delay-timer away"),
	CELL(ENDED,          REST,            DOWN,           "away report-end"),
	CELL(BACKOFF,        TIMEOUT,         UP,             "spawn"),
	CELL(BACKOFF,        START,           UP,             "spawn"),
	CELL(BACKOFF,        STOP,            ENDED,          "decide"),
	CELL(BACKOFF,        INTERRUPT,       ENDED,          "decide"),
	CELL(BACKOFF,        KILL,            ENDED,          "decide"),
	CELL(PAUSED,         TIMEOUT,         UP,             "spawn"),
	CELL(PAUSED,         START,           UP,             "spawn"),
	CELL(PAUSED,         STOP,            ENDED,          "decide"),
	CELL(PAUSED,         INTERRUPT,       ENDED,          "decide"),
	CELL(PAUSED,         KILL,            ENDED,          "decide"),
};
/* clang-format on */

static const struct wanted_cell *
find_wanted(enum service_state state, enum service_event event)
{
	for (size_t i = 0; i < PK_ARRAY_SIZE(wanted_cells); i++)
		if (wanted_cells[i].state == state && wanted_cells[i].event == event)
			return &wanted_cells[i];
	return NULL;
}

static const char *
print_actions(unsigned actions, char *buffer, size_t size)
{
	size_t at = 0;

	buffer[0] = '\0';
	for (unsigned i = 0; i < SERVICE_N_ACTIONS; i++)
		if (actions & 1u << i)
			at += (size_t)snprintf(buffer + at, size - at, "%s%s",
				at ? " " : "", service_action_name(1u << i));
	return buffer;
}

static void
every_cell_is_as_expected(void **state)
{
	unsigned n_filled = 0;

	(void)state;
	for (unsigned i = 0; i < SERVICE_STATE_MAX; i++)
		for (unsigned j = 0; j < SERVICE_EVENT_MAX; j++) {
			enum service_state from = (enum service_state)i;
			enum service_event event = (enum service_event)j;
			const struct service_transition *cell =
				service_fsm_lookup(from, event);
			const struct wanted_cell *wanted = find_wanted(from, event);
			char actions[256];

			CHECK_ROW(!cell == !wanted, "%s + %s: %s",
				service_state_name(from), service_event_name(event),
				cell ? "filled, should be empty"
				     : "empty, should be filled");
			if (!cell)
				continue;
			n_filled++;
			(void)print_actions(cell->actions, actions, sizeof(actions));
			CHECK_ROW(cell->next == wanted->next &&
					strcmp(actions, wanted->actions) == 0,
				"%s + %s -> %s: %s", service_state_name(from),
				service_event_name(event), service_state_name(cell->next),
				actions);
		}
	assert_int_equal(n_filled, PK_ARRAY_SIZE(wanted_cells));
}

/* Marks what can be reached from `from` by any events; returns how many states that are.
 */
static unsigned
walk(enum service_state from, bool *seen)
{
	unsigned n = 1;

	seen[from] = true;
	for (unsigned j = 0; j < SERVICE_EVENT_MAX; j++) {
		const struct service_transition *cell =
			service_fsm_lookup(from, (enum service_event)j);

		if (cell && !seen[cell->next])
			n += walk(cell->next, seen);
	}
	return n;
}

static void
every_state_is_reached_from_down_and_reaches_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SERVICE_STATE_MAX; i++) {
		bool seen[SERVICE_STATE_MAX] = { false };

		assert_int_equal(walk((enum service_state)i, seen), SERVICE_STATE_MAX);
		assert_true(seen[SERVICE_DOWN]);
	}
}

static void
every_state_with_processes_ends_by_a_timeout_or_their_death(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SERVICE_STATE_MAX; i++) {
		enum service_state from = (enum service_state)i;

		if (!service_state_has_processes(from) || from == SERVICE_UP)
			continue;
		/* only the manager's word ends the doubt; it always comes
		 * (notify_barrier) */
		if (from == SERVICE_JUDGING)
			continue;
		CHECK_ROW(service_fsm_lookup(from, SERVICE_EVENT_TIMEOUT),
			"%s has no way out", service_state_name(from));
	}
}

static void
whoever_enters_a_state_with_a_timeout_sets_a_timer(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PK_ARRAY_SIZE(wanted_cells); i++) {
		const struct wanted_cell *cell = &wanted_cells[i];

		if (cell->next == cell->state ||
			!service_fsm_lookup(cell->next, SERVICE_EVENT_TIMEOUT))
			continue;
		CHECK_ROW(strstr(cell->actions, "-timer"), "%s + %s sets no timer",
			service_state_name(cell->state), service_event_name(cell->event));
	}
}

static void
a_stop_and_a_kill_are_heard_wherever_something_can_be_ended(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SERVICE_STATE_MAX; i++) {
		enum service_state from = (enum service_state)i;
		bool waits = from == SERVICE_UP || from == SERVICE_JUDGING ||
			from == SERVICE_BACKOFF || from == SERVICE_PAUSED;
		bool may_hang = from == SERVICE_STOP_GRACE ||
			from == SERVICE_STOP_COMMAND || from == SERVICE_STOP_SIGNAL ||
			from == SERVICE_STOP_POST;

		if (waits) {
			assert_non_null(service_fsm_lookup(from, SERVICE_EVENT_STOP));
			assert_non_null(
				service_fsm_lookup(from, SERVICE_EVENT_INTERRUPT));
		}
		if (waits || may_hang)
			assert_non_null(service_fsm_lookup(from, SERVICE_EVENT_KILL));
	}
}

static bool
is_a_name(const char *name)
{
	return name && *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

static void
everything_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SERVICE_STATE_MAX; i++) {
		assert_true(is_a_name(service_state_name((enum service_state)i)));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(service_state_name((enum service_state)i),
				service_state_name((enum service_state)j));
	}
	for (unsigned i = 0; i < SERVICE_EVENT_MAX; i++) {
		assert_true(is_a_name(service_event_name((enum service_event)i)));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(service_event_name((enum service_event)i),
				service_event_name((enum service_event)j));
	}
	for (unsigned i = 0; i < SERVICE_N_ACTIONS; i++) {
		assert_true(is_a_name(service_action_name(1u << i)));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(service_action_name(1u << i),
				service_action_name(1u << j));
	}
	/* the last action is the last bit: nobody forgot to count */
	assert_int_equal(ACT_REPORT_END, 1u << (SERVICE_N_ACTIONS - 1));
}

static void
the_printed_table_has_a_line_for_each_filled_cell(void **state)
{
	PK_FREE char *text = NULL;
	size_t size = 0, n_lines = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	service_fsm_print(out);
	assert_int_equal(fclose(out), 0);
	for (const char *p = text; *p; p++)
		n_lines += *p == '\n';
	assert_int_equal(n_lines, PK_ARRAY_SIZE(wanted_cells));
	assert_null(strstr(text, "(null)"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_as_expected),
		cmocka_unit_test(every_state_is_reached_from_down_and_reaches_down),
		cmocka_unit_test(
			every_state_with_processes_ends_by_a_timeout_or_their_death),
		cmocka_unit_test(whoever_enters_a_state_with_a_timeout_sets_a_timer),
		cmocka_unit_test(
			a_stop_and_a_kill_are_heard_wherever_something_can_be_ended),
		cmocka_unit_test(everything_has_a_name_of_its_own),
		cmocka_unit_test(the_printed_table_has_a_line_for_each_filled_cell),
	};

	return cmocka_run_group_tests_name("service-fsm", tests, NULL, NULL);
}
