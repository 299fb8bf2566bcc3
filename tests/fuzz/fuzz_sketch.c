/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a histogram: what is taken comes out again as it was, and can be merged and asked. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/sketch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_order(const struct sketch *s)
{
	if (s->n > SKETCH_BUCKETS_MAX)
		abort();
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].count == 0 || (i > 0 && s->v[i].index <= s->v[i - 1].index))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sketch s = {0}, other = {0};
	struct str text = {0};

	if (sketch_read((const char *)data, size, &s)) {
		check_order(&s);
		sketch_write(&s, &text);
		if (text.len != size || memcmp(text.data, data, size) != 0)
			abort();
		if (s.n > 0 && !isfinite(sketch_quantile(&s, 0.95)))
			abort();
		for (int exponent = -300; exponent <= 300; exponent += 3)
			sketch_add(&other, ldexp(-1.25, exponent), 7);
		sketch_merge(&other, &s);
		check_order(&other);
		sketch_merge(&s, &other);
		check_order(&s);
	} else if (s.n != 0) {
		abort();
	}
	str_done(&text);
	sketch_done(&s);
	sketch_done(&other);
	return 0;
}
