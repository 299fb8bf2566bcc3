/* SPDX-License-Identifier: Apache-2.0 */
/* haled - keeps a system whole: supervises hale's processes and judges what they see */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "deploy/core_options.h"
#include "haled.h"
#include "service/child_proto.h"
#include "upgrade.h"

#define EXIT_USAGE      2
#define EXIT_BAD_CONFIG 78
/* An upgrade has no way back: a file that was good before it and is being written now gets as long
 * as init's watchdog has patience. */
#define READ_AGAIN_MS   200
#define READ_AGAIN_MAX  100

static const char usage[] =
	"Usage: haled [OPTIONS]\n"
	"Supervises hale's processes, judges the health of what they watch, stays in the "
	"foreground.\n"
	"\n"
	"  -c, --config FILE     configuration (/etc/hale/hale.yaml)\n"
	"      --run-dir DIR     sockets and lock (/run/hale)\n"
	"      --state-dir DIR   what must survive a restart (/var/lib/hale)\n"
	"      --check           only say whether the configuration is good; exit code 0 or 78\n"
	"      --json            with --check: the errors as JSON\n"
	"      --stamp           with --check: then a line that stands for what was checked\n"
	"      --ready-fd N      write a newline to this file descriptor when ready (s6)\n"
	"  -v, --verbose         log debug messages\n"
	"      --describe        print haled's own options as a manifest\n"
	"      --help, --version\n"
	"\n"
	"SIGHUP reloads the configuration, SIGTERM, SIGINT, SIGQUIT or SIGPWR stops everything in "
	"order.\n"
	"Exit codes: 0 stopped as asked, 1 could not start, 2 wrong usage, 78 bad configuration.\n"
	"See haled(8), hale(1), hale.yaml(5).\n";

enum {
	OPT_RUN_DIR = 256,
	OPT_STATE_DIR,
	OPT_CHECK,
	OPT_JSON,
	OPT_STAMP,
	OPT_READY_FD,
	OPT_DESCRIBE,
	OPT_TAKE_OVER,
	OPT_TAKES_OVER,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"state-dir", required_argument, NULL, OPT_STATE_DIR},
	{"check", no_argument, NULL, OPT_CHECK},
	{"json", no_argument, NULL, OPT_JSON},
	{"stamp", no_argument, NULL, OPT_STAMP},
	{"ready-fd", required_argument, NULL, OPT_READY_FD},
	/* Between two programs of one process (upgrade.h), not for people. */
	{"take-over", required_argument, NULL, OPT_TAKE_OVER},
	{"takes-over", required_argument, NULL, OPT_TAKES_OVER},
	{"verbose", no_argument, NULL, 'v'},
	{"describe", no_argument, NULL, OPT_DESCRIBE},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static void set(char **field, const char *value)
{
	free(*field);
	*field = mem_dup(value);
}

/* As s6 hands one over, or a former haled; haled's children must not hold it open. */
static bool take_fd(const char *option, const char *text, int *fd_r)
{
	char *end = NULL;
	long fd = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || fd <= STDERR_FILENO || fd > INT_MAX ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0) {
		(void)fprintf(stderr, "haled: %s %s: no open file descriptor above 2\n", option,
			      text);
		return false;
	}
	*fd_r = (int)fd;
	return true;
}

