/* SPDX-License-Identifier: Apache-2.0 */
/* behaviour - what every kind that talks over a network must do with a server that does not
 *
 * One call derives from the dialogue of a healthy server, for each of its steps: silence, garbage,
 * half an answer and then the end or silence, an answer without an end, closing, reset, cancel, the
 * server going away and coming back; besides, a closed port, a host that swallows packets, an
 * answer in small pieces, and success. Each run must end in exactly one verdict; only success and
 * the small pieces are a pass; the reason must be one that the kind declares, of the right stage if
 * it is a timeout; memory stays bounded, and nothing is leaked.
 *
 * The test links the kind's core, kind.c, script.c and certs.c (hale_behaviour_test() in
 * CMakeLists.txt), and looks like test_tcp_behaviour.c.
 */
#ifndef HALE_TESTS_CHECKERS_BEHAVIOUR_H
#define HALE_TESTS_CHECKERS_BEHAVIOUR_H

#include "model/reason.h"
#include "script.h"

struct behaviour {
	/* JSON as a checker gets it. PORT stands for the server's port on 127.0.0.1 (its
	 * certificate is for that and for "localhost"), CA for the file of the certificate that is
	 * to be trusted. What is expected must be strict enough that half an answer is a failure.
	 */
	const char *options;
	struct script_dialogue dialogue;
	/* With TLS: the kind does not look at certificates. */
	bool trusts_all;
	/* Unless REASON_OK: the one reason that the kind has for all that its peer does wrong. */
	enum reason only_reason;
};

/* Within a test whose setup and teardown are kind_setup and kind_teardown. */
void behaviour_check(const struct behaviour *b);

#endif
