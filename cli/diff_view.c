/* SPDX-License-Identifier: Apache-2.0 */
#include "diff_view.h"

#include <stdlib.h>

#include "field.h"
#include "paint.h"
#include "text.h"

static const struct {
	const char *change;
	const char *sign;
	enum tone tone;
} signs[] = {
	{"added", "+", TONE_GOOD},
	{"removed", "-", TONE_BAD},
	{"changed", "~", TONE_WARN},
};

static void add_value(struct str *out, const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		str_add(out, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	str_add(out, text == NULL ? "?" : text);
	free(text);
}

static void add_entry(struct str *out, const json_t *entry, bool has_colour, size_t width)
{
	const json_t *old = json_object_get(entry, "old"), *new = json_object_get(entry, "new");
	const char *change = field_or(entry, "change", "changed");
	HALE_CLEANUP(str_done) struct str line = {0};
	const char *sign = "~";
	enum tone tone = TONE_WARN;

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (str_eq(signs[i].change, change)) {
			sign = signs[i].sign;
			tone = signs[i].tone;
		}
	}
	str_addf(&line, "%s: ", field_or(entry, "path", "?"));
	if (field_true(entry, "secret"))
		str_add(&line, "(secret changed)");
	if (old != NULL)
		add_value(&line, old);
	if (old != NULL && new != NULL)
		str_add(&line, " -> ");
	if (new != NULL)
		add_value(&line, new);
	str_add(out, "  ");
	paint_add(out, has_colour, tone, sign);
	str_addc(out, ' ');
	if (width > 8)
		(void)text_add_cut(out, str_text(&line), width - 4);
	else
		text_add(out, str_text(&line));
	str_addc(out, '\n');
}

void diff_view_add(struct str *out, const json_t *result, bool has_colour, size_t width)
{
	json_int_t more = field_int(result, "diff_more", 0);
	json_t *entry;
	size_t i;

	json_array_foreach (field_array(result, "diff"), i, entry)
		add_entry(out, entry, has_colour, width);
	if (more > 0)
		str_addf(out, "  … and %lld more\n", (long long)more);
}
