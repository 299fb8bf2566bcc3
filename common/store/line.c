/* SPDX-License-Identifier: Apache-2.0 */
#include "store/line.h"

#include <string.h>

#include "model/frame.h"
#include "model/health_line.h"

static bool is_transition(const struct store_line *line)
{
	struct jtext object = {line->text, line->len};

	return jtext_is(jtext_get(object, "transition"), "true") ||
	       jtext_is(jtext_get(object, "removed"), "true") ||
	       jtext_is(jtext_get(jtext_get(object, "overall"), "transition"), "true");
}

enum line_class line_classify(const struct store_line *line)
{
	struct health_line routine;

	if (strcmp(line->topic, STORE_TOPIC_SNAPSHOT) == 0)
		return LINE_TRANSITION;
	if (strcmp(line->topic, TOPIC_HEALTH) != 0)
		return LINE_OTHER;
	if (health_line_is_routine(line->text, line->len, &routine) || !is_transition(line))
		return LINE_RESULT;
	return LINE_TRANSITION;
}
