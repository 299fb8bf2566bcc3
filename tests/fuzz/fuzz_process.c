/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel writes about a process, whose name and arguments are its own choice; and what
 * stands in a pidfile. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	HALE_CLEANUP(str_done) struct str command = {0};
	struct proc_stat stat;
	struct proc_io io;
	uint64_t bytes;
	uid_t uid;
	pid_t pid;

	str_addn(&text, (const char *)data, size);
	if (proc_stat_parse(str_text(&text), &stat) == 0 &&
	    (stat.pid <= 0 || strlen(stat.name) >= PROC_NAME_SIZE))
		abort();
	if (proc_pid_parse(str_text(&text), &pid) == 0 && pid <= 0)
		abort();
	(void)proc_uid_parse(str_text(&text), &uid);
	(void)proc_io_parse(str_text(&text), &io);
	(void)proc_pss_parse(str_text(&text), &bytes);
	(void)proc_is_in_group(str_text(&text), "nginx.service");
	(void)proc_is_in_group(str_text(&text), "/system.slice");
	proc_command_add(str_text(&text), text.len, &command);
	if (command.len > text.len)
		abort();
	return 0;
}
