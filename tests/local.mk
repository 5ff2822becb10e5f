# Tests. `make check` runs everything here; one test: make check TESTS=tests/unit/test-backoff
# (see tests/README.md). All of them speak TAP.

LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TEST_EXTENSIONS = .sh .py
SH_LOG_DRIVER = $(LOG_DRIVER)
SH_LOG_COMPILER = $(SHELL)
PY_LOG_DRIVER = $(LOG_DRIVER)
PY_LOG_COMPILER = $(PYTEST_PYTHON) $(top_srcdir)/tests/integration/run-pytest
AM_TESTS_ENVIRONMENT = export CMOCKA_MESSAGE_OUTPUT=TAP PK_BUILDDIR='$(abs_top_builddir)' \
	PK_SRCDIR='$(abs_top_srcdir)' PK_SANITIZERS='$(enable_sanitizers)' \
	PYTHONDONTWRITEBYTECODE=1;

# what a program without its own _LDADD links
LDADD = libpkdaemon.la libpkclient.la libpkprotocol.la $(CMOCKA_LIBS) $(JANSSON_LIBS)

# ---- unit: one program for each module, named as it
unit_tests = \
	%D%/unit/test-backoff \
	%D%/unit/test-bind-diagnosis \
	%D%/unit/test-command-line \
	%D%/unit/test-connection-reap \
	%D%/unit/test-error \
	%D%/unit/test-fd-passing \
	%D%/unit/test-listener \
	%D%/unit/test-listener-watch \
	%D%/unit/test-log \
	%D%/unit/test-nearest-name \
	%D%/unit/test-notify \
	%D%/unit/test-notify-message \
	%D%/unit/test-process-holds \
	%D%/unit/test-process-tree \
	%D%/unit/test-release-select \
	%D%/unit/test-restart \
	%D%/unit/test-run-store \
	%D%/unit/test-service \
	%D%/unit/test-service-fsm \
	%D%/unit/test-service-stop \
	%D%/unit/test-sock-diag \
	%D%/unit/test-socket-address \
	%D%/unit/test-socket-owner \
	%D%/unit/test-spawn \
	%D%/unit/test-store \
	%D%/unit/test-timespan \
	%D%/unit/test-unit \
	%D%/unit/test-unit-directives

# What stands among a program's sources is taken instead of the library's: so tests get a
# clock, a loop and processes that they move by hand.
fake_loop = %D%/unit/fake-loop.c %D%/unit/fake-loop.h
fake_sys = %D%/unit/fake-sys.c %D%/unit/fake-sys.h
service_fixture = $(fake_loop) $(fake_sys) %D%/unit/service-fixture.c \
	%D%/unit/service-fixture.h
%C%_unit_test_listener_watch_SOURCES = %D%/unit/test-listener-watch.c $(fake_loop)
%C%_unit_test_notify_SOURCES = %D%/unit/test-notify.c $(fake_loop)
%C%_unit_test_process_tree_SOURCES = %D%/unit/test-process-tree.c $(fake_sys)
%C%_unit_test_service_SOURCES = %D%/unit/test-service.c $(service_fixture)
%C%_unit_test_service_stop_SOURCES = %D%/unit/test-service-stop.c $(service_fixture)
%C%_unit_test_store_SOURCES = %D%/unit/test-store.c $(fake_loop)
EXTRA_DIST += %D%/README.md %D%/unit/unit-test.h

if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif

# ---- fuzz: with --enable-fuzzing libFuzzer drives them, else replay.c runs their corpus
fuzzers = \
	%D%/fuzz/fuzz-command-line \
	%D%/fuzz/fuzz-notify-message \
	%D%/fuzz/fuzz-sock-diag \
	%D%/fuzz/fuzz-socket-address \
	%D%/fuzz/fuzz-timespan \
	%D%/fuzz/fuzz-unit-directives

check_PROGRAMS += $(fuzzers)
%C%_fuzz_fuzz_command_line_SOURCES = %D%/fuzz/fuzz-command-line.c $(fuzz_driver)
%C%_fuzz_fuzz_notify_message_SOURCES = %D%/fuzz/fuzz-notify-message.c $(fuzz_driver)
%C%_fuzz_fuzz_sock_diag_SOURCES = %D%/fuzz/fuzz-sock-diag.c $(fuzz_driver)
%C%_fuzz_fuzz_socket_address_SOURCES = %D%/fuzz/fuzz-socket-address.c $(fuzz_driver)
%C%_fuzz_fuzz_timespan_SOURCES = %D%/fuzz/fuzz-timespan.c $(fuzz_driver)
%C%_fuzz_fuzz_unit_directives_SOURCES = %D%/fuzz/fuzz-unit-directives.c $(fuzz_driver)
# libFuzzer has a main() of its own, so only the fuzzers link it
%C%_fuzz_fuzz_command_line_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
%C%_fuzz_fuzz_notify_message_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
%C%_fuzz_fuzz_sock_diag_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
%C%_fuzz_fuzz_socket_address_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
%C%_fuzz_fuzz_timespan_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
%C%_fuzz_fuzz_unit_directives_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
if FUZZING
fuzz_driver =
fuzz_ldflags = -fsanitize=fuzzer
else
fuzz_driver = %D%/fuzz/replay.c
fuzz_ldflags =
TESTS += %D%/fuzz/replay.sh
endif
EXTRA_DIST += %D%/fuzz/replay.sh %D%/fuzz/run.sh %D%/fuzz/corpus

# ---- integration: the programs, driven from outside
test_helpers = \
	%D%/helpers/load \
	%D%/helpers/note-server
check_PROGRAMS += $(test_helpers)
%C%_helpers_load_LDADD =
%C%_helpers_note_server_LDADD =

integration_tests = \
	%D%/integration/test_activation.py \
	%D%/integration/test_arguments.py \
	%D%/integration/test_attack.py \
	%D%/integration/test_container.py \
	%D%/integration/test_crash.py \
	%D%/integration/test_doctor.py \
	%D%/integration/test_every_call.py \
	%D%/integration/test_inspect.py \
	%D%/integration/test_log.py \
	%D%/integration/test_reap.py \
	%D%/integration/test_release.py \
	%D%/integration/test_repair.py \
	%D%/integration/test_restart.py \
	%D%/integration/test_stop.py \
	%D%/integration/test_terminal.py

if HAVE_PYTEST
TESTS += $(integration_tests)
endif
EXTRA_DIST += $(integration_tests) %D%/integration/run-pytest \
	%D%/integration/netns.py %D%/integration/supervised.py

# ---- lint
lint_tests = \
	%D%/lint/completion.sh \
	%D%/lint/directives-in-manual.sh \
	%D%/lint/format.sh \
	%D%/lint/fsm-diagram.sh \
	%D%/lint/layers.sh \
	%D%/lint/mandoc.sh \
	%D%/lint/options-in-manual.sh \
	%D%/lint/shellcheck.sh \
	%D%/lint/sizes.sh
check_PROGRAMS += %D%/unit/print-directives %D%/unit/print-fsm
TESTS += $(lint_tests)
EXTRA_DIST += $(lint_tests) %D%/lint/common.sh

include tests/bench/local.mk
