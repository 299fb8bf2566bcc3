/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the state file of a heartbeat, and the signal of a ping's path. The first byte
 * tells which of them follows. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "ping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_signal(const char *text)
{
	enum ping_signal signal;
	int code;

	if (ping_signal_parse(text, &signal, &code) == 0 && (code < -1 || code > 255))
		abort();
}

/* What is taken must come back the same. */
static void try_state(const char *text, size_t len)
{
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	struct ping_state s, again;
	struct ping p = {.signal = PING_SUCCESS,
			 .exit_code = -1,
			 .at_ms = 1,
			 .rid = "",
			 .key = "",
			 .source = ""};

	if (ping_state_decode(object, &s, NULL) == 0) {
		json_t *back = ping_state_encode(&s);

		if (back == NULL || ping_state_decode(back, &again, NULL) < 0 ||
		    again.pings != s.pings || again.last_ms != s.last_ms)
			abort();
		(void)ping_take(&again, &p);
		ping_state_done(&again);
		ping_state_done(&s);
		json_decref(back);
	}
	json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	if (size == 0)
		return 0;
	str_addn(&text, (const char *)data + 1, size - 1);
	if (data[0] == 's')
		try_signal(str_text(&text));
	else
		try_state(str_text(&text), text.len);
	return 0;
}
