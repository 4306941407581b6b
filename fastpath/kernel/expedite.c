/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/expedite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BOOT_ID	 "/proc/sys/kernel/random/boot_id"
#define BOOT_LEN 36

/* Contents of a note. */
struct note {
	char boot[BOOT_LEN];
	char value; /* value of the setting: '0' or '1' */
};

static bool read_boot(char boot[BOOT_LEN])
{
	tw_autofd int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, boot, BOOT_LEN) == BOOT_LEN;
}

/* Opens and locks the setting. Returns its fd, or -1 if it cannot be changed or another process has
 * the lock. */
static int open_setting(const struct tw_expedite *expedite)
{
	const char *path = expedite->setting ? expedite->setting : TW_EXPEDITE_SETTING;
	tw_autofd int fd = -1;

	if (!expedite->note)
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	return TW_TAKE_FD(fd);
}

static bool write_setting(int fd, char value)
{
	const char line[] = {value, '\n'};

	return pwrite(fd, line, sizeof(line), 0) == sizeof(line);
}

/* The note need not survive a reboot, which resets the setting, so nothing waits for the disk. */
static bool write_note(const char *path, const struct note *note)
{
	tw_autofd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0 && write(fd, note, sizeof(*note)) == sizeof(*note))
		return true;
	if (fd >= 0)
		unlink(path);
	return false;
}

void tw_expedite_begin(struct tw_expedite *expedite)
{
	tw_autofd int fd = -1;
	struct note note;

	if (expedite->on)
		return;
	fd = open_setting(expedite);
	if (fd < 0 || pread(fd, &note.value, 1, 0) != 1 || note.value != '0')
		return;
	if (!read_boot(note.boot) || !write_note(expedite->note, &note))
		return;
	if (!write_setting(fd, '1')) {
		unlink(expedite->note);
		return;
	}
	expedite->fd = TW_TAKE_FD(fd);
	expedite->on = true;
}

void tw_expedite_end(struct tw_expedite *expedite)
{
	if (!expedite->on)
		return;
	if (write_setting(expedite->fd, '0'))
		unlink(expedite->note);
	close(expedite->fd);
	expedite->on = false;
}

void tw_expedite_recover(struct tw_expedite *expedite)
{
	tw_autofd int fd = -1, met = -1;
	struct note note;
	char boot[BOOT_LEN];

	if (!expedite->note || (met = open(expedite->note, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	fd = open_setting(expedite);
	if (fd < 0)
		return;
	if (read(met, &note, sizeof(note)) == sizeof(note) && read_boot(boot) &&
		!memcmp(note.boot, boot, BOOT_LEN) && note.value == '0' && !write_setting(fd, '0'))
		return;
	unlink(expedite->note);
}
