/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/author.h"

#include <pwd.h>
#include <stdio.h>

#include "base/cleanup.h"

void tw_author_name(uint32_t uid, char *ret, size_t max)
{
	tw_autofile FILE *users = fopen("/etc/passwd", "re");
	struct passwd user, *found;
	char line[4096];

	snprintf(ret, max, "uid %u", uid);
	while (users && !fgetpwent_r(users, &user, line, sizeof(line), &found)) {
		if (found->pw_uid != uid)
			continue;
		snprintf(ret, max, "%s", found->pw_name);
		return;
	}
}
