/* SPDX-License-Identifier: Apache-2.0 */
/* exec - runs a command: a Nagios plugin, a program that prints JSON, or any other
 *
 * The command runs in a session and process group of its own (exec_spawn.h), which is killed as a
 * whole when its leader has ended or its time is up; what left the session is found and killed, too
 * (exec_left.h). What it said becomes an observation in exec_tell.h.
 *
 * Its end is seen through a pidfd, not SIGCHLD: the child stays ours to name until it is reaped.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "exec_left.h"
#include "exec_spawn.h"
#include "exec_tell.h"

/* One turn reads at most what a pipe holds. */
#define READ_BYTES 4096
#define READS_MAX  17

/* Newer headers name it; the value is the kernel's. */
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* ---- Options ---- */

struct exec_opts {
	struct strlist command;
	char *format;
	json_t *codes;
	json_t *environment;
	char *directory;
	char *user;
	struct exec_limits limits;
};

static const struct conf_item limit_items[] = {
	CONF_SIZE(struct exec_limits, output, .def = "64KB", .min = 256, .max = 1 << 20,
		  .help = "Of each of stdout and stderr so much is kept; the rest is read and "
			  "dropped"),
	CONF_DURATION(struct exec_limits, cpu, .min = 1000, .max = 86400000,
		      .help = "CPU time of each process, in whole seconds"),
	CONF_SIZE(struct exec_limits, memory, .min = 1 << 20, .max = 1e15,
		  .help = "Memory of its own that each process may have (RLIMIT_DATA)"),
	CONF_INT(struct exec_limits, processes, .min = 1, .max = 1e6,
		 .help = "Processes and threads that its user may have, all together "
			 "(RLIMIT_NPROC; root is not bound by it)"),
	CONF_INT(struct exec_limits, nofile, .min = 8, .max = 1e6,
		 .help = "Open files of each process"),
	CONF_SIZE(struct exec_limits, file_size, .min = 1, .max = 1e15,
		  .help = "Size of a file that it may write"),
	CONF_END,
};

static const struct conf_item exec_items[] = {
	CONF_LIST(
		struct exec_opts, command, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		.help = "Program and its arguments, no shell reads it; a program without a path "
			"is looked for in PATH and where plugins are (/usr/lib/nagios/plugins …)"),
	CONF_ENUM(struct exec_opts, format, .def = "nagios", .choices = "nagios|json|text",
		  .help = "How to read what it prints and how it ends"),
	CONF_STRMAP(struct exec_opts, codes,
		    .help = "What exit codes mean, in place of the format's own: {3: fail, 10-255: "
			    "error}; pass, warn, fail, down, error"),
	CONF_STRMAP(struct exec_opts, environment, .flags = CONF_F_SECRET,
		    .help = "Environment beside PATH, LANG and HALE_CHECK, name: value"),
	CONF_STR(struct exec_opts, directory, .def = "/", .help = "Working directory"),
	CONF_STR(struct exec_opts, user, .flags = CONF_F_NONEMPTY,
		 .help = "Run it as this user, name or number; only if hale runs as root"),
	CONF_MAP(struct exec_opts, limits, limit_items, .def = "{}", .help = "What it may use"),
	CONF_END,
};

static const struct metric_doc exec_metrics[] = {
	{"*", "nagios: measurements the plugin prints (perfdata), named label plus unit; json: "
	      "members of metrics"},
	{NULL, NULL},
};

static const struct metric_doc exec_details[] = {
	{"exit_code", "how it ended"},
	{"output", "lines after the first, up to 4 KiB"},
	{"thresholds",
	 "by metric: warning, critical, min and max as the plugin printed them, and "
	 "crossed: which of them was. They judge nothing here: the plugin has, by its "
	 "exit code"},
	{"perfdata_unreadable", "how many measurements could not be read"},
	{"metrics_dropped", "how many there were beyond the 256 that are taken"},
	{"output_cut", "true if it printed more than limits.output"},
	{"*", "json: members of details, up to 4 KiB together"},
	{NULL, NULL},
};

static const struct reason_doc exec_reasons[] = {
	{REASON_EXEC_WARN, "the exit code, or the JSON's status, says warn"},
	{REASON_EXEC_CRITICAL, "it says fail, or down"},
	{REASON_EXEC_UNKNOWN, "it says unknown, or has a code that nobody explains"},
	{REASON_EXEC_SIGNAL, "killed by a signal of its own or others'; also by a limit"},
	{REASON_EXEC_FAILED, "could not be started"},
	{REASON_BODY_NOT_JSON, "format json: ended with 0, but printed none"},
	{REASON_UNEXPECTED_REPLY, "format json: a status that is no known word"},
	{REASON_TIMEOUT, "not done by the timeout; killed"},
	REASON_DOC_END,
};

