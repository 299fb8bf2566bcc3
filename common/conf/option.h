/* SPDX-License-Identifier: Apache-2.0 */
/* option - a program's options, declared once, as a table in the C file that uses them
 *
 * From one table come: the manifest (`--describe`), haled's validation of the YAML, the defaults,
 * the decoding of the slice in the child, and the documentation. A table describes one YAML
 * mapping; nested mappings, lists of mappings and dictionaries point to further tables.
 *
 * Values travel from haled to the child normalised: durations as integer ms, sizes as integer
 * bytes, secrets expanded, defaults filled in, everything else as its natural JSON type. An
 * option that is absent and has no default is absent in the slice; its field stays zero/NULL.
 *
 * Field types in the struct (`offset`):
 *   STR ENUM CRON JQ THRESHOLD REF SECRET   char *            (owned by the struct; conf_free)
 *   INT PORT                                int64_t
 *   NUM                                     double
 *   BOOL                                    bool
 *   DURATION (ms)  SIZE (bytes)             int64_t
 *   LIST (of scalars; one scalar reads as a list of one)   struct strlist
 *   JSON (anything)  STRMAP (name: scalar, every value text)  json_t *  (own reference)
 *   MAP   (items: a nested mapping)         the nested struct itself, zeroed if absent; with
 *         .def = "{}" an absent one is filled with the defaults of its own items
 *   DICT  (name: mapping)  ARRAY (list of mappings)           struct conf_vec of `item_size`;
 *         for DICT the element's first member is `char *name` and receives the key
 */
#ifndef HALE_CONF_OPTION_H
#define HALE_CONF_OPTION_H

#include "base/err.h"
#include "base/strlist.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_T_END,
	CONF_T_STR,
	CONF_T_INT,
	CONF_T_NUM,
	CONF_T_BOOL,
	CONF_T_DURATION,
	CONF_T_SIZE,
	CONF_T_PORT,
	CONF_T_ENUM,
	CONF_T_CRON,
	CONF_T_JQ,
	CONF_T_THRESHOLD,
	CONF_T_REF,
	CONF_T_LIST,
	CONF_T_JSON,
	CONF_T_STRMAP,
	CONF_T_MAP,
	CONF_T_DICT,
	CONF_T_ARRAY,
};

enum {
	CONF_F_REQUIRED = 1, /* within its mapping, if that mapping is there */
	CONF_F_SECRET = 2,   /* masked wherever configuration is shown */
	CONF_F_NONEMPTY = 4, /* lists, dicts, strings */
	/* STRMAP: values whose name or form tells of a secret (API_TOKEN, postgres://u:p@h) are
	 * masked like secret options. */
	CONF_F_NAMED_SECRETS = 8,
	/* What the process may do that got this option (service/confine.h). A text, or a list. */
	CONF_F_READ_FILE = 16,   /* a path: that file is read, none beside it */
	CONF_F_READ_BESIDE = 32, /* a path: also what is beside it (journals, replaced files) */
	CONF_F_WRITE = 64,       /* a path: it and files beside it are made and written */
	CONF_F_CONNECT = 128,    /* names a target: the network must be reachable */
	/* STR of a kind of check: says what is checked. Left empty by a variable ("${URL:-}") the
	 * component is not configured: shown so, neither checked nor counted. */
	CONF_F_TARGET = 256,
};

struct conf_vec {
	void *v;
	size_t n;
};

struct conf_item {
	const char *name;
	enum conf_type type;
	size_t offset;
	const char *def;  /* default as YAML text ("30s", "true", "[a, b]"), or NULL */
	const char *help; /* one sentence, no full stop needed */
	unsigned flags;
	double min, max;     /* INT NUM PORT DURATION(ms) SIZE(bytes); both 0: no range */
	const char *choices; /* ENUM, and LIST of enums: "a|b|c" */
	const char *ref;     /* REF, LIST of refs: where the name must exist, "alerts.channels" */
	const struct conf_item *items; /* MAP DICT ARRAY */
	size_t item_size;              /* DICT ARRAY: sizeof one element */
	const char *bare; /* MAP: the one of its items that a bare scalar in its place stands for */
};

