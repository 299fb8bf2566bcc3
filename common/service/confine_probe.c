/* SPDX-License-Identifier: Apache-2.0 */
/* Each act is one that changes nothing even where it is allowed: an argument is wrong, or what was
 * made is taken away again. So "allowed" reads as: refused for another reason than permission. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "service/confine_private.h"

struct scene {
	const struct confine *c;
	const char *config;
};

#define NOT_TRIED INT_MAX /* there is nothing to try it on */

static int failed(void)
{
	return -errno;
}

static int open_close(const char *path, int flags)
{
	int fd = path != NULL ? open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;

	if (path == NULL || (fd < 0 && errno == ENOENT))
		return NOT_TRIED;
	if (fd < 0)
		return failed();
	close(fd);
	return 0;
}

/* ---- Acts: 0 or the -errno they ended in ---- */

static int act_socket(const struct scene *s HALE_UNUSED)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return failed();
	close(fd);
	return 0;
}

static int act_raw_socket(const struct scene *s HALE_UNUSED)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd < 0)
		return failed();
	close(fd);
	return 0;
}

static int with_tcp(int (*call)(int fd, const struct sockaddr *address, socklen_t len),
		    uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	HALE_CLEANUP(cleanup_fd)
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return failed();
	return call(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? failed() : 0;
}

/* Nobody hears of a socket that is bound and does not listen. */
static int act_listen(const struct scene *s HALE_UNUSED)
{
	return with_tcp(bind, 0);
}

/* To a port where nobody is: tcpmux has been out of use for decades. */
static int act_connect(const struct scene *s HALE_UNUSED)
{
	return with_tcp(connect, 1);
}

static int act_execute(const struct scene *s HALE_UNUSED)
{
	char *const none[] = {NULL};

	(void)execve("/nonexistent", none, none);
	return failed();
}

static int act_read_config(const struct scene *s)
{
	return open_close(s->config, O_RDONLY);
}

static int act_read_passwords(const struct scene *s HALE_UNUSED)
{
	return open_close("/etc/shadow", O_RDONLY);
}

static int act_write_history(const struct scene *s)
{
	return open_close(s->c->history, O_WRONLY);
}

static int make_file(const char *dir)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/probe.%d", dir, (int)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return failed();
	close(fd);
	(void)unlink(path);
	return 0;
}

static int act_make_state(const struct scene *s)
{
	const char *folder = s->c->row->state;
	HALE_CLEANUP(cleanup_free)
	char *dir = folder != NULL ? path_join(s->c->state_dir, folder) : mem_dup(s->c->state_dir);

	return make_file(dir);
}

static int act_make_temporary(const struct scene *s HALE_UNUSED)
{
	return make_file("/tmp");
}

/* At an address that nobody has. */
static int act_look_into_parent(const struct scene *s HALE_UNUSED)
{
	char byte;
	struct iovec here = {&byte, 1};
	struct iovec there = {NULL, 1};

	return process_vm_readv(getppid(), &here, 1, &there, 1, 0) < 0 ? failed() : 0;
}

static int act_signal_parent(const struct scene *s HALE_UNUSED)
{
	return kill(getppid(), 0) < 0 ? failed() : 0;
}

static int act_mount(const struct scene *s HALE_UNUSED)
{
	return mount("none", "/nonexistent", "tmpfs", 0, NULL) < 0 ? failed() : 0;
}

static int act_namespace(const struct scene *s HALE_UNUSED)
{
	return syscall(SYS_unshare, 0) < 0 ? failed() : 0;
}

static int act_user(const struct scene *s HALE_UNUSED)
{
	return syscall(SYS_setresuid, -1, -1, -1) < 0 ? failed() : 0;
}

static int act_clock(const struct scene *s HALE_UNUSED)
{
	/* Only the time zone, and one that there is not; privilege is asked about before. */
	const struct timezone nowhere = {.tz_minuteswest = 100000};

	return settimeofday(NULL, &nowhere) < 0 ? failed() : 0;
}

/* Without the magic numbers that it wants. */
static int act_reboot(const struct scene *s HALE_UNUSED)
{
	return syscall(SYS_reboot, 0, 0, 0, NULL) < 0 ? failed() : 0;
}

static int act_written_code(const struct scene *s HALE_UNUSED)
{
	void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (page == MAP_FAILED)
		return failed();
	(void)munmap(page, 1);
	return 0;
}

/* ---- What is expected of a row ---- */

static bool is_free(const struct confine *c)
{
	return c->row->calls == CONFINE_CALLS_MACHINE;
}

static bool has_network(const struct confine *c)
{
	return c->network != CONFINE_NET_NONE;
}

static bool may_listen(const struct confine *c)
{
	return (c->network & CONFINE_NET_LISTEN) != 0;
}

static bool may_connect(const struct confine *c)
{
	return (c->network & CONFINE_NET_CONNECT) != 0;
}

static bool has_raw(const struct confine *c)
{
	return (c->row->capabilities & UINT64_C(1) << CAP_NET_RAW) != 0;
}

static bool reads_any(const struct confine *c)
{
	return c->row->files == CONFINE_FILES_ANY;
}

static bool writes_state(const struct confine *c)
{
	return c->row->files >= CONFINE_FILES_WRITE_STATE;
}

static bool never(const struct confine *c HALE_UNUSED)
{
	return false;
}

static const struct {
	const char *act;
	int (*try)(const struct scene *s);
	bool (*is_allowed)(const struct confine *c);
} acts[] = {
	{"open a network socket", act_socket, has_network},
	{"connect by TCP", act_connect, may_connect},
	{"listen for TCP", act_listen, may_listen},
	{"open a raw socket", act_raw_socket, has_raw},
	{"start a program", act_execute, is_free},
	{"read hale's configuration", act_read_config, reads_any},
	{"read /etc/shadow", act_read_passwords, reads_any},
	{"write the history", act_write_history, writes_state},
	{"make a file in the state directory", act_make_state, writes_state},
	{"make a file in /tmp", act_make_temporary, reads_any},
	{"look into haled's memory", act_look_into_parent, is_free},
	{"signal haled", act_signal_parent, is_free},
	{"mount a file system", act_mount, is_free},
	{"make a namespace", act_namespace, is_free},
	{"become another user", act_user, is_free},
	{"run what it wrote to memory", act_written_code, is_free},
	{"set the clock", act_clock, never},
	{"stop the machine", act_reboot, never},
};

static bool is_refusal(int rc)
{
	return rc == -EPERM || rc == -EACCES || rc == -EAFNOSUPPORT;
}

json_t *confine_probe(const struct confine *c, const char *config)
{
	const struct scene scene = {.c = c, .config = config};
	json_t *probes = json_array();

	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		int rc = acts[i].try(&scene);
		bool is_allowed = acts[i].is_allowed(c);

		if (rc == NOT_TRIED)
			continue;
		json_array_append_new(probes,
				      json_pack("{s:s, s:s, s:s, s:s?}", "act", acts[i].act,
						"expected", is_allowed ? "allowed" : "refused",
						"result", is_refusal(rc) ? "refused" : "allowed",
						"errno", rc < 0 ? strerrorname_np(-rc) : NULL));
	}
	return probes;
}
