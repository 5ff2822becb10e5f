/* SPDX-License-Identifier: MIT */
/*
 * replay: stands in for libFuzzer in a normal build: runs a fuzzer's function once over
 * each file that is named, or over each file of a folder.
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay_file(const char *path)
{
	FILE *file = fopen(path, "re");
	uint8_t *data;
	struct stat st;
	size_t size;

	if (!file || fstat(fileno(file), &st) < 0) {
		perror(path);
		exit(1);
	}
	/* exactly as large as the input, so that a sanitizer sees one byte too many */
	data = malloc((size_t)st.st_size + (st.st_size == 0));
	if (!data)
		exit(1);
	size = fread(data, 1, (size_t)st.st_size, file);
	(void)fclose(file);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
}

int
main(int argc, char **argv)
{
	char path[PATH_MAX];
	unsigned n = 0;

	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		struct dirent *entry;

		if (!folder) {
			replay_file(argv[i]);
			n++;
			continue;
		}
		while ((entry = readdir(folder))) {
			if (entry->d_name[0] == '.')
				continue;
			(void)snprintf(
				path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			replay_file(path);
			n++;
		}
		(void)closedir(folder);
	}
	(void)printf("%u inputs\n", n);
	return n > 0 ? 0 : 1;
}
