/* SPDX-License-Identifier: Apache-2.0 */
/* topic - the topics a person may ask for, and what is said when there is none of that name */
#ifndef HALE_CLI_TOPIC_H
#define HALE_CLI_TOPIC_H

#include "cli.h"

extern const char *const topic_names[]; /* ends in NULL */

/* 0, or CLI_USAGE after telling what there is. */
int topic_check(struct cli *cli, const char *topic);

#endif