static void describe(void)
{
	json_t *manifest = core_manifest();

	(void)json_dumpf(manifest, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(manifest);
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct haled_options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:v", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			set(&o->config_path, optarg);
			break;
		case OPT_RUN_DIR:
			set(&o->run_dir, optarg);
			break;
		case OPT_STATE_DIR:
			set(&o->state_dir, optarg);
			break;
		case OPT_CHECK:
			o->is_check = true;
			break;
		case OPT_JSON:
			o->is_json = true;
			break;
		case OPT_STAMP:
			o->has_stamp = true;
			break;
		case OPT_READY_FD:
			if (!take_fd("--ready-fd", optarg, &o->ready_fd))
				return EXIT_USAGE;
			break;
		case OPT_TAKE_OVER:
			if (!take_fd("--take-over", optarg, &o->take_over_fd))
				return EXIT_USAGE;
			break;
		case OPT_TAKES_OVER:
			if (!upgrade_understands(optarg)) {
				(void)fprintf(stderr, "haled: cannot take over version %s\n",
					      optarg);
				return EXIT_USAGE;
			}
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case OPT_DESCRIBE:
			describe();
			return 0;
		case OPT_HELP:
			(void)fputs(usage, stdout);
			return 0;
		case OPT_VERSION:
			(void)puts("haled " HALE_VERSION);
			return 0;
		default:
			(void)fputs("Try 'haled --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "haled: unexpected argument '%s'\nTry 'haled --help'.\n",
			      argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

static void options_free(struct haled_options *o)
{
	free(o->config_path);
	free(o->run_dir);
	free(o->state_dir);
}

/* Sockets and files are ours alone; fds 0 to 2 exist, or the first socket would be "stderr". */
static void prepare_process(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = dup(fd);
	if (fd > STDERR_FILENO)
		close(fd);
	(void)umask(0077);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setlocale(LC_CTYPE, "C.UTF-8");
}

/* A run directory that is too deep would be found out only when the sockets are made. */
static void check_paths(const struct haled_options *o, const struct config *config,
			struct report *report)
{
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	for (size_t i = 0; i < config->processes_n; i++) {
		HALE_CLEANUP(cleanup_free)
		char *path = mem_printf("%s/%s.notify", o->run_dir, config->processes[i].name);

		if (strlen(path) <= max)
			continue;
		report_add(report, &(struct conf_mark){0}, NULL,
			   "choose a shorter --run-dir, or a shorter name",
			   "%s: a socket's path has at most %zu bytes, this one has %zu", path, max,
			   strlen(path));
	}
}

static int check_only(struct haled_options *o, struct config *config, struct report *report)
{
	if (config != NULL)
		check_paths(o, config, report);
	if (config == NULL || report->n > 0 || o->is_json)
		report_print(report, o->is_json);
	if (config == NULL || report->errors > 0)
		return EXIT_BAD_CONFIG;
	if (config != NULL && !o->is_json)
		(void)printf("%s: good (components: %zu, processes: %zu)\n", o->config_path,
			     json_object_size(json_object_get(config->json, "components")),
			     config->processes_n);
	if (o->has_stamp)
		(void)fputs(config->stamp, stdout);
	return EXIT_SUCCESS;
}

/* What is relative is relative to here, wherever a reload runs. */
static void make_absolute(char **path)
{
	HALE_CLEANUP(cleanup_free) char *here = getcwd(NULL, 0);
	char *full;

	if (here == NULL || (*path)[0] == '/')
		return;
	full = path_join(here, *path);
	free(*path);
	*path = full;
}

static int serve(struct haled_options *o, struct config *config, struct config_dirs *dirs)
{
	struct haled *d = mem_alloc(sizeof(*d));
	struct err err = {0};
	int rc, code;

	/* Health is judged whether or not anybody reads about it. */
	log_never_wait();
	log_info("haled " HALE_VERSION " starts", KV_S("config", o->config_path),
		 KV_S("run_dir", o->run_dir), KV_S("state_dir", o->state_dir));
	d->dirs = *dirs;
	if (o->take_over_fd >= 0)
		takeover_read(o->take_over_fd, &d->takeover);
	rc = haled_open(d, o, config, &err);
	d->dirs.state_dir = d->options.state_dir;
	if (rc < 0)
		log_fatal("cannot start", KV_S("error", err.text));
	code = haled_run(d);
	free(d);
	return code;
}

int main(int argc, char **argv)
{
	struct haled_options o = {.config_path = mem_dup("/etc/hale/hale.yaml"),
				  .run_dir = mem_dup("/run/hale"),
				  .state_dir = mem_dup("/var/lib/hale"),
				  .ready_fd = -1,
				  .take_over_fd = -1};
	struct config_dirs dirs = {0};
	struct report report = {0};
	struct config *config;
	int code, tries = 0;

	mem_economise();
	prepare_process();
	log_init("haled");
	code = parse(argc, argv, &o);
	if (code >= 0) {
		options_free(&o);
		return code;
	}
	make_absolute(&o.config_path);
	make_absolute(&o.run_dir);
	make_absolute(&o.state_dir);
	/* For ${HALE_STATE_DIR} and ${HALE_RUN_DIR} in the configuration. */
	(void)setenv(CHILD_ENV_STATE_DIR, o.state_dir, 1);
	(void)setenv(CHILD_ENV_RUN_DIR, o.run_dir, 1);
	dirs = (struct config_dirs){.state_dir = o.state_dir, .exe_dir = path_exe_dir()};
	do {
		report_done(&report);
		config = config_load(o.config_path, &dirs, true, &report);
	} while (config == NULL && o.take_over_fd >= 0 && tries++ < READ_AGAIN_MAX &&
		 poll(NULL, 0, READ_AGAIN_MS) == 0);
	if (o.is_check || config == NULL) {
		code = check_only(&o, config, &report);
		config_free(config);
		options_free(&o);
		free(dirs.exe_dir);
	} else {
		code = serve(&o, config, &dirs);
	}
	report_done(&report);
	return code;
}
