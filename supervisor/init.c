/* SPDX-License-Identifier: Apache-2.0 */
#include "init.h"

#include <systemd/sd-daemon.h>

#include "base/clock.h"

void init_ready(void)
{
	(void)sd_notify(0, "READY=1");
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
