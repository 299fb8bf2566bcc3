/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/finish.h"
#include "service/args.h"
#include "service/child_proto.h"
#include "service/service_private.h"
#include "service/slice.h"

#define RUN_DIR_DEFAULT   "/run/hale"
#define STATE_DIR_DEFAULT "/var/lib/hale"

/* With ":<generation>" it must fit into an epoch, with ".ipc" into the name of a socket. */
#define SERVICE_NAME_MAX 40

/* ---- Starting ---- */

/* No child outlives haled. The kernel forgets the wish when the user changes, so that it is said
 * again here; a parent that died in between shows as another one. */
static void die_with_parent(void)
{
	pid_t parent = getppid();

	if (getenv(CHILD_ENV_SERVICE) == NULL)
		return;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(CHILD_EXIT_TEMPFAIL);
}

/* Whoever started us may have blocked or ignored signals that we rely on. */
static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	for (int signum = 1; signum < SIGRTMIN; signum++)
		(void)signal(signum, SIG_DFL); /* KILL and STOP refuse, which is fine */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *setting(const char *option, const char *env, const char *fallback)
{
	const char *value = option != NULL ? option : getenv(env);

	return value != NULL && *value != '\0' ? value : fallback;
}

static char *node_name(const json_t *slice)
{
	const char *node =
		setting(NULL, CHILD_ENV_NODE, json_string_value(json_object_get(slice, "node")));
	char host[256] = "localhost";

	if (node != NULL)
		return mem_dup(node);
	(void)gethostname(host, sizeof(host) - 1);
	return mem_dup(host);
}

static bool is_name(const char *name)
{
	return name != NULL && *name != '\0' && strlen(name) <= SERVICE_NAME_MAX &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-")] == '\0';
}

/* haled's name for us; by hand the slice's, else the one every process of the kind would have. */
static char *find_name(const struct service_ops *ops, const json_t *slice, struct err *err)
{
	const char *name = setting(NULL, CHILD_ENV_SERVICE,
				   json_string_value(json_object_get(slice, "service")));
	/* A manifest takes longer to make than all else here; under haled it is not needed. */
	json_t *manifest = name == NULL ? ops->describe() : NULL;
	char *copy = NULL;

	if (name == NULL)
		name = json_string_value(json_object_get(manifest, "service"));
	if (is_name(name))
		copy = mem_dup(name);
	else
		err_set(err, -EINVAL, "service name '%s': expected 1 to %d of a-z 0-9 _ . -",
			name != NULL ? name : "", SERVICE_NAME_MAX);
	json_decref(manifest);
	return copy;
}

static int init_identity(struct service *s, const struct args *args, const json_t *slice,
			 struct err *err)
{
	const char *generation = getenv(CHILD_ENV_GENERATION);

	s->name = find_name(s->ops, slice, err);
	if (s->name == NULL)
		return -EINVAL;
	s->node = node_name(slice);
	s->run_dir = mem_dup(setting(args->run_dir, CHILD_ENV_RUN_DIR, RUN_DIR_DEFAULT));
	s->state_dir = mem_dup(setting(args->state_dir, CHILD_ENV_STATE_DIR, STATE_DIR_DEFAULT));
	s->generation = generation != NULL ? strtoull(generation, NULL, 10) : 0;
	s->is_supervised = getenv(CHILD_ENV_SERVICE) != NULL;
	s->started_ms = clock_mono_ms();
	return 0;
}

static int start(struct service *s, const json_t *slice, struct err *err)
{
	int rc = notify_open(&s->notify);

	if (rc < 0)
		log_warn("cannot reach the supervisor", KV_S("error", strerror(-rc)));
	rc = service_bus_open(s, err);
	/* What opening says, -EINVAL among it, is about sockets and not about the slice. */
	if (rc < 0)
		return -EAGAIN;
	rc = s->ops->start(s, slice, &s->state, err);
	if (rc < 0)
		return rc;
	service_watchdog_start(s);
	return 0;
}

static void free_service(struct service *s)
{
	notify_close(&s->notify);
	confine_done(&s->confine);
	free(s->methods);
	free(s->epoch);
	free(s->node);
	free(s->run_dir);
	free(s->state_dir);
	/* The name stays: the log borrows it for ever. */
}

