/* SPDX-License-Identifier: Apache-2.0 */
#include "exec_codes.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/cleanup.h"

#define EXIT_CODE_MAX 255

/* What a Nagios plugin means by 0, 1, 2. */
static const enum outcome plugin_outcomes[] = {OUTCOME_PASS, OUTCOME_WARN, OUTCOME_FAIL};

static bool parse_code(const char **text, int *code_r)
{
	char *end;
	long code;

	if (!isdigit((unsigned char)**text))
		return false;
	code = strtol(*text, &end, 10);
	*text = end;
	*code_r = (int)code;
	return code <= EXIT_CODE_MAX;
}

static bool parse_range(const char *text, int *from_r, int *to_r)
{
	if (!parse_code(&text, from_r))
		return false;
	*to_r = *from_r;
	if (*text == '-') {
		text++;
		if (!parse_code(&text, to_r))
			return false;
	}
	return *text == '\0' && *from_r <= *to_r;
}

int exec_codes_parse(const json_t *map, bool is_plain, struct exec_codes *codes_r, struct err *err)
{
	struct exec_codes codes = {.is_plain = is_plain};
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)map, key, value) {
		const char *word = json_string_value(value);

		if (codes.n == EXEC_CODES_MAX)
			return err_set(err, -EINVAL, "more than %d entries", EXEC_CODES_MAX);
		if (!parse_range(key, &codes.v[codes.n].from, &codes.v[codes.n].to))
			return err_set(
				err, -EINVAL,
				"'%s': expected an exit code, 0 to %d, or a range like 3-255", key,
				EXIT_CODE_MAX);
		if (word == NULL || !outcome_from_name(word, &codes.v[codes.n].outcome))
			return err_set(err, -EINVAL,
				       "%s: expected pass, warn, fail, down or error, not '%s'",
				       key, word == NULL ? "" : word);
		codes.n++;
	}
	*codes_r = codes;
	return 0;
}

enum outcome exec_codes_outcome(const struct exec_codes *codes, int exit_code)
{
	for (size_t i = 0; i < codes->n; i++) {
		if (exit_code >= codes->v[i].from && exit_code <= codes->v[i].to)
			return codes->v[i].outcome;
	}
	if (codes->is_plain)
		return exit_code == 0 ? OUTCOME_PASS : OUTCOME_FAIL;
	return (size_t)exit_code < ARRAY_LEN(plugin_outcomes) ? plugin_outcomes[exit_code]
							      : OUTCOME_ERROR;
}

enum reason exec_reason(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_PASS:
		return REASON_OK;
	case OUTCOME_WARN:
		return REASON_EXEC_WARN;
	case OUTCOME_FAIL:
	case OUTCOME_DOWN:
		return REASON_EXEC_CRITICAL;
	default:
		return REASON_EXEC_UNKNOWN;
	}
}

bool exec_outcome_parse(const char *word, enum outcome *outcome_r)
{
	static const struct {
		const char *word;
		enum outcome outcome;
	} words[] = {
		{"pass", OUTCOME_PASS},     {"ok", OUTCOME_PASS},        {"healthy", OUTCOME_PASS},
		{"up", OUTCOME_PASS},       {"warn", OUTCOME_WARN},      {"warning", OUTCOME_WARN},
		{"degraded", OUTCOME_WARN}, {"fail", OUTCOME_FAIL},      {"critical", OUTCOME_FAIL},
		{"error", OUTCOME_FAIL},    {"unhealthy", OUTCOME_FAIL}, {"down", OUTCOME_DOWN},
		{"unknown", OUTCOME_ERROR},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(words[i].word, word) == 0) {
			*outcome_r = words[i].outcome;
			return true;
		}
	}
	return false;
}
