/* SPDX-License-Identifier: Apache-2.0 */
/* What a Redis server answers, and the text of its INFO. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "redis_info.h"
#include "resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_metric(void *ctx, const char *name, double value)
{
	size_t *n = ctx;

	if (!isfinite(value) || name[0] == '\0')
		abort();
	(*n)++;
}

static void look_at(const struct resp_value *v)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	struct redis_info info;
	double number = 0;
	size_t n = 0;

	resp_describe(v, &text);
	if (resp_number(v, &number) && !isfinite(number))
		abort();
	if (v->type == RESP_STRING)
		redis_info_parse(v->text, v->len, 0, 1700000000000, on_metric, &n, &info);
}

/* In two pieces, as the network might cut them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resp_reader *r = resp_new();
	size_t cut = size == 0 ? 0 : data[0] % size;
	struct resp_value *v = NULL;
	struct redis_info info;
	struct err err = {0};
	size_t n = 0;
	int rc = resp_feed(r, (const char *)data, cut, &err);

	while (rc == 0 && (rc = resp_next(r, &v, &err)) == 0)
		resp_free(v);
	if (rc == -EAGAIN)
		rc = resp_feed(r, (const char *)data + cut, size - cut, &err);
	while (rc == 0 && (rc = resp_next(r, &v, &err)) == 0) {
		look_at(v);
		resp_free(v);
	}
	resp_delete(r);
	redis_info_parse((const char *)data, size, 1, 0, on_metric, &n, &info);
	return 0;
}
