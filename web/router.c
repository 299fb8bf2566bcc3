/* SPDX-License-Identifier: Apache-2.0 */
#include "router.h"

#include <ctype.h>
#include <string.h>

static bool is_param_text(const char *s, size_t len)
{
	if (len == 0 || len > ROUTE_PARAM_LEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
			return false;
	return true;
}

/* Walks pattern and path segment by segment. Counts the parameters in *params_r. */
static bool matches(const char *pattern, const char *path, struct route_match *m, size_t *params_r)
{
	size_t params = 0;
	while (*pattern == '/' && *path == '/') {
		pattern++;
		path++;
		size_t want = strcspn(pattern, "/");
		size_t have = strcspn(path, "/");
		if (*pattern == '{') {
			if (!is_param_text(path, have))
				return false;
			HALE_ASSERT(params < ROUTE_PARAMS_MAX);
			if (m) {
				memcpy(m->params[params], path, have);
				m->params[params][have] = '\0';
			}
			params++;
		} else if (want != have || memcmp(pattern, path, want) != 0) {
			return false;
		}
		pattern += want;
		path += have;
	}
	*params_r = params;
	return !*pattern && !*path;
}

static bool answers(const struct route *r, const char *method)
{
	return str_eq(r->method, method) || (str_eq(method, "HEAD") && str_eq(r->method, "GET"));
}

enum route_found route_find(const struct route *table, const char *method, const char *path,
			    struct route_match *m_r)
{
	const struct route *best = NULL;
	size_t best_params = 0, params;
	bool has_path = false;
	for (const struct route *r = table; r->method; r++) {
		if (!matches(r->pattern, path, NULL, &params))
			continue;
		has_path = true;
		if (answers(r, method) && (!best || params < best_params)) {
			best = r;
			best_params = params;
		}
	}
	if (!best)
		return has_path ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
	m_r->route = best;
	(void)matches(best->pattern, path, m_r, &params);
	return ROUTE_OK;
}

void route_allow(const struct route *table, const char *path, struct str *out)
{
	size_t params;
	for (const struct route *r = table; r->method; r++) {
		if (!matches(r->pattern, path, NULL, &params) || strstr(str_text(out), r->method))
			continue;
		str_addf(out, "%s%s", out->len ? ", " : "", r->method);
		if (str_eq(r->method, "GET"))
			str_add(out, ", HEAD");
	}
}

const char *route_access(const struct route *r)
{
	if (r->flags & ROUTE_STREAM)
		return role_name(ROLE_VIEWER);
	return r->flags & ROUTE_DETAIL ? "viewer, public with public_details" : role_name(r->role);
}
