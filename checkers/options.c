/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

static int decode(const struct check_ops *ops, const json_t *options, void **opts_r,
		  struct err *err)
{
	void *opts = mem_alloc(HALE_MAX(ops->opts_size, (size_t)1));
	int rc = conf_decode(ops->items, options, opts, err);

	if (rc < 0)
		free(opts);
	else
		*opts_r = opts;
	return rc;
}

/* ---- The first problem ---- */

struct first_problem {
	struct err *err;
	bool is_there;
};

static void keep_first(void *ctx, const char *path, const char *message)
{
	struct first_problem *first = ctx;

	if (!first->is_there)
		err_set(first->err, -EINVAL, "%s: %s", path, message);
	first->is_there = true;
}

int options_decode(const struct check_ops *ops, const json_t *options, void **opts_r,
		   struct err *err)
{
	struct first_problem first = {.err = err};
	void *opts;
	int rc = decode(ops, options, &opts, err);

	if (rc < 0)
		return rc;
	if (ops->validate != NULL)
		ops->validate(opts, keep_first, &first);
	if (first.is_there) {
		conf_free(ops->items, opts);
		free(opts);
		return -EINVAL;
	}
	*opts_r = opts;
	return 0;
}

/* ---- All problems ---- */

struct problems {
	const char *path;
	service_problem_fn problem;
	void *ctx;
};

static void add_prefix(void *ctx, const char *path, const char *message)
{
	const struct problems *all = ctx;
	HALE_CLEANUP(cleanup_free) char *full = mem_printf("%s%s", all->path, path);

	all->problem(all->ctx, full, message);
}

void options_check(const struct check_ops *ops, const json_t *options, const char *path,
		   service_problem_fn problem, void *ctx)
{
	struct problems all = {.path = path, .problem = problem, .ctx = ctx};
	struct err err = {0};
	void *opts;

	if (decode(ops, options, &opts, &err) < 0) {
		problem(ctx, path, err.text);
		return;
	}
	if (ops->validate != NULL)
		ops->validate(opts, add_prefix, &all);
	conf_free(ops->items, opts);
	free(opts);
}
