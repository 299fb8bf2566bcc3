/* SPDX-License-Identifier: Apache-2.0 */
/* prom - the Prometheus text format, version 0.0.4
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/: HELP and TYPE once per family, all
 * samples of a family together, label values with \\ \" \n escaped, a final newline. The caller
 * keeps a family's samples together; a label value that is not UTF-8 cannot come in, because JSON
 * strings are.
 */
#ifndef HALE_WEB_PROM_H
#define HALE_WEB_PROM_H

#include "base/str.h"

struct prom {
	struct str out;
	const char *prefix; /* "hale": borrowed */
	const char *family; /* of the samples that follow, without prefix: borrowed */
};

struct prom_label {
	const char *name; /* NULL ends a list */
	const char *value;
};
#define PROM_LABELS(...) ((const struct prom_label[]){__VA_ARGS__ __VA_OPT__(, ){0}})

/* type: "gauge" or "counter" (then family ends in _total). */
void prom_family(struct prom *p, const char *family, const char *type, const char *help);
void prom_sample(struct prom *p, const struct prom_label *labels, double value);

#endif
