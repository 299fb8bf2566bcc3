/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock by its system calls: libc has no wrappers. Kernels know more of it with every release
 * ("ABI"), headers less; so the newer constants stand here. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "service/confine_private.h"

#define FS_EXECUTE     LANDLOCK_ACCESS_FS_EXECUTE
#define FS_WRITE_FILE  LANDLOCK_ACCESS_FS_WRITE_FILE
#define FS_READ_FILE   LANDLOCK_ACCESS_FS_READ_FILE
#define FS_READ_DIR    LANDLOCK_ACCESS_FS_READ_DIR
#define FS_REMOVE_FILE LANDLOCK_ACCESS_FS_REMOVE_FILE
#define FS_MAKE_REG    LANDLOCK_ACCESS_FS_MAKE_REG
#define FS_MAKE_SOCK   LANDLOCK_ACCESS_FS_MAKE_SOCK
#define FS_ABI_1       (((uint64_t)1 << 13) - 1)
#define FS_REFER       ((uint64_t)1 << 13) /* ABI 2, Linux 5.19 */
#define FS_TRUNCATE    ((uint64_t)1 << 14) /* ABI 3, Linux 6.2 */
#define FS_IOCTL_DEV   ((uint64_t)1 << 15) /* ABI 5, Linux 6.10 */
/* What a rule on something that is no directory may speak of. */
#define FS_OF_FILES    (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

#define ABI_TCP        4 /* Linux 6.7 */
#define ABI_SCOPE      6 /* Linux 6.12 */
#define NET_BIND       ((uint64_t)1 << 0)
#define NET_CONNECT    ((uint64_t)1 << 1)
#define SCOPE_ABSTRACT ((uint64_t)1 << 0)
#define SCOPE_SIGNAL   ((uint64_t)1 << 1)

