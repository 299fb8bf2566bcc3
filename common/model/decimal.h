/* SPDX-License-Identifier: Apache-2.0 */
/* decimal - numbers as they are written, compared without binary rounding
 *
 * |100.01 - 100.00| is 0.01 here, not 0.010000000000005. Exact up to DECIMAL_DIGITS digits once the
 * numbers were brought to the same scale; beyond that the comparison falls back to long double,
 * whose 18 digits are then still more than any column that is compared with a tolerance holds.
 *
 * Pure. Ownership: none, values are plain.
 */
#ifndef HALE_MODEL_DECIMAL_H
#define HALE_MODEL_DECIMAL_H

#include <jansson.h>
#include <stdbool.h>

#define DECIMAL_DIGITS   37 /* what a signed 128-bit integer always holds, less one for a sum */
#define DECIMAL_TEXT_MAX 64

struct decimal {
	__int128 digits; /* value = digits / 10^scale; no trailing zeros if scale > 0 */
	int scale;       /* >= 0 */
};

/* "-12.50", "1e-3"; blanks around it are fine. False if it is no decimal number ("NaN", "0x1", "")
 * or has too many digits. */
bool decimal_parse(const char *text, struct decimal *d_r);
/* A JSON number (a real is read by the shortest digits that mean it), or a text that holds one. */
bool decimal_from_json(const json_t *value, struct decimal *d_r);
/* |a - b| <= tolerance */
bool decimal_is_within(struct decimal a, struct decimal b, struct decimal tolerance);
/* "-12.5", "1000": the same text for the same number, whatever it was written like. Returns buf. */
const char *decimal_text(struct decimal d, char buf[DECIMAL_TEXT_MAX]);
/* The shortest text that reads back as the same double: 100.01, 10, 1e+20. Returns buf. */
const char *decimal_real_text(double real, char buf[DECIMAL_TEXT_MAX]);

#endif
