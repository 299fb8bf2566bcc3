/* SPDX-License-Identifier: Apache-2.0 */
#include "model/decimal.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1e400 has 401 digits before the point: no use reading further. */
#define EXPONENT_MAX 400

/* Appends one digit; false when they are too many. */
static bool push_digit(struct decimal *d, int digit)
{
	return !__builtin_mul_overflow(d->digits, (__int128)10, &d->digits) &&
	       !__builtin_add_overflow(d->digits, (__int128)digit, &d->digits);
}

static void strip_zeros(struct decimal *d)
{
	while (d->scale > 0 && d->digits % 10 == 0) {
		d->digits /= 10;
		d->scale--;
	}
}

/* digits * 10^by; false when there is no room. */
static bool shift(__int128 *digits, int by)
{
	for (; by > 0; by--) {
		if (__builtin_mul_overflow(*digits, (__int128)10, digits))
			return false;
	}
	return true;
}

static bool parse_digits(const char **p, struct decimal *d)
{
	int n = 0;
	bool is_fraction = false;

	for (; isdigit((unsigned char)**p) || (**p == '.' && !is_fraction); (*p)++) {
		if (**p == '.') {
			is_fraction = true;
			continue;
		}
		if (!push_digit(d, **p - '0'))
			return false;
		d->scale += is_fraction;
		n++;
	}
	return n > 0;
}

static bool parse_exponent(const char **p, int *exponent_r)
{
	char *end;
	long n;

	*exponent_r = 0;
	if (**p != 'e' && **p != 'E')
		return true;
	n = strtol(*p + 1, &end, 10);
	if (end == *p + 1 || isspace((unsigned char)(*p)[1]) || labs(n) > EXPONENT_MAX)
		return false;
	*p = end;
	*exponent_r = (int)n;
	return true;
}

bool decimal_parse(const char *text, struct decimal *d_r)
{
	struct decimal d = {0};
	const char *p = text + strspn(text, " \t\r\n");
	bool is_negative = *p == '-';
	int exponent;

	p += *p == '-' || *p == '+';
	if (!parse_digits(&p, &d) || !parse_exponent(&p, &exponent))
		return false;
	if (p[strspn(p, " \t\r\n")] != '\0')
		return false;
	strip_zeros(&d);
	d.scale -= exponent;
	if (d.digits == 0)
		d.scale = 0;
	if (d.scale < 0) {
		if (!shift(&d.digits, -d.scale))
			return false;
		d.scale = 0;
	}
	if (is_negative)
		d.digits = -d.digits;
	*d_r = d;
	return true;
}

const char *decimal_text(struct decimal d, char buf[DECIMAL_TEXT_MAX])
{
	char reversed[DECIMAL_TEXT_MAX];
	unsigned __int128 rest;
	size_t n = 0, len = 0;
	int scale;

	strip_zeros(&d);
	rest = d.digits < 0 ? -(unsigned __int128)d.digits : (unsigned __int128)d.digits;
	/* So small that the noughts have no place: 12e-300. */
	scale = d.scale > DECIMAL_DIGITS ? 0 : d.scale;
	for (int at = 0; rest != 0 || at <= scale; at++) {
		if (at == scale && scale > 0)
			reversed[n++] = '.';
		reversed[n++] = (char)('0' + (int)(rest % 10));
		rest /= 10;
	}
	if (d.digits < 0)
		buf[len++] = '-';
	while (n > 0)
		buf[len++] = reversed[--n];
	buf[len] = '\0';
	if (scale != d.scale)
		(void)snprintf(buf + len, DECIMAL_TEXT_MAX - len, "e-%d", d.scale);
	return buf;
}

const char *decimal_real_text(double real, char buf[DECIMAL_TEXT_MAX])
{
	for (int precision = 15; precision <= 17; precision++) {
		(void)snprintf(buf, DECIMAL_TEXT_MAX, "%.*g", precision, real);
		if (strtod(buf, NULL) == real)
			break;
	}
	return buf;
}

bool decimal_from_json(const json_t *value, struct decimal *d_r)
{
	char buf[DECIMAL_TEXT_MAX];

	if (json_is_integer(value)) {
		*d_r = (struct decimal){.digits = json_integer_value(value)};
		return true;
	}
	if (json_is_real(value))
		return decimal_parse(decimal_real_text(json_real_value(value), buf), d_r);
	return json_is_string(value) && decimal_parse(json_string_value(value), d_r);
}

static long double approximate(struct decimal d)
{
	return (long double)d.digits / powl(10.0L, (long double)d.scale);
}

bool decimal_is_within(struct decimal a, struct decimal b, struct decimal tolerance)
{
	int scale = a.scale > b.scale ? a.scale : b.scale;
	struct decimal x = a, y = b, limit = tolerance;
	__int128 difference;

	scale = tolerance.scale > scale ? tolerance.scale : scale;
	if (!shift(&x.digits, scale - x.scale) || !shift(&y.digits, scale - y.scale) ||
	    !shift(&limit.digits, scale - limit.scale) ||
	    __builtin_sub_overflow(x.digits, y.digits, &difference))
		return fabsl(approximate(a) - approximate(b)) <= approximate(tolerance);
	return (difference < 0 ? -difference : difference) <= limit.digits;
}
