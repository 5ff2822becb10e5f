# `make bench`: numbers, not verdicts; see tests/bench/README.md. Nothing here is part of
# `make check`.
bench_programs = \
	%D%/bare-loop \
	%D%/echo-server \
	%D%/load-client \
	%D%/restart-client

bench_scripts = \
	%D%/bench-idle.py \
	%D%/bench-inspect.py \
	%D%/bench-load.py \
	%D%/bench-restart.py

EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)
%C%_bare_loop_SOURCES = %D%/bare-loop.c
%C%_bare_loop_LDADD =
%C%_echo_server_SOURCES = %D%/echo-server.c %D%/bench-notes.h
%C%_echo_server_LDADD =
%C%_load_client_SOURCES = %D%/load-client.c %D%/bench-notes.h
%C%_load_client_LDADD =
%C%_restart_client_SOURCES = %D%/restart-client.c
%C%_restart_client_LDADD =
EXTRA_DIST += $(bench_scripts) %D%/peers.py %D%/README.md

# BENCHES picks some: make bench BENCHES=tests/bench/bench-restart.py
BENCHES = $(bench_scripts)

.PHONY: bench
bench: portkeeper portkeeperd $(bench_programs)
	@test -n '$(PYTEST_PYTHON)' || { echo 'bench: no python3 with pytest here' >&2; exit 1; }
	@for bench in $(BENCHES); do \
		echo "== $$bench"; \
		PK_BUILDDIR='$(abs_top_builddir)' PYTHONDONTWRITEBYTECODE=1 \
			'$(PYTEST_PYTHON)' $(srcdir)/$$bench || exit 1; \
	done
