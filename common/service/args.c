/* SPDX-License-Identifier: Apache-2.0 */
#include "service/args.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>

#include "base/log.h"

enum { OPT_SLICE = 256, OPT_RUN_DIR, OPT_STATE_DIR, OPT_LOG_LEVEL, OPT_CHECK, OPT_DESCRIBE };

static const struct option options[] = {
	{"slice", required_argument, NULL, OPT_SLICE},
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"state-dir", required_argument, NULL, OPT_STATE_DIR},
	{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
	{"check", no_argument, NULL, OPT_CHECK},
	{"describe", no_argument, NULL, OPT_DESCRIBE},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static int take_option(int option, struct args *a, struct err *err)
{
	enum log_level level;

	switch (option) {
	case OPT_SLICE:
		a->slice = optarg;
		return 0;
	case OPT_RUN_DIR:
		a->run_dir = optarg;
		return 0;
	case OPT_STATE_DIR:
		a->state_dir = optarg;
		return 0;
	case OPT_LOG_LEVEL:
		a->log_level = optarg;
		if (log_level_parse(optarg, &level))
			return 0;
		return err_set(err, -EINVAL, "--log-level %s: expected debug, info, warn or error",
			       optarg);
	case OPT_CHECK:
		a->action = ARGS_CHECK;
		return 0;
	case OPT_DESCRIBE:
		a->action = ARGS_DESCRIBE;
		return 0;
	case 'h':
		a->action = ARGS_HELP;
		return 0;
	case 'V':
		a->action = ARGS_VERSION;
		return 0;
	default:
		return err_set(err, -EINVAL, "unknown option or missing value (see --help)");
	}
}

int args_parse(int argc, char **argv, struct args *args_r, struct err *err)
{
	struct args a = {.action = ARGS_RUN};
	int option;

	optind = 0; /* glibc: begin anew, so that tests may parse more than once */
	while ((option = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		int rc = take_option(option, &a, err);

		if (rc < 0)
			return rc;
	}
	if (optind < argc)
		return err_set(err, -EINVAL, "unexpected argument '%s' (see --help)", argv[optind]);
	*args_r = a;
	return 0;
}

void args_help(const char *program, const char *summary, struct str *out)
{
	str_addf(out, "%s - %s\n\n", program, summary);
	str_addf(out, "Usage: %s [--slice FILE] [--run-dir DIR] [--state-dir DIR]\n", program);
	str_addf(out, "       %s --check [--slice FILE] | --describe | --help | --version\n\n",
		 program);
	str_add(out,
		"Started by haled, which hands it the configuration. By hand, for a look:\n\n"
		"  --slice FILE       configuration as JSON (by default read from fd 3)\n"
		"  --run-dir DIR      where haled's sockets are (HALE_RUN_DIR, /run/hale)\n"
		"  --state-dir DIR    where files are kept (HALE_STATE_DIR, /var/lib/hale)\n"
		"  --log-level LEVEL  debug, info, warn or error (HALE_LOG_LEVEL, info)\n"
		"  --check            read a configuration (--slice, fd 3 or stdin), print what "
		"is\n"
		"                     wrong with it as JSON lines, exit 0 or 78\n"
		"  --describe         print what this program is and which options it knows\n");
}