static const char exec_about[] =
	"The command runs as hale's user (or `user`) with no shell, in a session of its own, with "
	"nothing on its input and an environment of its own. When it has ended, or its time is up, "
	"everything it started is killed with it, also what went into the background.\n\n"
	"**nagios**: exit code 0 OK, 1 warning, 2 critical, 3 unknown; the first line is the "
	"message (of stderr, if stdout is silent); what follows `|` are measurements. "
	"`'rta'=1.5ms` is `rta_ms`, `/var=512MB` is `var_bytes`; units: `s` `_seconds`, `ms` `us` "
	"`ns` `_ms`, `%` `_percent`, `B` to `TB` `_bytes` (1024), `c` `_total`.\n\n"
	"**text**: any program: exit code 0 is pass, all others are fail; the first line is the "
	"message.\n\n"
	"**json**: it prints `{\"status\": \"pass\", \"message\": \"…\", \"metrics\": "
	"{\"name\": 1}, \"details\": {…}}`. The status is `pass` (`ok`, `healthy`), `warn` "
	"(`degraded`), `fail` (`critical`, `unhealthy`, `error`), `down` or `unknown`; without one "
	"the exit code counts, as for text. One that dies with a traceback has its last line as "
	"the message.\n\n"
	"`HALE_CHECK` in its environment names component and run.";

static const char exec_example[] =
	"backup:\n"
	"  exec:\n"
	"    command: [check_file_age, -w, \"90000\", -f, /backup/latest]\n"
	"  interval: 5m\n"
	"  on_error: critical\n"
	"queue:\n"
	"  exec:\n"
	"    command: [/opt/trade/bin/check-queue, --json]\n"
	"    format: json\n"
	"    environment: {QUEUE_TOKEN: \"${QUEUE_TOKEN}\"}\n"
	"    limits: {memory: 256MB, cpu: 5s}\n"
	"  thresholds: {depth: {degraded: \"> 100\"}}\n"
	"trader:\n"
	"  exec:\n"
	"    command: [systemctl, --user, is-active, polymarket-trader]\n"
	"    format: text\n"
	"  timeout: 5s\n";

static enum exec_format format_of(const struct exec_opts *o)
{
	if (str_eq(o->format, "json"))
		return EXEC_JSON;
	return str_eq(o->format, "text") ? EXEC_TEXT : EXEC_NAGIOS;
}

static int parse_codes(const struct exec_opts *o, struct exec_codes *codes_r, struct err *err)
{
	return exec_codes_parse(o->codes, format_of(o) != EXEC_NAGIOS, codes_r, err);
}

static struct exec_spawn *make_spawn(const struct exec_opts *o, struct err *err)
{
	return exec_spawn_new(&(struct exec_command){.argv = &o->command,
						     .environment = o->environment,
						     .directory = o->directory,
						     .user = o->user,
						     .limits = &o->limits},
			      err);
}

static void exec_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct exec_opts *o = opts;
	struct exec_codes codes;
	struct exec_spawn *spawn;
	struct err err = {0};
	const char *name;
	json_t *value;

	if (o->command.n > 0 && *o->command.v[0] == '\0')
		problem(ctx, "/command", "the program's name is empty");
	/* A whole command line as one text: no shell takes it apart. */
	if (o->command.n == 1 && strchr(o->command.v[0], ' ') != NULL &&
	    access(o->command.v[0], F_OK) < 0)
		problem(ctx, "/command",
			"is the name of one program, as no shell reads it; write a list, "
			"[check_tcp, -H, db1, -p, \"5432\"], or [sh, -c, \"…\"]");
	json_object_foreach (o->environment, name, value) {
		if (*name == '\0' || strchr(name, '=') != NULL)
			problem(ctx, "/environment", "a name may not be empty or contain '='");
	}
	if (o->directory != NULL && *o->directory != '/')
		problem(ctx, "/directory", "expected an absolute path");
	if (parse_codes(o, &codes, &err) < 0)
		problem(ctx, "/codes", err.text);
	spawn = make_spawn(o, &err);
	if (spawn == NULL)
		problem(ctx, "/user", err.text);
	exec_spawn_free(spawn);
}

struct exec_prep {
	struct exec_codes codes;
	struct exec_spawn *spawn; /* NULL: err says why */
	struct err err;
};

static void *exec_prepare(const void *opts)
{
	struct exec_prep *prep = mem_alloc(sizeof(*prep));

	(void)parse_codes(opts, &prep->codes, &prep->err);
	prep->spawn = make_spawn(opts, &prep->err);
	return prep;
}

static void exec_unprepare(void *thing)
{
	struct exec_prep *prep = thing;

	exec_spawn_free(prep->spawn);
	free(prep);
}

/* ---- One run ---- */

enum stream { STREAM_OUT, STREAM_ERR, STREAM_N };

