/* SPDX-License-Identifier: Apache-2.0 */
/* exec - runs a command that keeps the Nagios plugin contract
 *
 * Exit code 0, 1, 2, 3: OK, warning, critical, unknown; the first line of the output is the
 * message, what follows "|" are measurements (perfdata.h). The command runs in a session and
 * process group of its own, which is killed as a whole when its leader has ended or its time is up:
 * nothing it started stays behind.
 *
 * Its end is seen through a pidfd, not SIGCHLD: the child stays ours to name until it is reaped.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "perfdata.h"

/* Of each stream; what a plugin says beyond that is read and dropped, so that it can end. */
#define OUTPUT_MAX_BYTES (64u << 10)
/* Of the longer text, in details: they travel with every observation. */
#define MORE_MAX_BYTES   4096

/* One turn reads at most what a pipe holds. */
#define READ_BYTES 4096
#define READS_MAX  17

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Newer headers name it; the value is the kernel's. */
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* ---- Options ---- */

struct exec_opts {
	struct strlist command;
	json_t *environment;
	char *directory;
};

static const struct conf_item exec_items[] = {
	CONF_LIST(
		struct exec_opts, command, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		.help = "Program, absolute or found in PATH, and its arguments; no shell reads it"),
	CONF_STRMAP(struct exec_opts, environment, .flags = CONF_F_SECRET,
		    .help = "Environment beside PATH and LANG, name: value"),
	CONF_STR(struct exec_opts, directory, .def = "/", .help = "Working directory"),
	CONF_END,
};

static const struct metric_doc exec_metrics[] = {
	{"*", "measurements the plugin prints (perfdata), named label plus unit"},
	{NULL, NULL},
};

static void exec_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct exec_opts *o = opts;
	const char *name;
	json_t *value;

	if (o->command.n > 0 && *o->command.v[0] == '\0')
		problem(ctx, "/command", "the program's name is empty");
	json_object_foreach (o->environment, name, value) {
		if (*name == '\0' || strchr(name, '=') != NULL)
			problem(ctx, "/environment", "a name may not be empty or contain '='");
	}
	if (o->directory != NULL && *o->directory != '/')
		problem(ctx, "/directory", "expected an absolute path");
}

/* ---- One run ---- */

enum stream { STREAM_OUT, STREAM_ERR, STREAM_N };

struct output {
	uv_poll_t poll;
	int fd; /* reading end; -1: not open */
	struct str text;
};

struct exec_run {
	pid_t pid;
	int pidfd;
	uv_poll_t death;
	struct output outputs[STREAM_N];
	unsigned open_handles;
	bool is_reaped;
	int exit_code;   /* of waitid: CLD_EXITED …; 0: nobody knows */
	int exit_status; /* code or signal */
};

static void finish(struct check *c);

/* ---- Spawning ---- */

/* The list's texts, borrowed, with the NULL at the end that exec wants. */
static char **vector(const struct strlist *list)
{
	char **v = mem_array(list->n + 1, sizeof(*v));

	for (size_t i = 0; i < list->n; i++)
		v[i] = list->v[i];
	return v;
}

static void add_variable(struct strlist *list, const char *name, const char *value)
{
	HALE_CLEANUP(cleanup_free) char *entry = mem_printf("%s=%s", name, value);

	strlist_add(list, entry);
}

static void make_environment(const struct exec_opts *o, struct strlist *list)
{
	const char *path = getenv("PATH");
	const char *name;
	json_t *value;

	if (json_object_get(o->environment, "PATH") == NULL)
		add_variable(list, "PATH", path == NULL ? PATH_DEFAULT : path);
	/* Plugins are read by programs: English, and a point in numbers. */
	if (json_object_get(o->environment, "LANG") == NULL)
		add_variable(list, "LANG", "C.UTF-8");
	json_object_foreach (o->environment, name, value)
		add_variable(list, name, json_string_value(value));
}

/* A clean process: own session, no signal blocked or ignored, no descriptor of ours. */
static int spawn(const struct exec_opts *o, const int write_ends[STREAM_N], pid_t *pid_r)
{
	HALE_CLEANUP(strlist_done) struct strlist environment = {0};
	HALE_CLEANUP(cleanup_free) char **argv = vector(&o->command);
	HALE_CLEANUP(cleanup_free) char **envp = NULL;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	make_environment(o, &environment);
	envp = vector(&environment);
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&files, write_ends[STREAM_OUT], STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&files, write_ends[STREAM_ERR], STDERR_FILENO);
	(void)posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	if (o->directory != NULL)
		(void)posix_spawn_file_actions_addchdir_np(&files, o->directory);
	rc = posix_spawnp(pid_r, o->command.v[0], &files, &attr, argv, envp);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attr);
	return -rc;
}

