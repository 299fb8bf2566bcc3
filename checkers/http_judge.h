/* SPDX-License-Identifier: Apache-2.0 */
/* http_judge - one expectation, compiled, and what it says of an answer
 *
 * Outlives runs: expressions are compiled once. The body's JSON is read at most once for an answer,
 * and only if a program wants it. A program may use $status and $headers of the answer.
 *
 * Ownership: judge_new borrows all texts from the options; judge_free.
 * Errors:    in the verdict: the first thing that is wrong.
 * Loop:      one thread.
 */
#ifndef HALE_CHECKERS_HTTP_JUDGE_H
#define HALE_CHECKERS_HTTP_JUDGE_H

#include "http_options.h"

/* REASON_OK as long as nothing is wrong; the text is then what the option message gave, or "". */
struct verdict {
	enum reason reason;
	struct err text;
};

/* The first objection holds. */
void verdict_object(struct verdict *v, enum reason reason, const char *fmt, ...) HALE_PRINTF(3, 4);

struct judge;

/* What to ask of a body beside the expectation; all may be NULL. */
struct judge_programs {
	const json_t *metrics, *details; /* name: program */
	const char *message;
};

struct judge *judge_new(const struct http_expect_opts *expect,
			const struct judge_programs *programs);
void judge_free(struct judge *j);
/* Tells c the metrics and details it takes from the answer, and what programs gave if somebody
 * looks on. r has an answer (REASON_OK). */
void judge_answer(const struct judge *j, struct check *c, const struct http_response *r,
		  struct verdict *v);

/* -EINVAL: it is no program. */
int http_program_check(const char *program, struct err *err);

#endif
