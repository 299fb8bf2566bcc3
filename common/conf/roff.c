/* SPDX-License-Identifier: Apache-2.0 */
#include "roff.h"

#include <string.h>

static const struct {
	char c;
	const char *roff;
} special[] = {
	{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"},
	{'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"},
};

/* One character of UTF-8 as its number, which every roff knows; returns how long it is. */
static size_t add_unicode(struct str *out, const unsigned char *p)
{
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	unsigned long code = p[0] & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1; /* no UTF-8: left out */
		code = code << 6 | (p[i] & 0x3fu);
	}
	str_addf(out, "\\[u%04lX]", code);
	return len;
}

static void add_char(struct str *out, char c)
{
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		if (special[i].c == c) {
			str_add(out, special[i].roff);
			return;
		}
	}
	str_addc(out, c);
}

static void add_n(struct str *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		if ((unsigned char)text[i] >= 0x80) {
			i += add_unicode(out, (const unsigned char *)text + i);
			continue;
		}
		/* At the beginning of a line they would be requests. */
		if (text[i] == '.' && (out->len == 0 || out->data[out->len - 1] == '\n'))
			str_add(out, "\\&");
		add_char(out, text[i++]);
	}
}

void roff_add(struct str *out, const char *text)
{
	add_n(out, text, strlen(text));
}

/* As an argument of a macro: quotes in it are doubled. */
static void add_quoted(struct str *out, const char *text)
{
	str_addc(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			str_add(out, "\\(dq");
		else
			add_n(out, text, 1);
	}
	str_addc(out, '"');
}

void roff_begin(struct str *out, const char *title, int section, const char *date,
		const char *version)
{
	str_add(out, ".\\\" Written by the programs themselves: see `hale man`.\n.TH ");
	add_quoted(out, title);
	str_addf(out, " %d %s ", section, date);
	add_quoted(out, version);
	str_add(out, " \"hale\"\n");
}

void roff_section(struct str *out, const char *name)
{
	str_add(out, ".SH ");
	add_quoted(out, name);
	str_addc(out, '\n');
}

void roff_subsection(struct str *out, const char *name)
{
	str_add(out, ".SS ");
	add_quoted(out, name);
	str_addc(out, '\n');
}

void roff_flow(struct str *out, const char *text)
{
	char last = '\0';

	while (*text != '\0') {
		size_t len = strcspn(text, "\n"), skip = strspn(text, " \t");

		if (len == 0 || skip >= len) {
			str_add(out, ".PP\n");
		} else {
			add_n(out, text + skip, len - skip);
			last = text[len - 1];
			/* The last line ends in a full stop, whoever wrote it. */
			if (text[len + (text[len] == '\n')] == '\0' && strchr(".:?!", last) == NULL)
				str_addc(out, '.');
			str_addc(out, '\n');
		}
		text += len + (text[len] == '\n');
	}
}

void roff_text(struct str *out, const char *text)
{
	/* Right behind a heading a paragraph has begun already. */
	str_add(out, ".PP\n");
	roff_flow(out, text);
}

void roff_item(struct str *out, const char *term, const char *tail)
{
	str_add(out, ".TP\n\\fB");
	roff_add(out, term);
	str_add(out, "\\fR");
	if (tail != NULL && *tail != '\0') {
		str_add(out, " \\fI");
		roff_add(out, tail);
		str_add(out, "\\fR");
	}
	str_addc(out, '\n');
}

void roff_in(struct str *out)
{
	str_add(out, ".RS\n");
}

void roff_out(struct str *out)
{
	str_add(out, ".RE\n");
}

void roff_example(struct str *out, const char *text)
{
	str_add(out, ".RS 4\n.nf\n");
	roff_add(out, text);
	str_add(out, ".fi\n.RE\n");
}

void roff_see(struct str *out, const char *const *names)
{
	for (; *names != NULL; names++) {
		size_t len = strcspn(*names, "(");

		str_add(out, ".BR ");
		add_n(out, *names, len);
		str_addf(out, " %s%s\n", *names + len, names[1] != NULL ? "," : "");
	}
}
