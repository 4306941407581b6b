/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

static void send_text(const char *text, size_t len)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	socklen_t addr_len;
	tw_autofd int fd = -1;
	size_t path_len = path ? strlen(path) : 0;

	if (!path_len || path_len >= sizeof(addr.sun_path) || !strchr("/@", path[0]))
		return;
	memcpy(addr.sun_path, path, path_len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		sendto(fd, text, len, MSG_NOSIGNAL, (struct sockaddr *)&addr, addr_len);
}

void tw_notify(const char *format, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len > 0)
		send_text(text, strnlen(text, sizeof(text)));
}

void tw_notify_reloading(void)
{
	tw_notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(tw_clock_ns() / 1000));
}

/* Returns half of the watchdog period, or 0 if the manager has no watchdog. */
static uint64_t watchdog_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	return strtoull(usec, NULL, 10) * 1000 / 2;
}

void tw_notify_alive(void)
{
	static uint64_t told_ns;
	uint64_t every = watchdog_ns(), now = tw_clock_ns();

	if (!every || now - told_ns < every)
		return;
	told_ns = now;
	tw_notify("WATCHDOG=1");
}