struct output {
	uv_poll_t poll;
	int fd; /* reading end */
	size_t max;
	bool is_cut;
	struct str text;
};

struct exec_run {
	struct exec_left *left;
	char *mark;
	pid_t pid;
	int pidfd;
	uv_poll_t death;
	struct output outputs[STREAM_N];
	unsigned open_handles;
	bool is_reaped;
	int how;    /* of waitid: CLD_EXITED …; 0: nobody knows */
	int status; /* code or signal */
};

/* ---- Ending ---- */

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
	const struct exec_prep *prep = check_prep(c);
	HALE_CLEANUP(str_done) struct str out = run->outputs[STREAM_OUT].text;
	HALE_CLEANUP(str_done) struct str errors = run->outputs[STREAM_ERR].text;
	struct exec_said said = {
		.format = format_of(check_opts(c)),
		.codes = &prep->codes,
		.is_cut = run->outputs[STREAM_OUT].is_cut || run->outputs[STREAM_ERR].is_cut,
		.how = run->how,
		.status = run->status,
	};

	for (size_t i = 0; i < STREAM_N; i++)
		close(run->outputs[i].fd);
	close(run->pidfd);
	without_nul(&out);
	without_nul(&errors);
	said.out = str_text(&out);
	said.err = str_text(&errors);
	exec_tell(c, &said);
}

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
		size_t room = out->max - out->text.len;

		n = read(out->fd, buf, sizeof(buf));
		if (n > 0)
			str_addn(&out->text, buf, HALE_MIN((size_t)n, room));
		out->is_cut |= n > 0 && (size_t)n > room;
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
	run->how = rc == 0 ? info.si_code : 0;
	run->status = info.si_status;
	return true;
}

static void on_death(uv_poll_t *poll, int status HALE_UNUSED, int events HALE_UNUSED)
{
	struct check *c = poll->data;
	struct exec_run *run = check_run_data(c);

	kill_group(run);
	if (!reap(run))
		return;
	exec_left_end(run->left, run->pid, TAKE_PTR(run->mark));
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

/* No descriptor left: then nobody would see its end. */
static int give_up(struct exec_run *run, struct err *err)
{
	int rc = -errno;

	kill_group(run);
	(void)waitpid(run->pid, NULL, 0);
	return err_errno(err, rc, "cannot watch over it");
}

static int start_program(struct check *c, const int write_ends[STREAM_N], struct err *err)
{
	const struct exec_prep *prep = check_prep(c);
	struct exec_run *run = check_run_data(c);

	if (prep->spawn == NULL)
		return err_set(err, -EINVAL, "%s", prep->err.text);
	run->left = exec_left_of(c);
	run->mark = exec_left_mark(run->left, check_id(c));
	run->pid = exec_spawn_start(prep->spawn, write_ends[STREAM_OUT], write_ends[STREAM_ERR],
				    run->mark, err);
	if (run->pid < 0)
		return (int)run->pid;
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	return run->pidfd < 0 ? give_up(run, err) : 0;
}

static int begin(struct check *c, struct err *err)
{
	const struct exec_opts *o = check_opts(c);
	struct exec_run *run = check_run_data(c);
	int read_ends[STREAM_N] = {-1, -1};
	int write_ends[STREAM_N] = {-1, -1};
	int rc = make_pipes(read_ends, write_ends);

	if (rc < 0)
		(void)err_errno(err, rc, "no pipes for it");
	else
		rc = start_program(c, write_ends, err);
	close_all(write_ends);
	if (rc < 0) {
		close_all(read_ends);
		free(TAKE_PTR(run->mark));
		return rc;
	}
	exec_left_add(run->left, run->pid);
	for (size_t i = 0; i < STREAM_N; i++) {
		run->outputs[i].fd = read_ends[i];
		run->outputs[i].max = (size_t)o->limits.output;
		watch(c, &run->outputs[i].poll, read_ends[i], on_output);
	}
	watch(c, &run->death, run->pidfd, on_death);
	return 0;
}

static void exec_start(struct check *c)
{
	struct err err = {0};

	if (begin(c, &err) < 0)
		check_done(c, REASON_EXEC_FAILED, "%s", err.text);
}

/* Killed, it dies; and its death ends the run as always. */
static void exec_cancel(struct check *c)
{
	kill_group(check_run_data(c));
}

const struct check_ops check_ops = {
	.kind = "exec",
	.summary = "runs a command: a Nagios plugin, a program that prints JSON, or any other",
	.about = exec_about,
	.items = exec_items,
	.opts_size = sizeof(struct exec_opts),
	.run_size = sizeof(struct exec_run),
	.metrics = exec_metrics,
	.details = exec_details,
	.reasons = exec_reasons,
	.example = exec_example,
	.validate = exec_validate,
	.prepare = exec_prepare,
	.unprepare = exec_unprepare,
	.start = exec_start,
	.cancel = exec_cancel,
};
