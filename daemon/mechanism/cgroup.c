/* SPDX-License-Identifier: MIT */
/* cgroup: see cgroup.h. */
#include "mechanism/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "protocol/cleanup.h"

struct cgroup {
	char path[PATH_MAX];
	int procs_fd;
	int kill_fd;
};

/* Where the unified hierarchy is mounted: alone, or beside the old ones. */
static const char *
cgroup_mount(void)
{
	static const char *const places[] = { "/sys/fs/cgroup",
		"/sys/fs/cgroup/unified" };
	struct statfs fs;

	for (size_t i = 0; i < PK_ARRAY_SIZE(places); i++)
		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return places[i];
	return NULL;
}

/* The line "0::/path" of /proc/self/cgroup: cgroups(7). */
static int
cgroup_own_path(char *path, size_t size)
{
	PK_FCLOSE FILE *file = fopen("/proc/self/cgroup", "re");
	const char *mount = cgroup_mount();
	char line[PATH_MAX + 8];

	if (!file || !mount)
		return -ENOENT;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		return (size_t)snprintf(path, size, "%s%s", mount, line + 3) < size
			? 0
			: -ENAMETOOLONG;
	}
	return -ENOENT;
}

/* systemd marks what it delegates by one of these attributes:
 * systemd.resource-control(5). */
static bool
cgroup_is_delegated(const char *path)
{
	char value;

	return (getxattr(path, "user.delegate", &value, 1) == 1 && value == '1') ||
		(getxattr(path, "trusted.delegate", &value, 1) == 1 && value == '1');
}

static int
cgroup_open_file(const struct cgroup *cgroup, const char *name)
{
	char path[PATH_MAX + 32];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", cgroup->path, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int
cgroup_open(const char *name, pid_t manager, struct cgroup **ret_cgroup)
{
	char own[PATH_MAX];
	struct cgroup *cgroup;
	int r = cgroup_own_path(own, sizeof(own));

	if (r < 0)
		return r;
	if (!cgroup_is_delegated(own))
		return -ENOENT;
	cgroup = calloc(1, sizeof(*cgroup));
	if (!cgroup)
		return -ENOMEM;
	cgroup->procs_fd = cgroup->kill_fd = -1;
	/* two of one name in one cgroup must not share it; a successor has the same
	 * manager */
	if ((size_t)snprintf(cgroup->path, sizeof(cgroup->path), "%s/%s-%d", own, name,
		    (int)manager) >= sizeof(cgroup->path))
		r = -ENAMETOOLONG;
	else if (mkdir(cgroup->path, 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r >= 0)
		r = cgroup->procs_fd = cgroup_open_file(cgroup, "cgroup.procs");
	if (r >= 0)
		r = cgroup->kill_fd = cgroup_open_file(cgroup, "cgroup.kill");
	if (r < 0) {
		(void)cgroup_free(cgroup);
		return r;
	}
	*ret_cgroup = cgroup;
	return 0;
}

struct cgroup *
cgroup_free(struct cgroup *cgroup)
{
	if (!cgroup)
		return NULL;
	(void)pk_close(cgroup->procs_fd);
	(void)pk_close(cgroup->kill_fd);
	(void)rmdir(cgroup->path); /* EBUSY while somebody is in it */
	free(cgroup);
	return NULL;
}

int
cgroup_procs_fd(const struct cgroup *cgroup)
{
	return cgroup ? cgroup->procs_fd : -1;
}

int
cgroup_kill(const struct cgroup *cgroup)
{
	if (!cgroup)
		return -ENOENT;
	return write(cgroup->kill_fd, "1", 1) == 1 ? 0 : -errno;
}