/* Of ABI 6; an older kernel is given less of it. */
struct ruleset_attr {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

#define READS   (FS_READ_FILE | FS_READ_DIR)
#define WRITES  (READS | FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_REMOVE_FILE)
/* Its command socket, and away with the one of a killed predecessor. */
#define SOCKETS (FS_READ_DIR | FS_MAKE_SOCK | FS_REMOVE_FILE)

/* What the C library and those above it read. /etc as a whole would be simpler, but hale's own
 * configuration, with everybody's secrets, is there. What is not there is left out. */
static const char *const system_places[] = {
	"/usr",
	"/lib",
	"/lib32",
	"/lib64",
	"/nix/store",
	"/gnu/store",
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/etc/timezone",
	"/etc/passwd",
	"/etc/group",
	"/etc/host.conf",
	"/etc/hostname",
	"/etc/gai.conf",
	"/etc/services",
	"/etc/protocols",
	"/etc/networks",
	"/etc/machine-id",
	"/etc/ssl/certs",
	"/etc/ssl/cert.pem",
	"/etc/ssl/openssl.cnf",
	"/etc/ca-certificates",
	"/etc/pki/tls/certs",
	"/etc/pki/tls/openssl.cnf",
	"/etc/pki/ca-trust",
	"/etc/crypto-policies",
	"/etc/krb5.conf",
	"/etc/krb5.conf.d",
	"/etc/postgresql-common",
	/* Where the programs that look after /etc/resolv.conf really write it. */
	"/run/systemd/resolve",
	"/run/NetworkManager",
	"/run/resolvconf",
	"/dev/urandom",
	"/dev/random",
	"/dev/zero",
};

/* Name resolution reads these again whenever they change, and they are changed by a rename: the new
 * file is another one than the rule speaks of. So they are watched. */
static const char *const watched_places[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
};

struct ruleset {
	struct confine *c;
	int fd;
	uint64_t handled;
	unsigned read, written; /* places, for the report */
	int rc;                 /* the first that went wrong */
};

static void watch(struct confine *c, const char *path, const struct stat *st)
{
	c->watched = mem_grow(c->watched, c->watched_n + 1, sizeof(*c->watched));
	c->watched[c->watched_n++] = (struct confine_watch){
		.path = mem_dup(path),
		.dev = st != NULL ? st->st_dev : 0,
		.ino = st != NULL ? st->st_ino : 0,
	};
}

static void allow(struct ruleset *r, const char *path, uint64_t access, bool is_watched)
{
	HALE_CLEANUP(cleanup_fd) int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr attr = {.parent_fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		if (is_watched)
			watch(r->c, path, NULL);
		return;
	}
	if (is_watched)
		watch(r->c, path, &st);
	attr.allowed_access = access & r->handled;
	if (!S_ISDIR(st.st_mode))
		attr.allowed_access &= FS_OF_FILES;
	if (syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0) {
		r->rc = r->rc < 0 ? r->rc : -errno;
		return;
	}
	if ((access & FS_WRITE_FILE) != 0)
		r->written++;
	else
		r->read++;
}

/* The directory whose entries may come and go with `path`, or path itself if it is a directory, or
 * if that would open too much. Of a pattern ("/backup/db-?/x.gz") what stands before its first
 * wildcard. Caller frees. */
static char *place_of(const char *path)
{
	const char *wild = strpbrk(path, "*?[");
	const char *slash = strrchr(path, '/');
	size_t len;
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return mem_dup(path);
	if (wild != NULL && stat(path, &st) < 0)
		slash = memrchr(path, '/', (size_t)(wild - path));
	len = slash != NULL ? (size_t)(slash - path) : 0;
	if (slash == NULL)
		return mem_dup(".");
	if (len == 0 || (len == 4 && strncmp(path, "/etc", 4) == 0))
		return mem_dup(path);
	return mem_dupn(path, len);
}

/* Also where links lead to: a certificate of Let's Encrypt is one. */
static void allow_beside(struct ruleset *r, const char *path, uint64_t access)
{
	HALE_CLEANUP(cleanup_free) char *place = place_of(path);
	HALE_CLEANUP(cleanup_free) char *real = realpath(path, NULL);
	HALE_CLEANUP(cleanup_free) char *real_place = real != NULL ? place_of(real) : NULL;

	allow(r, place, access, true);
	if (real_place != NULL && !str_eq(real_place, place))
		allow(r, real_place, access, true);
}

static void allow_configured(struct ruleset *r)
{
	const struct confine_needs *n = &r->c->needs;
	bool may_write = r->c->row->files == CONFINE_FILES_WRITE_STATE;

	for (size_t i = 0; i < n->files.n; i++)
		allow(r, n->files.v[i], READS, true);
	for (size_t i = 0; i < n->besides.n; i++)
		allow_beside(r, n->besides.v[i], READS);
	for (size_t i = 0; i < n->writes.n; i++)
		allow_beside(r, n->writes.v[i], may_write ? WRITES : READS);
}

/* libpq's own files, when a database is asked. */
static void allow_home(struct ruleset *r)
{
	const struct passwd *user = getenv("HOME") == NULL ? getpwuid(geteuid()) : NULL;
	const char *home = user != NULL ? user->pw_dir : getenv("HOME");
	HALE_CLEANUP(cleanup_free) char *passwords = NULL;
	HALE_CLEANUP(cleanup_free) char *certificates = NULL;

	if (home == NULL || !r->c->needs.connects)
		return;
	passwords = mem_printf("%s/.pgpass", home);
	certificates = mem_printf("%s/.postgresql", home);
	allow(r, passwords, READS, false);
	allow(r, certificates, READS, false);
}

static void allow_state(struct ruleset *r)
{
	const char *folder = r->c->row->state;
	HALE_CLEANUP(cleanup_free)
	char *dir = folder != NULL ? path_join(r->c->state_dir, folder) : mem_dup(r->c->state_dir);

	/* One that another process makes is made here too, so that the rule has something to speak
	 * of. */
	if (r->c->row->files == CONFINE_FILES_WRITE_STATE || folder != NULL)
		(void)dir_make(dir, 0750, NULL);
	if (r->c->row->files == CONFINE_FILES_WRITE_STATE) {
		allow(r, dir, WRITES, true);
	} else if (r->c->row->files == CONFINE_FILES_READ_STATE) {
		allow(r, dir, READS, true);
	}
}

static void allow_all(struct ruleset *r, const char *run_dir)
{
	for (size_t i = 0; i < ARRAY_LEN(system_places); i++)
		allow(r, system_places[i], READS, false);
	for (size_t i = 0; i < ARRAY_LEN(watched_places); i++)
		allow(r, watched_places[i], READS, r->c->network != CONFINE_NET_NONE);
	allow(r, "/dev/null", READS | FS_WRITE_FILE | FS_TRUNCATE, false);
	r->written = 0; /* that is no place */
	/* Whoever reports a crash looks names up in it. */
	allow(r, "/proc/self/exe", READS, false);
	if (IS_SANITIZED)
		allow(r, "/proc", READS, false);
	allow(r, run_dir, SOCKETS, false);
	allow_state(r);
	allow_configured(r);
	allow_home(r);
}

/* TCP that the row does not list. */
static uint64_t net_handled(const struct confine *c, long abi)
{
	uint64_t net = 0;

	if (abi < ABI_TCP)
		return 0;
	if ((c->network & CONFINE_NET_CONNECT) == 0)
		net |= NET_CONNECT;
	if ((c->network & CONFINE_NET_LISTEN) == 0)
		net |= NET_BIND;
	return net;
}

static uint64_t fs_handled(long abi)
{
	return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
	       (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static size_t attr_size(long abi)
{
	if (abi < ABI_TCP)
		return offsetof(struct ruleset_attr, net);
	return abi < ABI_SCOPE ? offsetof(struct ruleset_attr, scoped)
			       : sizeof(struct ruleset_attr);
}

static int restrict_files(struct ruleset *r, const char *run_dir, long abi)
{
	struct ruleset_attr attr = {
		.fs = fs_handled(abi),
		.net = net_handled(r->c, abi),
		.scoped = abi >= ABI_SCOPE ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0,
	};
	int rc;

	r->handled = attr.fs;
	r->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_size(abi), 0);
	if (r->fd < 0)
		return -errno;
	allow_all(r, run_dir);
	rc = syscall(SYS_landlock_restrict_self, r->fd, 0) < 0 ? -errno : r->rc;
	close(r->fd);
	return rc;
}

static void tell_newer(struct confine *c, const char *measure, int rc, long abi, long needed,
		       const char *release, const char *detail)
{
	if (rc == 0 && abi < needed)
		confine_tell(c, measure, -EOPNOTSUPP, "Landlock ABI %ld; needs %ld (Linux %s)", abi,
			     needed, release);
	else
		confine_tell(c, measure, rc, "%s", detail);
}

static void tell_tcp(struct confine *c, int rc, long abi)
{
	const unsigned both = CONFINE_NET_CONNECT | CONFINE_NET_LISTEN;

	if ((c->network & both) == both)
		confine_tell_off(c, "landlock tcp", "both connects and listens");
	else if ((c->network & both) == 0)
		confine_tell_off(c, "landlock tcp", "has local sockets only");
	else
		tell_newer(c, "landlock tcp", rc, abi, ABI_TCP, "6.7",
			   (c->network & CONFINE_NET_LISTEN) != 0 ? "listens, does not connect"
								  : "connects, does not listen");
}

long confine_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : abi;
}

void confine_landlock(struct confine *c, const char *run_dir, long abi)
{
	struct ruleset r = {.c = c};
	int rc;

	if (c->row->files == CONFINE_FILES_ANY) {
		confine_tell_off(c, "landlock files", "its programs read what their user may");
		return;
	}
	if (abi < 0) {
		confine_tell(c, "landlock files", (int)abi, "Landlock is not in this kernel");
		return;
	}
	rc = restrict_files(&r, run_dir, abi);
	confine_tell(c, "landlock files", rc, "ABI %ld: reads %u places, writes %u", abi, r.read,
		     r.written);
	tell_tcp(c, rc, abi);
	tell_newer(c, "landlock signals", rc, abi, ABI_SCOPE, "6.12",
		   "signals only itself, no abstract sockets");
}
