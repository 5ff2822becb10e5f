# portkeeper: everything but main.c is a convenience library, which the tests link, too.
noinst_LTLIBRARIES += libpkclient.la

libpkclient_la_SOURCES = \
	%D%/command.h \
	%D%/cmd-doctor.c \
	%D%/cmd-inspect.c \
	%D%/cmd-release.c \
	%D%/doctor.h \
	%D%/doctor-fix.c \
	%D%/doctor-kernel.c \
	%D%/doctor-port.c \
	%D%/doctor-system.c \
	%D%/output.c %D%/output.h \
	%D%/port-view.c %D%/port-view.h \
	%D%/release-select.c %D%/release-select.h \
	%D%/run.c %D%/run.h \
	%D%/run-manager.c \
	%D%/run-store.c %D%/run-store.h
libpkclient_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(MNL_CFLAGS)
libpkclient_la_LIBADD = libpkprotocol.la $(JANSSON_LIBS)

bin_PROGRAMS += portkeeper

portkeeper_SOURCES = %D%/main.c
portkeeper_LDADD = libpkclient.la
