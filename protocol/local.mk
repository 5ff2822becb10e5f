noinst_LTLIBRARIES += libpkprotocol.la

libpkprotocol_la_SOURCES = \
	%D%/cleanup.h \
	%D%/error.c %D%/error.h \
	%D%/fd-passing.c %D%/fd-passing.h \
	%D%/nearest-name.c %D%/nearest-name.h \
	%D%/nonblocking-output.c %D%/nonblocking-output.h \
	%D%/notify-message.c %D%/notify-message.h \
	%D%/pid-list.c %D%/pid-list.h \
	%D%/sock-diag.c %D%/sock-diag.h \
	%D%/sock-diag-text.c \
	%D%/socket-address.c %D%/socket-address.h \
	%D%/socket-owner.c %D%/socket-owner.h \
	%D%/bind-diagnosis.c %D%/bind-diagnosis.h \
	%D%/bind-explain.c \
	%D%/timespan.c %D%/timespan.h
libpkprotocol_la_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
libpkprotocol_la_LIBADD = $(MNL_LIBS)
