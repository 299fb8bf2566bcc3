/* SPDX-License-Identifier: Apache-2.0 */
#include "store/series.h"

#include <errno.h>

#include "series_load.h"
#include "series_text.h"

int series_write(struct store *s, const struct series_query *q, struct str *out, struct err *err)
{
	HALE_CLEANUP(series_load_done) struct series_load l = {.s = s, .q = q};
	int rc = q->metric != NULL ? series_load_begin(&l, err)
				   : err_set(err, -EINVAL, "a series is of one metric: name it");

	if (rc != 0)
		return rc;
	series_plan_make(&l.scope, &l.plan);
	rc = series_load_rows(&l, err);
	if (rc == 0)
		series_text_write(&l.set, &l.plan,
				  &(struct series_range){q->metric, l.from_ms, l.to_ms}, out);
	return rc;
}

int series_read(struct store *s, const struct series_query *q, json_t **out_r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	int rc = series_write(s, q, &text, err);

	if (rc == 0) {
		*out_r = json_loadb(str_text(&text), text.len, 0, NULL);
		HALE_ASSERT(*out_r != NULL);
	}
	return rc;
}