/* The macros give a name (and ports a range) that designators after them may replace; that is
 * what they are for, so the warning about it is off wherever tables are written. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define CONF_END                                                                                   \
	{                                                                                          \
		.type = CONF_T_END                                                                 \
	}
/* CONF_STR(struct x, field, .flags = CONF_F_REQUIRED, .help = "…"): the option is named like the
 * field; name one differently with .name = "…" among the designators. */
#define CONF_ITEM_(t, s, f, ...)                                                                   \
	{                                                                                          \
		.name = #f, .offset = offsetof(s, f), .type = (t), __VA_ARGS__                     \
	}
#define CONF_STR(s, f, ...)       CONF_ITEM_(CONF_T_STR, s, f, __VA_ARGS__)
#define CONF_INT(s, f, ...)       CONF_ITEM_(CONF_T_INT, s, f, __VA_ARGS__)
#define CONF_NUM(s, f, ...)       CONF_ITEM_(CONF_T_NUM, s, f, __VA_ARGS__)
#define CONF_BOOL(s, f, ...)      CONF_ITEM_(CONF_T_BOOL, s, f, __VA_ARGS__)
#define CONF_DURATION(s, f, ...)  CONF_ITEM_(CONF_T_DURATION, s, f, __VA_ARGS__)
#define CONF_SIZE(s, f, ...)      CONF_ITEM_(CONF_T_SIZE, s, f, __VA_ARGS__)
#define CONF_PORT(s, f, ...)      CONF_ITEM_(CONF_T_PORT, s, f, .min = 1, .max = 65535, __VA_ARGS__)
#define CONF_ENUM(s, f, ...)      CONF_ITEM_(CONF_T_ENUM, s, f, __VA_ARGS__)
#define CONF_CRON(s, f, ...)      CONF_ITEM_(CONF_T_CRON, s, f, __VA_ARGS__)
#define CONF_JQ(s, f, ...)        CONF_ITEM_(CONF_T_JQ, s, f, __VA_ARGS__)
#define CONF_THRESHOLD(s, f, ...) CONF_ITEM_(CONF_T_THRESHOLD, s, f, __VA_ARGS__)
#define CONF_REF(s, f, ...)       CONF_ITEM_(CONF_T_REF, s, f, __VA_ARGS__)
#define CONF_LIST(s, f, ...)      CONF_ITEM_(CONF_T_LIST, s, f, __VA_ARGS__)
#define CONF_JSON(s, f, ...)      CONF_ITEM_(CONF_T_JSON, s, f, __VA_ARGS__)
#define CONF_STRMAP(s, f, ...)    CONF_ITEM_(CONF_T_STRMAP, s, f, __VA_ARGS__)
#define CONF_MAP(s, f, sub, ...)  CONF_ITEM_(CONF_T_MAP, s, f, .items = (sub), __VA_ARGS__)
#define CONF_DICT(s, f, sub, elem, ...)                                                            \
	CONF_ITEM_(CONF_T_DICT, s, f, .items = (sub), .item_size = sizeof(elem), __VA_ARGS__)
#define CONF_ARRAY(s, f, sub, elem, ...)                                                           \
	CONF_ITEM_(CONF_T_ARRAY, s, f, .items = (sub), .item_size = sizeof(elem), __VA_ARGS__)

/* The name of a type in a manifest ("string", "duration" …) and back; CONF_T_END if it is none. */
const char *conf_type_name(enum conf_type type);
enum conf_type conf_type_from_name(const char *name);
/* Is `word` one of "a|b|c"? NULL choices have none. */
bool conf_choice_has(const char *choices, const char *word);

/* Fills the zeroed struct `out` from a normalised JSON object (as haled makes it). Unknown keys,
 * missing required ones, wrong types and values out of range are errors, and absent options take
 * their defaults, because a child may also be run by hand. The error reads "option: … : why". On
 * error `out` has been freed and zeroed. */
int conf_decode(const struct conf_item *items, const json_t *object, void *out, struct err *err);
void conf_free(const struct conf_item *items, void *out); /* frees what decode allocated; zeroes */

#endif
