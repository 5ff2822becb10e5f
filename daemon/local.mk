# portkeeperd: everything but main.c is a convenience library, which the program, the unit
# tests and the fuzzers link.
noinst_LTLIBRARIES += libpkdaemon.la

libpkdaemon_la_SOURCES = \
	%D%/base/clock.c %D%/base/clock.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/loop.c %D%/base/loop.h \
	%D%/base/spec.h \
	%D%/base/sys.c %D%/base/sys.h \
	%D%/config/command-line.c %D%/config/command-line.h \
	%D%/config/unit.c %D%/config/unit.h \
	%D%/config/unit-directives.c %D%/config/unit-directives.h \
	%D%/config/unit-parsers.c %D%/config/unit-parsers.h \
	%D%/mechanism/cgroup.c %D%/mechanism/cgroup.h \
	%D%/mechanism/child.c %D%/mechanism/child.h \
	%D%/mechanism/connection-reap.c %D%/mechanism/connection-reap.h \
	%D%/mechanism/listener.c %D%/mechanism/listener.h \
	%D%/mechanism/listener-options.c %D%/mechanism/listener-options.h \
	%D%/mechanism/listener-watch.c %D%/mechanism/listener-watch.h \
	%D%/mechanism/notify.c %D%/mechanism/notify.h \
	%D%/mechanism/process-holds.c %D%/mechanism/process-holds.h \
	%D%/mechanism/process-tree.c %D%/mechanism/process-tree.h \
	%D%/mechanism/spawn.c %D%/mechanism/spawn.h \
	%D%/mechanism/store.c %D%/mechanism/store.h \
	%D%/policy/backoff.c %D%/policy/backoff.h \
	%D%/policy/handover.c %D%/policy/handover.h \
	%D%/policy/manager.c %D%/policy/manager.h \
	%D%/policy/restart.c %D%/policy/restart.h \
	%D%/policy/service.c %D%/policy/service.h \
	%D%/policy/service-fsm.c %D%/policy/service-fsm.h \
	%D%/policy/service-listeners.c \
	%D%/policy/service-parts.h \
	%D%/policy/service-processes.c \
	%D%/policy/service-reap.c \
	%D%/policy/service-report.c \
	%D%/surface/options.c %D%/surface/options.h
libpkdaemon_la_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SYSTEMD_CFLAGS)
libpkdaemon_la_LIBADD = libpkprotocol.la $(EVENT_LIBS) $(SYSTEMD_LIBS) -lm

sbin_PROGRAMS += portkeeperd

portkeeperd_SOURCES = %D%/surface/main.c
portkeeperd_LDADD = libpkdaemon.la
