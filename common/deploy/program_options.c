/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/program_options.h"

#include "model/check_watch.h"

/* A log file holds at least some lines, and rotating costs a few renames. */
#define LOG_SIZE_MIN  65536
#define LOG_SIZE_MAX  1099511627776.0 /* 1 TiB */
#define LOG_FILES_MAX 1000
/* fs.nr_open as every Linux has it by default: no limit may be above. */
#define NOFILE_MAX    1048576
#define ONE_YEAR_MS   31536000000.0

static const struct conf_item log_items[] = {
	CONF_STR(
		struct program_log_options, file,
		.help = "where its lines are written; STATE_DIR/log/NAME.log if absent, none: only "
			"to haled's own log"),
	CONF_SIZE(struct program_log_options, max_size_bytes, .name = "max_size", .def = "10MB",
		  .min = LOG_SIZE_MIN, .max = LOG_SIZE_MAX,
		  .help = "a file that would be larger is put aside as FILE.1"),
	CONF_INT(struct program_log_options, files, .def = "5", .min = 0, .max = LOG_FILES_MAX,
		 .help = "so many files are kept aside"),
	CONF_BOOL(struct program_log_options, timestamps, .def = "true",
		  .help = "the time (UTC) in front of each line"),
	CONF_END,
};

static const struct conf_item limit_items[] = {
	CONF_SIZE(struct program_limit_options, memory_bytes, .name = "memory", .min = 1048576,
		  .help = "memory of its own that one process of it may have (RLIMIT_DATA)"),
	CONF_DURATION(struct program_limit_options, cpu_ms, .name = "cpu", .min = 1000,
		      .max = ONE_YEAR_MS,
		      .help = "processor time one process may use in its life, then SIGXCPU or "
			      "SIGKILL ends it"),
	CONF_INT(struct program_limit_options, nofile, .min = 3, .max = NOFILE_MAX,
		 .help = "open files of one process"),
	CONF_SIZE(struct program_limit_options, core_bytes, .name = "core",
		  .help = "size of a core dump; 0: none"),
	CONF_INT(struct program_limit_options, processes, .min = 1,
		 .help = "processes and threads of its user, in all"),
	CONF_SIZE(struct program_limit_options, file_size_bytes, .name = "file_size",
		  .help = "size of a file it writes"),
	CONF_END,
};

static const struct conf_item check_items[] = {
	CONF_LIST(struct program_check_options, components, .ref = "components",
		  .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		  .help = "components whose failure has this program restarted"),
	CONF_ENUM(struct program_check_options, status, .def = "critical",
		  .choices = "degraded|critical|down", .help = "this status, or a worse one"),
	CONF_DURATION(struct program_check_options, after_ms, .name = "after", .def = "30s",
		      .max = 86400000, .help = "without a break so long"),
	CONF_INT(struct program_check_options, limit, .def = "3", .min = 1,
		 .max = CHECK_WATCH_LIMIT_MAX,
		 .help = "restarts within window; then it is told, and left alone"),
	CONF_DURATION(struct program_check_options, window_ms, .name = "window", .def = "1h",
		      .min = 1000, .max = 86400000 * 7.0, .help = "the time limit is counted in"),
	CONF_END,
};

const struct conf_item program_items[] = {
	CONF_LIST(struct program_options, command, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		  .help = "the program and its arguments, as a list; no shell reads it"),
	CONF_STR(struct program_options, user,
		 .help = "name or number of the user it runs as; haled's if absent"),
	CONF_STR(struct program_options, group,
		 .help = "name or number of its group; the user's if absent"),
	CONF_STR(struct program_options, directory, .help = "working directory; / if absent"),
	CONF_STRMAP(struct program_options, environment, .flags = CONF_F_NAMED_SECRETS,
		    .help = "environment variables beside those every program gets"),
	CONF_STR(struct program_options, umask, .def = "\"022\"",
		 .help = "what new files do not permit, in octal"),
	CONF_STR(struct program_options, stdin_path, .name = "stdin", .def = "/dev/null",
		 .help = "file it reads as its standard input"),
	CONF_MAP(struct program_options, log, log_items, .def = "{}", .bare = "file",
		 .help = "where what it writes to stdout and stderr is kept"),
	CONF_BOOL(struct program_options, notify, .def = "false",
		  .help = "it says READY=1 when it is ready (sd_notify)"),
	CONF_DURATION(struct program_options, ready_after_ms, .name = "ready_after", .def = "1s",
		      .max = 3600000,
		      .help = "without notify: it counts as ready when it has lived so long"),
	CONF_BOOL(struct program_options, oneshot, .def = "false",
		  .help = "it does its work and ends; it is ready when it has ended with exit code "
			  "0"),
	CONF_DURATION(struct program_options, start_timeout_ms, .name = "start_timeout",
		      .def = "30s", .min = 10, .max = 3600000,
		      .help = "with notify: ready by then, or restarted"),
	CONF_ENUM(struct program_options, stop_signal, .def = "TERM",
		  .choices = "TERM|INT|QUIT|HUP|USR1|USR2|WINCH|KILL",
		  .help = "the signal that asks it to stop"),
	CONF_DURATION(struct program_options, stop_timeout_ms, .name = "stop_timeout", .def = "10s",
		      .min = 10, .max = 3600000,
		      .help = "gone by then after stop_signal, or killed with all it started"),
	CONF_DURATION(struct program_options, watchdog_ms, .name = "watchdog", .def = "0",
		      .max = 3600000,
		      .help = "with notify: it must say WATCHDOG=1 this often; 0: need not"),
	CONF_MAP(struct program_options, restart, program_restart_items, .def = "{}",
		 .bare = "when", .help = "when and how it is restarted"),
	CONF_LIST(struct program_options, after,
		  .help = "programs, or hale's processes, that are started first"),
	CONF_LIST(struct program_options, requires,
		  .help = "programs, or hale's processes, that must be ready before it starts, and "
			  "without which it is stopped"),
	CONF_MAP(struct program_options, limits, limit_items,
		 .help = "what it may use (setrlimit); haled's own limits where absent"),
	CONF_LIST(struct program_options, forward_signals, .choices = "HUP|USR1|USR2|WINCH",
		  .help = "signals that haled hands on to it"),
	CONF_LIST(struct program_options, on_failing,
		  .help = "command to run when it cannot be kept running"),
	CONF_DURATION(struct program_options, failing_after_ms, .name = "failing_after",
		      .def = "60s", .min = 1000, .max = 86400000,
		      .help = "not ready for so long is failing, too"),
	CONF_MAP(struct program_options, on_check_failure, check_items,
		 .help = "restart it when what a check sees of it fails"),
	CONF_BOOL(struct program_options, is_enabled, .name = "enabled", .def = "true",
		  .help = "false: not started"),
	CONF_STR(struct program_options, label, .help = "name for people; the name if absent"),
	CONF_ENUM(struct program_options, impact, .def = "critical",
		  .choices = "critical|degraded|none",
		  .help = "the worst it may do to the overall status"),
	CONF_NUM(struct program_options, weight, .def = "1", .max = 1000,
		 .help = "its weight in the score"),
	CONF_LIST(struct program_options, depends_on, .ref = "components",
		  .help = "components it cannot work without: while one is down, no alerts about "
			  "this"),
	CONF_STRMAP(struct program_options, labels, .help = "free names and values"),
	CONF_END,
};
