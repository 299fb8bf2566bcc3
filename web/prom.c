/* SPDX-License-Identifier: Apache-2.0 */
#include "prom.h"

#include <math.h>

static void add_escaped(struct str *out, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '\\' || *text == '"')
			str_addc(out, '\\');
		if (*text == '\n')
			str_add(out, "\\n");
		else
			str_addc(out, *text);
	}
}

static void add_number(struct str *out, double value)
{
	if (isnan(value))
		str_add(out, "NaN");
	else if (isinf(value))
		str_add(out, value > 0 ? "+Inf" : "-Inf");
	else if (value == rint(value) && fabs(value) < 1e15)
		str_addf(out, "%.0f", value);
	else
		str_addf(out, "%.15g", value);
}

void prom_family(struct prom *p, const char *family, const char *type, const char *help)
{
	p->family = family;
	str_addf(&p->out, "# HELP %s_%s %s\n# TYPE %s_%s %s\n", p->prefix, family, help, p->prefix,
		 family, type);
}

void prom_sample(struct prom *p, const struct prom_label *labels, double value)
{
	str_addf(&p->out, "%s_%s", p->prefix, p->family);
	char before = '{';
	for (; labels && labels->name; labels++) {
		str_addc(&p->out, before);
		str_addf(&p->out, "%s=\"", labels->name);
		add_escaped(&p->out, labels->value);
		str_addc(&p->out, '"');
		before = ',';
	}
	str_add(&p->out, before == ',' ? "} " : " ");
	add_number(&p->out, value);
	str_addc(&p->out, '\n');
}
