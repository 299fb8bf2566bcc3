/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_host - what hale finds around it: kernel, privileges, directories, clock, limits
 *
 * Looks at this machine and at haled through /proc; nothing is changed.
 *
 * Ownership: the JSON is a new reference.
 * Loop:      none; brief.
 */
#ifndef HALE_CLI_DOCTOR_HOST_H
#define HALE_CLI_DOCTOR_HOST_H

#include <jansson.h>

struct doctor_host {
	const char *run_dir;
	const char *state_dir; /* NULL: not known */
	const char *config;    /* NULL: not known */
	int pid;               /* haled's; 0: none runs */
};

/* [{"check", "state": "ok|note|bad", "detail", "advice": text or null}]. bad: something that is
 * wanted is not so. note: as it is, hale works, and could do better. */
json_t *doctor_host(const struct doctor_host *h);

#endif
