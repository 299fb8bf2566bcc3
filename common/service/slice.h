/* SPDX-License-Identifier: Apache-2.0 */
/* slice - the configuration a child is handed, and the checking of what a table can see in it
 *
 * Foreign input: read strictly (no duplicate keys, an object, CHILD_SLICE_MAX bytes).
 */
#ifndef HALE_SERVICE_SLICE_H
#define HALE_SERVICE_SLICE_H

#include "base/err.h"
#include "conf/manifest.h"
#include "service/service.h"

#include <jansson.h>

/* From the file, or with NULL from CHILD_SLICE_FD (fallback_fd if that is not open; -1 none), which
 * is closed. New reference in slice_r. -EINVAL: it is no slice; else -errno. */
int slice_read(const char *file, int fallback_fd, json_t **slice_r, struct err *err);
int slice_parse(const char *text, size_t len, json_t **slice_r, struct err *err);

/* Decodes each section that is there against its table and reports what does not fit. */
void slice_check_sections(const json_t *slice, const struct conf_section *sections,
			  service_problem_fn problem, void *ctx);

#endif
