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
	%D%/unit/test-bind-diagnosis \
	%D%/unit/test-sock-diag \
	%D%/unit/test-socket-owner

if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif

# ---- fuzz: with --enable-fuzzing libFuzzer drives them, else replay.c runs their corpus
fuzzers = \
	%D%/fuzz/fuzz-sock-diag

check_PROGRAMS += $(fuzzers)
%C%_fuzz_fuzz_sock_diag_SOURCES = %D%/fuzz/fuzz-sock-diag.c $(fuzz_driver)
if FUZZING
fuzz_driver =
AM_LDFLAGS += -fsanitize=fuzzer
else
fuzz_driver = %D%/fuzz/replay.c
TESTS += %D%/fuzz/replay.sh
endif
EXTRA_DIST += %D%/fuzz/replay.sh %D%/fuzz/corpus

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
	%D%/integration/test_container.py \
	%D%/integration/test_crash.py \
	%D%/integration/test_doctor.py \
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
lint_tests =
TESTS += $(lint_tests)
EXTRA_DIST += $(lint_tests)

include tests/bench/local.mk
