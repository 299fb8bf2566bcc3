/* SPDX-License-Identifier: Apache-2.0 */
/* import - store.import: rows of an export, a piece at a time, into the keeper's store
 *
 * Loop: on the loop; the rows are stored in a worker thread (recorder_do).
 */
#ifndef HALE_RECORDER_IMPORT_H
#define HALE_RECORDER_IMPORT_H

#include "bus/command.h"
#include "recorder.h"

#define IMPORT_HELP                                                                                \
	"{rows: [rows of an export]} -> {imported: {results: n, …}, present, ahead,"             \
	" bad: [{row, error}]}"

void import_call(struct recorder *r, struct command_request *rq, const json_t *params);

#endif
