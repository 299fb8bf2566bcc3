/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list args;

	if (err == NULL)
		return code;
	va_start(args, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return code;
}

int err_errno(struct err *err, int code, const char *fmt, ...)
{
	va_list args;
	int used;

	if (err == NULL)
		return code;
	va_start(args, fmt);
	used = vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	if (used >= 0 && (size_t)used < sizeof(err->text)) {
		size_t left = sizeof(err->text) - (size_t)used;

		(void)snprintf(err->text + used, left, ": %s", strerror(code < 0 ? -code : code));
	}
	return code;
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	struct err old;
	va_list args;
	int used;

	if (err == NULL)
		return;
	old = *err;
	va_start(args, fmt);
	used = vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	if (used >= 0 && (size_t)used < sizeof(err->text)) {
		size_t left = sizeof(err->text) - (size_t)used;

		(void)snprintf(err->text + used, left, ": %s", old.text);
	}
}
