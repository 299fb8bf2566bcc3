/* SPDX-License-Identifier: Apache-2.0 */
#include "perfdata.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Digits of a number, with sign, point and exponent; longer ones measure nothing. */
#define NUMBER_MAX  48
#define UNIT_MAX    8
#define SUFFIX_SIZE 16 /* "_percent" and the like */

#define KIB 1024.0

static const struct {
	const char *unit;
	const char *suffix;
	double factor;
} units[] = {
	{"s", "_seconds", 1},
	{"ms", "_ms", 1},
	{"us", "_ms", 1e-3},
	{"ns", "_ms", 1e-6},
	{"%", "_percent", 1},
	{"c", "_total", 1},
	{"B", "_bytes", 1},
	{"KB", "_bytes", KIB},
	{"MB", "_bytes", KIB *KIB},
	{"GB", "_bytes", KIB *KIB *KIB},
	{"TB", "_bytes", KIB *KIB *KIB *KIB},
	{"KiB", "_bytes", KIB},
	{"MiB", "_bytes", KIB *KIB},
	{"GiB", "_bytes", KIB *KIB *KIB},
	{"TiB", "_bytes", KIB *KIB *KIB *KIB},
};

/* ---- Names ---- */

/* Letters and digits stay, runs of anything else are one "_". */
static void add_words(char *name, size_t size, const char *text, size_t len)
{
	size_t at = strlen(name);

	for (size_t i = 0; i < len && at + 1 < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x80 && isalnum(c))
			name[at++] = (char)tolower(c);
		else if (at > 0 && name[at - 1] != '_')
			name[at++] = '_';
	}
	while (at > 0 && name[at - 1] == '_')
		at--;
	name[at] = '\0';
}

static void make_name(char name[PERFDATA_NAME_MAX], const char *label, size_t len,
		      const char *suffix)
{
	char words[PERFDATA_NAME_MAX] = "";

	add_words(words, PERFDATA_NAME_MAX - SUFFIX_SIZE, label, len);
	if (*words == '\0')
		(void)strcpy(words, len == 1 && *label == '/' ? "root" : "value");
	/* A metric's name begins with a letter. */
	(void)snprintf(name, PERFDATA_NAME_MAX, "%s%s%s", isdigit((unsigned char)*words) ? "n" : "",
		       words, str_ends(words, suffix) ? "" : suffix);
}

void perfdata_name(const char *label, char name_r[PERFDATA_NAME_MAX])
{
	make_name(name_r, label, strlen(label), "");
}

/* ---- One measurement ---- */

struct scanner {
	const char *at;
};

/* A label is everything up to "=", or 'quoted' with '' for one quote. */
static bool scan_label(struct scanner *s, struct str *label)
{
	if (*s->at != '\'') {
		size_t len = strcspn(s->at, "= \t\r\n");

		str_addn(label, s->at, len);
		s->at += len;
	} else {
		s->at++;
		while (*s->at != '\0' && (*s->at != '\'' || s->at[1] == '\'')) {
			s->at += *s->at == '\'';
			str_addc(label, *s->at++);
		}
		if (*s->at == '\0')
			return false;
		s->at++;
	}
	if (*s->at != '=')
		return false;
	s->at++;
	return label->len > 0;
}

/* Some plugins print the number as the user's language writes it: "0,5". */
static bool scan_number(struct scanner *s, double *value_r)
{
	char digits[NUMBER_MAX];
	size_t len = strspn(s->at, "0123456789+-.,eE");
	char *end;

	if (len == 0 || len >= sizeof(digits))
		return false;
	for (size_t i = 0; i < len; i++)
		digits[i] = s->at[i] == ',' ? '.' : s->at[i];
	digits[len] = '\0';
	*value_r = strtod(digits, &end);
	if (end == digits || !isfinite(*value_r))
		return false;
	s->at += end - digits;
	return true;
}

/* Unknown units are no error: they become a suffix as they are. */
static void scan_unit(struct scanner *s, char suffix[SUFFIX_SIZE], double *factor)
{
	size_t len = strcspn(s->at, "; \t\r\n");
	char unit[UNIT_MAX + 1];
	char words[UNIT_MAX + 1] = "";

	(void)snprintf(unit, sizeof(unit), "%.*s", (int)HALE_MIN(len, (size_t)UNIT_MAX), s->at);
	s->at += len;
	*factor = 1;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(unit, units[i].unit) == 0) {
			(void)snprintf(suffix, SUFFIX_SIZE, "%s", units[i].suffix);
			*factor = units[i].factor;
			return;
		}
	}
	add_words(words, sizeof(words), unit, strlen(unit));
	(void)snprintf(suffix, SUFFIX_SIZE, "%s%s", *words == '\0' ? "" : "_", words);
}

static void scan_range(struct scanner *s, char range[PERFDATA_RANGE_MAX])
{
	size_t len;

	range[0] = '\0';
	if (*s->at != ';')
		return;
	s->at++;
	len = strcspn(s->at, "; \t\r\n");
	if (len < PERFDATA_RANGE_MAX) {
		memcpy(range, s->at, len);
		range[len] = '\0';
	}
	s->at += len;
}

enum scanned { SCANNED_ITEM, SCANNED_NOTHING, SCANNED_BROKEN };

static enum scanned scan_item(struct scanner *s, struct perfdata *p)
{
	HALE_CLEANUP(str_done) struct str label = {0};
	char suffix[SUFFIX_SIZE];
	double factor;

	if (!scan_label(s, &label))
		return SCANNED_BROKEN;
	/* "U": the plugin could not tell. */
	if (*s->at == 'U' && strcspn(s->at, "; \t\r\n") == 1) {
		s->at += strcspn(s->at, " \t\r\n");
		return SCANNED_NOTHING;
	}
	if (!scan_number(s, &p->value))
		return SCANNED_BROKEN;
	scan_unit(s, suffix, &factor);
	p->printed = p->value;
	p->value *= factor;
	make_name(p->name, label.data, label.len, suffix);
	scan_range(s, p->warning);
	scan_range(s, p->critical);
	scan_range(s, p->min);
	scan_range(s, p->max);
	return isfinite(p->value) ? SCANNED_ITEM : SCANNED_BROKEN;
}

size_t perfdata_parse(const char *text, perfdata_fn on_item, void *ctx)
{
	struct scanner s = {.at = text};
	size_t broken = 0;

	for (;;) {
		struct perfdata p = {0};

		s.at += strspn(s.at, " \t\r\n");
		if (*s.at == '\0')
			return broken;
		switch (scan_item(&s, &p)) {
		case SCANNED_ITEM:
			on_item(ctx, &p);
			break;
		case SCANNED_BROKEN:
			broken++;
			break;
		case SCANNED_NOTHING:
			break;
		}
		s.at += strcspn(s.at, " \t\r\n");
	}
}

void perfdata_split(const char *output, struct str *message, struct str *more,
		    struct str *measurements)
{
	size_t line = strcspn(output, "\n");
	size_t text = strcspn(output, "|\n");
	const char *rest = output + line + (output[line] == '\n');
	size_t more_len = strcspn(rest, "|");

	str_addn(message, output, text);
	while (message->len > 0 && isspace((unsigned char)message->data[message->len - 1]))
		str_truncate(message, message->len - 1);
	if (text < line)
		str_addn(measurements, output + text + 1, line - text - 1);
	str_addn(more, rest, more_len);
	if (rest[more_len] == '|') {
		str_addc(measurements, ' ');
		str_add(measurements, rest + more_len + 1);
	}
}