/* ---- Ending ---- */

static void on_handle_closed(uv_handle_t *handle)
{
	struct check *c = handle->data;
	struct exec_run *run = check_run_data(c);

	if (--run->open_handles == 0)
		finish(c);
}

/* What can be read now; false at the end of the stream. Not for ever: a plugin that writes without
 * pause must not hold the loop. */
static bool drain(struct output *out)
{
	char buf[READ_BYTES];
	ssize_t n = 1;

	for (size_t i = 0; i < READS_MAX && n > 0; i++) {
		size_t room = OUTPUT_MAX_BYTES - out->text.len;

		n = read(out->fd, buf, sizeof(buf));
		if (n > 0)
			str_addn(&out->text, buf, HALE_MIN((size_t)n, room));
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* While the leader is not reaped its number is its own; the group may be gone already. */
static void kill_group(const struct exec_run *run)
{
	if (!run->is_reaped)
		(void)kill(-run->pid, SIGKILL);
}

/* False if it is not dead yet. */
static bool reap(struct exec_run *run)
{
	siginfo_t info = {0};
	int rc = waitid((idtype_t)P_PIDFD, (id_t)run->pidfd, &info, WEXITED | WNOHANG);

	if (rc == 0 && info.si_pid == 0)
		return false;
	run->is_reaped = true;
	/* Where SIGCHLD was ignored when we were started, the kernel reaped it. */
	run->exit_code = rc == 0 ? info.si_code : 0;
	run->exit_status = info.si_status;
	return true;
}

static void on_death(uv_poll_t *poll, int status HALE_UNUSED, int events HALE_UNUSED)
{
	struct check *c = poll->data;
	struct exec_run *run = check_run_data(c);

	kill_group(run);
	if (!reap(run))
		return;
	for (size_t i = 0; i < STREAM_N; i++) {
		/* Who left the session may still hold the pipe: what is there now, is all. */
		(void)drain(&run->outputs[i]);
		uv_close((uv_handle_t *)&run->outputs[i].poll, on_handle_closed);
	}
	uv_close((uv_handle_t *)&run->death, on_handle_closed);
}

static void on_output(uv_poll_t *poll, int status HALE_UNUSED, int events HALE_UNUSED)
{
	struct output *out = container_of(poll, struct output, poll);

	if (!drain(out))
		uv_poll_stop(poll);
}

/* ---- The verdict ---- */

static void take_measurement(void *ctx, const struct perfdata *p)
{
	struct check *c = ctx;

	check_metric(c, p->name, p->value);
}

static void take_thresholds(void *ctx, const struct perfdata *p)
{
	json_t *thresholds = ctx;
	json_t *one = json_object();

	if (*p->warning != '\0')
		json_object_set_new(one, "warning", json_string(p->warning));
	if (*p->critical != '\0')
		json_object_set_new(one, "critical", json_string(p->critical));
	if (*p->min != '\0')
		json_object_set_new(one, "min", json_string(p->min));
	if (*p->max != '\0')
		json_object_set_new(one, "max", json_string(p->max));
	if (json_object_size(one) > 0)
		json_object_set_new(thresholds, p->name, one);
	else
		json_decref(one);
}

static void take_measurements(struct check *c, const struct str *measurements)
{
	json_t *thresholds = json_object();
	size_t broken = perfdata_parse(str_text(measurements), take_measurement, c);

	if (broken > 0)
		check_detail(c, "perfdata_unreadable", json_integer((json_int_t)broken));
	(void)perfdata_parse(str_text(measurements), take_thresholds, thresholds);
	if (json_object_size(thresholds) > 0)
		check_detail(c, "thresholds", thresholds);
	else
		json_decref(thresholds);
}

/* Plugins print bytes; JSON text is UTF-8. */
static void to_ascii(struct str *text)
{
	for (size_t i = 0; i < text->len; i++) {
		if ((unsigned char)text->data[i] >= 0x80)
			text->data[i] = '?';
	}
}

static void take_more(struct check *c, struct str *more)
{
	json_t *text;

	if (more->len > MORE_MAX_BYTES)
		str_truncate(more, MORE_MAX_BYTES);
	if (more->len == 0)
		return;
	text = json_stringn(more->data, more->len);
	if (text == NULL) {
		to_ascii(more);
		text = json_stringn(more->data, more->len);
	}
	check_detail(c, "output", text);
}

static void tell(struct check *c, const struct exec_run *run, const char *message)
{
	static const enum reason reasons[] = {REASON_OK, REASON_EXEC_WARN, REASON_EXEC_CRITICAL,
					      REASON_EXEC_UNKNOWN};
	const char *separator = *message == '\0' ? "" : ": ";

	if (run->exit_code == 0) {
		check_done(c, REASON_EXEC_FAILED, "its exit code was lost%s%s", separator, message);
		return;
	}
	if (run->exit_code != CLD_EXITED) {
		const char *name = sigabbrev_np(run->exit_status);

		check_done(c, REASON_EXEC_SIGNAL, "killed by signal %d%s%s", run->exit_status,
			   name == NULL ? "" : ", SIG", name == NULL ? "" : name);
		return;
	}
	check_detail(c, "exit_code", json_integer(run->exit_status));
	if (run->exit_status >= (int)ARRAY_LEN(reasons))
		check_done(c, REASON_EXEC_UNKNOWN, "exit code %d%s%s", run->exit_status, separator,
			   message);
	else if (*message == '\0')
		check_done(c, reasons[run->exit_status], NULL);
	else
		check_done(c, reasons[run->exit_status], "%s", message);
}

/* The output is a text: NUL would hide what follows it. */
static void without_nul(struct str *text)
{
	for (size_t i = 0; i < text->len; i++) {
		if (text->data[i] == '\0')
			text->data[i] = '?';
	}
}

static void finish(struct check *c)
{
	struct exec_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str out = run->outputs[STREAM_OUT].text;
	HALE_CLEANUP(str_done) struct str errors = run->outputs[STREAM_ERR].text;
	HALE_CLEANUP(str_done) struct str message = {0};
	HALE_CLEANUP(str_done) struct str more = {0};
	HALE_CLEANUP(str_done) struct str measurements = {0};
	struct exec_run ended = *run;

	for (size_t i = 0; i < STREAM_N; i++)
		close(run->outputs[i].fd);
	close(run->pidfd);
	without_nul(&out);
	without_nul(&errors);
	perfdata_split(str_text(&out), &message, &more, &measurements);
	/* A program that is no plugin complains on stderr. */
	if (message.len == 0)
		str_addn(&message, str_text(&errors), strcspn(str_text(&errors), "\n"));
	take_measurements(c, &measurements);
	take_more(c, &more);
	tell(c, &ended, str_text(&message));
}

/* ---- Starting ---- */

static void watch(struct check *c, uv_poll_t *poll, int fd, uv_poll_cb on_event)
{
	struct exec_run *run = check_run_data(c);

	HALE_ASSERT(uv_poll_init(check_loop(c), poll, fd) == 0);
	poll->data = c;
	HALE_ASSERT(uv_poll_start(poll, UV_READABLE, on_event) == 0);
	run->open_handles++;
}

static int make_pipes(int read_ends[STREAM_N], int write_ends[STREAM_N])
{
	for (size_t i = 0; i < STREAM_N; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) != 0)
			return -errno;
		read_ends[i] = ends[0];
		write_ends[i] = ends[1];
		/* Ours alone: the plugin's end blocks, as it expects. */
		if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
			return -errno;
	}
	return 0;
}

