# Manual pages, and shell completion. The completion is made from the --help of the program
# that was just built, so the build runs it: with a cross compiler that needs an emulator.

dist_man_MANS += \
	%D%/man/portkeeper.1 \
	%D%/man/portkeeper-doctor.1 \
	%D%/man/portkeeper-inspect.1 \
	%D%/man/portkeeper-release.1 \
	%D%/man/portkeeper-run.1 \
	%D%/man/portkeeper.unit.5 \
	%D%/man/portkeeperd.8

bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions
fishcompletiondir = $(datadir)/fish/vendor_completions.d
nodist_bashcompletion_DATA = %D%/completion/bash/portkeeper
nodist_zshcompletion_DATA = %D%/completion/zsh/_portkeeper
nodist_fishcompletion_DATA = %D%/completion/fish/portkeeper.fish
completions = $(nodist_bashcompletion_DATA) $(nodist_zshcompletion_DATA) \
	$(nodist_fishcompletion_DATA)

# the folder is the shell's name
$(completions): %D%/completion/generate.sh daemon/config/unit-directives.c portkeeper$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(SHELL) $(top_srcdir)/%D%/completion/generate.sh `basename $(@D)` \
		./portkeeper$(EXEEXT) $(top_srcdir)/daemon/config/unit-directives.c >$@.tmp && \
	mv $@.tmp $@

EXTRA_DIST += %D%/completion/generate.sh
CLEANFILES += $(completions)
