/* SPDX-License-Identifier: Apache-2.0 */
#include "dialogue.h"

#include <stdio.h>

#include "excerpt.h"

static void add(struct check *c, struct dialogue *d, char who, const char *text, size_t len)
{
	char shown[EXCERPT_SIZE];
	char line[EXCERPT_SIZE + 2];

	if (!check_is_watched(c) || d->lines > DIALOGUE_LINES_MAX)
		return;
	if (d->lines++ == DIALOGUE_LINES_MAX) {
		check_saw(c, "dialogue", json_string("…"));
		return;
	}
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	(void)snprintf(line, sizeof(line), "%c %s", who, excerpt(text, len, shown));
	check_saw(c, "dialogue", json_string(line));
}

void dialogue_sent(struct check *c, struct dialogue *d, const char *text, size_t len)
{
	add(c, d, '>', text, len);
}

void dialogue_heard(struct check *c, struct dialogue *d, const char *text, size_t len)
{
	add(c, d, '<', text, len);
}