static void close_all(int fds[STREAM_N])
{
	for (size_t i = 0; i < STREAM_N; i++)
		cleanup_fd(&fds[i]);
}

static int begin(struct check *c)
{
	const struct exec_opts *o = check_opts(c);
	struct exec_run *run = check_run_data(c);
	int read_ends[STREAM_N] = {-1, -1};
	int write_ends[STREAM_N] = {-1, -1};
	int rc = make_pipes(read_ends, write_ends);

	if (rc == 0)
		rc = spawn(o, write_ends, &run->pid);
	close_all(write_ends);
	if (rc != 0) {
		close_all(read_ends);
		return rc;
	}
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	if (run->pidfd < 0) {
		/* No descriptor left: then nobody would see its end. */
		rc = -errno;
		kill_group(run);
		(void)waitpid(run->pid, NULL, 0);
		close_all(read_ends);
		return rc;
	}
	for (size_t i = 0; i < STREAM_N; i++) {
		run->outputs[i].fd = read_ends[i];
		watch(c, &run->outputs[i].poll, read_ends[i], on_output);
	}
	watch(c, &run->death, run->pidfd, on_death);
	return 0;
}

static void exec_start(struct check *c)
{
	const struct exec_opts *o = check_opts(c);
	int rc = begin(c);

	if (rc != 0)
		check_done(c, REASON_EXEC_FAILED, "cannot run %s: %s", o->command.v[0],
			   strerror(-rc));
}

/* Killed, it dies; and its death ends the run as always. */
static void exec_cancel(struct check *c)
{
	kill_group(check_run_data(c));
}

const struct check_ops check_ops = {
	.kind = "exec",
	.summary = "runs a command with the Nagios plugin contract",
	.items = exec_items,
	.opts_size = sizeof(struct exec_opts),
	.run_size = sizeof(struct exec_run),
	.metrics = exec_metrics,
	.validate = exec_validate,
	.start = exec_start,
	.cancel = exec_cancel,
};
