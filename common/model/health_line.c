/* SPDX-License-Identifier: Apache-2.0 */
#include "model/health_line.h"

#include <string.h>

static bool is_name(struct jtext name, const char *text)
{
	return jtext_is(name, text);
}

/* Everything behind its key but the line's own brace. */
static struct jtext last_member(const char *line, size_t len, struct jtext value)
{
	return (struct jtext){value.text, (size_t)(line + len - 1 - value.text)};
}

bool health_line_is_routine(const char *line, size_t len, struct health_line *l_r)
{
	static const char state_key[] = "\"state\":{";
	const char *state = memmem(line, len, state_key, strlen(state_key));
	struct jtext head, name, value;
	struct health_line l = {0};
	bool is_steady = false, has_data = false;

	/* What stands before it, as an object of its own; its closing brace is not looked at. */
	if (state == NULL || len < 2 || line[0] != '{' || memcmp(line + len - 2, "}}", 2) != 0)
		return false;
	head = (struct jtext){line, (size_t)(state - line)};
	for (size_t at = 0; jtext_next(head, &at, &name, &value);) {
		if (is_name(name, "component"))
			l.component = value;
		else if (is_name(name, "at"))
			l.at = value;
		else if (is_name(name, "node"))
			l.node = value;
		else if (is_name(name, "transition"))
			is_steady = jtext_is(value, "false");
		else if (is_name(name, "no_data"))
			has_data = jtext_is(value, "false");
		else if (is_name(name, "overall") || is_name(name, "removed"))
			return false;
	}
	value.text = state + strlen(state_key) - 1;
	l.state = last_member(line, len, value);
	*l_r = l;
	return is_steady && has_data && jtext_is_string(l.component);
}
