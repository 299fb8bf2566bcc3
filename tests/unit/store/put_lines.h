/* SPDX-License-Identifier: Apache-2.0 */
/* put_lines - lines into a store, as the recorder does, for tests of what reads it
 */
#ifndef HALE_TEST_STORE_PUT_LINES_H
#define HALE_TEST_STORE_PUT_LINES_H

#include "store/line.h"
#include "store/store.h"

#include <stddef.h>

/* Makes the store if need be. How many lines were not understood, or a negative errno. Blocks. */
int put_lines(const struct store_options *o, const struct store_line *lines, size_t n,
	      struct err *err);

#endif
