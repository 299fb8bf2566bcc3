/* SPDX-License-Identifier: Apache-2.0 */
/* script - a server on the loop of the test that follows a script, or fails at a point of it
 *
 * One server at a time, on 127.0.0.1. Each connection begins the script anew.
 */
#ifndef HALE_TESTS_CHECKERS_SCRIPT_H
#define HALE_TESTS_CHECKERS_SCRIPT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "model/reason.h"

/* What a healthy server does next: waits for something, says something. */
struct script_step {
	const char *expect;  /* text in what the client sent since the last step; NULL: none */
	size_t expect_bytes; /* or at least so many bytes */
	const char *say;
	size_t say_len; /* 0: it is a text */
	/* Instead of say, for what depends on the question. */
	void (*answer)(const char *heard, size_t len, struct str *say);
	/* So many bytes of what is said are needed for a pass; 0: all. "Half an answer" is half of
	 * these. */
	size_t needed;
	enum reason silence; /* what a timeout here is, if it is not timeout_read */
};

struct script_dialogue {
	const struct script_step *steps;
	size_t steps_n;
	bool is_tls;
	size_t tls_after;   /* steps spoken before TLS begins; 0: it begins at once */
	bool closes_at_end; /* the server closes when all is said */
};

enum script_fault {
	FAULT_NONE,
	FAULT_SILENCE,
	FAULT_GARBAGE, /* and then silence */
	FAULT_HALF,    /* half of it, and closes */
	FAULT_HALF_SILENCE,
	FAULT_ENDLESS, /* half of it, and then something without an end */
	FAULT_FIN,
	FAULT_RST,
	FAULT_VANISH, /* connections and port are gone */
	FAULT_CALL,   /* silence, and on_reached tells */
};

/* The handshake, as the number of a step. */
#define SCRIPT_TLS SIZE_MAX

#define SCRIPT_GARBAGE_KINDS 4

struct script_manner {
	enum script_fault fault;
	size_t step;      /* where, instead of what would be said; SCRIPT_TLS */
	unsigned kind;    /* of garbage, below SCRIPT_GARBAGE_KINDS */
	bool is_dripping; /* all that is said comes in small pieces */
	void (*on_reached)(void);
};

/* dialogue and ctx (of TLS, or NULL) are borrowed until script_stop(). port 0: any. Returns it. */
int script_start(const struct script_dialogue *dialogue, SSL_CTX *ctx, int port);
/* From the next connection on. */
void script_behave(const struct script_manner *manner);
/* The fault's point was reached since script_behave(). */
bool script_was_reached(void);
/* The most memory that was in use while an endless answer was sent. */
size_t script_memory_peak(void);
size_t script_memory_now(void);
void script_stop(void);

#endif
