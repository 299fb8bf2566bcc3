/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/init.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* How often what is left is looked at while it ends; nothing else is done meanwhile. */
#define END_LOOK_MS 10

void init_ready(int *ready_fd)
{
	(void)sd_notify(0, "READY=1");
	if (*ready_fd < 0)
		return;
	/* s6's protocol: a newline, then the end of the file. */
	(void)!write(*ready_fd, "\n", 1);
	cleanup_fd(ready_fd);
}

void init_reloading(void)
{
	/* systemd of Type=notify-reload wants to know when (sd_notify(3)). */
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
}

void init_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void init_status(const char *text)
{
	(void)sd_notifyf(0, "STATUS=%s", text);
}

void init_extend(int64_t by_ms)
{
	(void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%lld", (long long)by_ms * 1000);
}

void init_watchdog(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

int64_t init_watchdog_interval(void)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return (int64_t)(usec / 1000 / 2);
}

/* True once there is nobody else in the PID namespace; children are not all: somebody may have
 * entered it from outside. One whom we may not signal does not count. */
static bool is_alone_by(int64_t deadline_ms)
{
	do {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (kill(-1, 0) < 0)
			return true;
		(void)poll(NULL, 0, END_LOOK_MS);
	} while (clock_mono_ms() < deadline_ms);
	return false;
}

bool init_end_orphans(int64_t grace_ms)
{
	if (is_alone_by(0))
		return true;
	(void)kill(-1, SIGTERM);
	/* A stopped process hears of nothing but this. */
	(void)kill(-1, SIGCONT);
	if (is_alone_by(clock_mono_ms() + grace_ms))
		return true;
	(void)kill(-1, SIGKILL);
	(void)is_alone_by(clock_mono_ms() + grace_ms);
	return false;
}
