/* SPDX-License-Identifier: Apache-2.0 */
#include "http_expect.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define STATUS_FIRST 100
#define STATUS_LAST  599
/* No word of a path is so long; tokens are. */
#define WORD_MAX     24

static bool is_status(const char *digits)
{
	return isdigit((unsigned char)digits[0]) && isdigit((unsigned char)digits[1]) &&
	       isdigit((unsigned char)digits[2]);
}

int http_status_parse(const char *text, struct http_status_range *range_r, struct err *err)
{
	struct http_status_range range = {0};
	size_t len = strlen(text);

	if (len == 3 && isdigit((unsigned char)*text) && strcasecmp(text + 1, "xx") == 0) {
		range.first = (*text - '0') * 100L;
		range.last = range.first + 99;
	} else if (len == 3 && is_status(text)) {
		range.first = range.last = strtol(text, NULL, 10);
	} else if (len == 7 && is_status(text) && text[3] == '-' && is_status(text + 4)) {
		range.first = strtol(text, NULL, 10);
		range.last = strtol(text + 4, NULL, 10);
	}
	if (range.first < STATUS_FIRST || range.last > STATUS_LAST || range.first > range.last)
		return err_set(err, -EINVAL, "'%s' is not a status like 200, 2xx or 200-299", text);
	*range_r = range;
	return 0;
}

bool http_status_matches(const struct strlist *wanted, long status)
{
	for (size_t i = 0; i < wanted->n; i++) {
		struct http_status_range range;

		if (http_status_parse(wanted->v[i], &range, NULL) == 0 && status >= range.first &&
		    status <= range.last)
			return true;
	}
	return false;
}

const char *http_status_describe(const struct strlist *wanted, char *buf, size_t size)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	for (size_t i = 0; i < wanted->n; i++)
		str_addf(&text, "%s%s", i == 0 ? "" : " or ", wanted->v[i]);
	(void)snprintf(buf, size, "%s", str_text(&text));
	return buf;
}

/* ---- Texts ---- */

static int compile(regex_t *regex, const char *source, struct err *err)
{
	char why[128];
	int rc = regcomp(regex, source, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);

	if (rc == 0)
		return 0;
	(void)regerror(rc, regex, why, sizeof(why));
	return err_set(err, -EINVAL, "%s", why);
}

int text_rule_init(struct text_rule *rule, const char *source, enum text_rule_form form,
		   struct err *err)
{
	size_t len = strlen(source);
	HALE_CLEANUP(cleanup_free) char *inner = NULL;

	*rule = (struct text_rule){.source = source, .is_regex = form == TEXT_RULE_REGEX};
	if (form == TEXT_RULE_REGEX)
		return compile(&rule->regex, source, err);
	if (form == TEXT_RULE_TEXT || len < 2 || *source != '/' || source[len - 1] != '/')
		return 0;
	rule->is_regex = true;
	inner = mem_dupn(source + 1, len - 2);
	return compile(&rule->regex, inner, err);
}

void text_rule_done(struct text_rule *rule)
{
	if (rule->is_regex)
		regfree(&rule->regex);
	rule->is_regex = false;
}

bool text_rule_matches(const struct text_rule *rule, const char *text, size_t len)
{
	/* REG_STARTEND gives the length. */
	regmatch_t span = {.rm_so = 0, .rm_eo = (regoff_t)len};

	if (rule->is_regex)
		return regexec(&rule->regex, text, 0, &span, REG_STARTEND) == 0;
	return memmem(text, len, rule->source, strlen(rule->source)) != NULL;
}

/* ---- URLs ---- */

int http_url_check(const char *url, struct err *err)
{
	const char *host = NULL;
	size_t len;

	if (strncasecmp(url, "http://", 7) == 0)
		host = url + 7;
	else if (strncasecmp(url, "https://", 8) == 0)
		host = url + 8;
	if (host == NULL)
		return err_set(err, -EINVAL, "expected http://… or https://…");
	len = strcspn(host, "/?#");
	if (memchr(host, '@', len) != NULL)
		return err_set(err, -EINVAL,
			       "a login belongs into username and password, "
			       "where it is not shown");
	if (len == 0 || *host == ':')
		return err_set(err, -EINVAL, "there is no host in it");
	for (const char *p = url; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(err, -EINVAL, "a blank must be written as %%20");
	}
	return 0;
}

/* ---- Shown without what may be secret ---- */

static void add_path(struct str *out, const char *path, size_t len)
{
	const char *end = path + len;

	while (path < end) {
		size_t word = strcspn(path, "/");

		word = HALE_MIN(word, (size_t)(end - path));
		if (word > WORD_MAX)
			str_add(out, "…");
		else
			str_addn(out, path, word);
		path += word;
		if (path < end) {
			str_addc(out, '/');
			path++;
		}
	}
}

/* "?key=…&limit=…" */
static void add_query(struct str *out, const char *query, size_t len)
{
	const char *end = query + len;

	while (query < end) {
		size_t pair = HALE_MIN(strcspn(query, "&"), (size_t)(end - query));
		size_t name = HALE_MIN(strcspn(query, "="), pair);

		if (name < pair && name <= WORD_MAX)
			str_addf(out, "%.*s=…", (int)name, query);
		else
			str_add(out, "…");
		query += pair;
		if (query < end) {
			str_addc(out, '&');
			query++;
		}
	}
}

char *http_url_shown(const char *url)
{
	struct str out = {0};
	const char *scheme = strstr(url, "://");
	const char *rest = url + strcspn(url, "?#");
	const char *host = scheme != NULL && scheme < rest ? scheme + 3 : url;
	size_t host_len = scheme != NULL && scheme < rest ? strcspn(host, "/?#") : 0;
	const char *at = memrchr(host, '@', host_len);

	str_addn(&out, url, (size_t)(host - url));
	if (at != NULL) {
		host_len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	str_addn(&out, host, host_len);
	add_path(&out, host + host_len, (size_t)(rest - host) - host_len);
	if (*rest == '?') {
		str_addc(&out, '?');
		add_query(&out, rest + 1, strcspn(rest + 1, "#"));
	}
	return str_take(&out);
}