/* What it was parsed into lies among what is kept: the pages in between go back, too. */
static void drop_slice(json_t **slice)
{
	json_decref(TAKE_PTR(*slice));
	malloc_trim(0);
}

static int run(struct service *s, json_t **slice)
{
	struct err err = {0};
	int rc;

	/* haled made it; by hand it may be the first run. */
	rc = s->is_supervised ? 0 : dir_make(s->run_dir, 0700, &err);
	/* While there is one thread. */
	if (rc == 0)
		service_confine(s, *slice);
	service_handles_init(s);
	if (rc == 0)
		rc = start(s, *slice, &err);
	if (rc < 0 && !s->has_failed) {
		log_fatal(rc == -EINVAL ? "configuration does not work" : "cannot start",
			  KV_S("error", err.text));
		service_exit_now(rc == -EINVAL ? CHILD_EXIT_CONFIG : CHILD_EXIT_TEMPFAIL);
	}
	if (s->ops->is_slice_dropped)
		drop_slice(slice);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	service_close_limit(false); /* a store may take its time to close */
	s->ops->done(s->state);
	if (uv_loop_close(&s->loop) != 0)
		log_warn("handles left open at exit");
	free_service(s);
	return s->exit_code;
}

static int run_service(const struct service_ops *ops, const struct args *args)
{
	struct service *s = mem_alloc(sizeof(*s));
	struct err err = {0};
	json_t *slice = NULL;
	int exit_code;
	int rc;

	s->ops = ops;
	log_init(ops->program);
	rc = slice_read(args->slice, -1, &slice, &err);
	if (rc == 0)
		rc = init_identity(s, args, slice, &err);
	if (rc < 0) {
		log_fatal("no configuration", KV_S("error", err.text));
		service_exit_now(CHILD_EXIT_CONFIG);
	}
	log_init(s->name);
	if (args->log_level != NULL) {
		enum log_level level;

		if (log_level_parse(args->log_level, &level))
			log_set_level(level);
	}
	exit_code = run(s, &slice);
	service_close_limit(true);
	bus_finish();
	service_close_limit(false);
	confine_end(&s->confine);
	json_decref(slice);
	free(s);
	return exit_code;
}

/* ---- What it answers without running ---- */

static void print_problem(void *ctx, const char *path, const char *message)
{
	size_t *problems = ctx;
	json_t *line = json_pack("{s:s, s:s}", "path", path, "message", message);

	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
	(*problems)++;
}

static int check(const struct service_ops *ops, const struct args *args)
{
	struct err err = {0};
	json_t *slice = NULL;
	size_t problems = 0;

	if (slice_read(args->slice, STDIN_FILENO, &slice, &err) < 0) {
		print_problem(&problems, "", err.text);
		return CHILD_EXIT_CONFIG;
	}
	slice_check_sections(slice, ops->sections, print_problem, &problems);
	/* It may rely on the shapes that were checked so far. */
	if (problems == 0 && ops->check != NULL)
		ops->check(slice, print_problem, &problems);
	json_decref(slice);
	return problems == 0 ? CHILD_EXIT_DONE : CHILD_EXIT_CONFIG;
}

static int describe(const struct service_ops *ops)
{
	json_t *manifest = ops->describe();
	int rc = json_dumpf(manifest, stdout, JSON_INDENT(2));

	putchar('\n');
	json_decref(manifest);
	return rc == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int service_main(int argc, char **argv, const struct service_ops *ops)
{
	HALE_CLEANUP(str_done) struct str help = {0};
	struct args args;
	struct err err = {0};

	mem_economise();
	die_with_parent();
	reset_signals();
	if (args_parse(argc, argv, &args, &err) < 0) {
		fprintf(stderr, "%s: %s\n", ops->program, err.text);
		return EXIT_FAILURE;
	}
	switch (args.action) {
	case ARGS_HELP:
		args_help(ops->program, ops->summary, &help);
		fputs(str_text(&help), stdout);
		return EXIT_SUCCESS;
	case ARGS_VERSION:
		printf("%s %s\n", ops->program, HALE_VERSION);
		return EXIT_SUCCESS;
	case ARGS_DESCRIBE:
		return describe(ops);
	case ARGS_CHECK:
		return check(ops, &args);
	case ARGS_RUN:
		break;
	}
	return run_service(ops, &args);
}
