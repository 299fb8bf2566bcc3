/* SPDX-License-Identifier: Apache-2.0 */
#include "topic.h"

#include "base/strlist.h"
#include "model/frame.h"

const char *const topic_names[] = {TOPIC_HEALTH, TOPIC_PROCESS, TOPIC_ALERT, TOPIC_RECONCILE,
				   TOPIC_ACTION, TOPIC_EVENT,   NULL};

static int refuse(struct cli *cli, const char *topic)
{
	HALE_CLEANUP(str_done) struct str list = {0};
	const char *near = suggest_nearest(topic, topic_names);

	for (size_t i = 0; topic_names[i] != NULL; i++)
		str_addf(&list, "%s%s", i > 0 ? ", " : "", topic_names[i]);
	if (near != NULL)
		return cli_refuse(cli, CLI_USAGE, "no topic '%s' (did you mean '%s'?)", topic,
				  near);
	return cli_refuse(cli, CLI_USAGE, "no topic '%s'; there are: %s", topic, str_text(&list));
}

int topic_check(struct cli *cli, const char *topic)
{
	for (size_t i = 0; topic_names[i] != NULL; i++) {
		if (str_eq(topic_names[i], topic))
			return 0;
	}
	return refuse(cli, topic);
}
