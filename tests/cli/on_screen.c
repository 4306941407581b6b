/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* on_screen ROWSxCOLUMNS KEYS COMMAND [ARGUMENT…]: runs the command on a terminal of that size,
 * sends it the keys one by one, each after the screen has stopped changing, and prints the final
 * screen. Sends `q` and exits with the command's exit code.
 *
 * In KEYS, @ROWSxCOLUMNS; changes the size of the window, v is the down arrow, and /TEXT/ waits
 * until the screen shows TEXT. The terminal is a VT52: no attributes, few sequences, and present in
 * every terminfo database.
 *
 * The screen has stopped changing if there is no output for a moment while the command and the
 * other processes of the test sleep. Without the second condition, a command that waits for a busy
 * CPU would count as finished.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS_MAX    100
#define COLUMNS_MAX 300
#define FIRST_MS    20000 /* time limit for the first output */
#define TEXT_MS	    60000
#define BUSY_MS	    60000
#define KEY_MS	    3000 /* time limit after a key, which may change nothing */
#define QUIET_MS    150

struct cell {
	char bytes[5]; /* one character */
};

static struct cell grid[ROWS_MAX][COLUMNS_MAX];
static struct winsize size;
static int row, column;
static char pending[4]; /* the first bytes of an incomplete sequence or character */
static size_t n_pending;
static pid_t child;

/* ---- the terminal ---- */

static void blank(int y, int x)
{
	strcpy(grid[y][x].bytes, " ");
}

static void erase_line(int y, int from)
{
	for (int x = from; x < COLUMNS_MAX; x++)
		blank(y, x);
}

static void erase_below(void)
{
	erase_line(row, column);
	for (int y = row + 1; y < ROWS_MAX; y++)
		erase_line(y, 0);
}

static void clamp(void)
{
	row = row < 0 ? 0 : row >= size.ws_row ? size.ws_row - 1 : row;
	column = column < 0 ? 0 : column >= size.ws_col ? size.ws_col - 1 : column;
}

/* Executes a complete sequence, given without its escape. */
static void obey(const char *sequence)
{
	switch (sequence[0]) {
	case 'A':
		row--;
		break;
	case 'B':
		row++;
		break;
	case 'C':
		column++;
		break;
	case 'D':
		column--;
		break;
	case 'H':
		row = column = 0;
		break;
	case 'J':
		erase_below();
		break;
	case 'K':
		erase_line(row, column);
		break;
	case 'Y':
		row = (unsigned char)sequence[1] - ' ';
		column = (unsigned char)sequence[2] - ' ';
		break;
	default: /* keypad and graphics modes */
		break;
	}
	clamp();
}

static void put_character(void)
{
	memcpy(grid[row][column].bytes, pending, n_pending);
	grid[row][column].bytes[n_pending] = '\0';
	n_pending = 0;
	if (column + 1 < size.ws_col)
		column++;
}

/* Returns the length of the UTF-8 character that begins with this byte. */
static size_t character_len(unsigned char first)
{
	return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static void take_byte(char byte)
{
	bool escape = n_pending && pending[0] == '\033';

	if (!n_pending && byte == '\r') {
		column = 0;
	} else if (!n_pending && byte == '\n') {
		row++;
		clamp();
	} else if (!n_pending && byte == '\b') {
		column--;
		clamp();
	} else if (!n_pending && byte == '\t') {
		column = (column / 8 + 1) * 8;
		clamp();
	} else if (!n_pending && byte == '\a') {
		return;
	} else {
		pending[n_pending++] = byte;
		if (escape && (n_pending == 4 || (n_pending == 2 && byte != 'Y'))) {
			obey(pending + 1);
			n_pending = 0;
		} else if (!escape && byte != '\033' &&
			   n_pending == character_len((unsigned char)pending[0])) {
			put_character();
		}
	}
}

static void print_screen(void)
{
	for (int y = 0; y < size.ws_row; y++) {
		int end = size.ws_col;

		while (end && !strcmp(grid[y][end - 1].bytes, " "))
			end--;
		putchar('|');
		for (int x = 0; x < end; x++)
			fputs(grid[y][x].bytes, stdout);
		putchar('\n');
	}
}

/* ---- the user ---- */

/* Reads the available output; false if the program has exited. */
static bool take_bytes(int fd)
{
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	for (ssize_t i = 0; i < n; i++)
		take_byte(bytes[i]);
	return n > 0;
}

/* True if a process that affects the screen is not sleeping: the command, this program's parent, or
 * another child of the parent, such as an agent. */
static bool is_busy(pid_t pid)
{
	char path[64], text[512], *end;
	char state = 'S';
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	/* The name in brackets may contain any character. */
	end = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	fclose(file);
	if (!end || sscanf(end + 1, " %c %d", &state, &parent) != 2 || pid == getpid())
		return false;
	return (state == 'R' || state == 'D') &&
	       (pid == child || pid == getppid() || parent == getppid());
}

static bool all_sleep(void)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	bool busy = false;

	if (!processes)
		return true;
	while (!busy && (entry = readdir(processes)))
		busy = isdigit((unsigned char)entry->d_name[0]) && is_busy(atoi(entry->d_name));
	closedir(processes);
	return !busy;
}

/* Reads until the screen stops changing, after waiting up to `timeout` for the first byte; false if
 * the program has exited. */
static bool watch(int fd, int timeout)
{
	struct pollfd wait = {fd, POLLIN, 0};
	int n, patience = BUSY_MS / QUIET_MS;

	while ((n = poll(&wait, 1, timeout)) > 0 || (!all_sleep() && patience-- > 0)) {
		if (n > 0 && !take_bytes(fd))
			return false;
		timeout = QUIET_MS;
	}
	return true;
}

static bool is_shown(const char *text, size_t len)
{
	for (int y = 0; y < size.ws_row; y++) {
		char line[sizeof(grid[0])] = "";

		for (int x = 0; x < size.ws_col; x++)
			strcat(line, grid[y][x].bytes);
		if (memmem(line, strlen(line), text, len))
			return true;
	}
	return false;
}

/* Waits until the screen shows the text, and returns the position of the next key; NULL if the text
 * does not appear. */
static const char *await_text(int fd, const char *key)
{
	struct pollfd wait = {fd, POLLIN, 0};
	const char *end = strchr(key + 1, '/');

	while (end && !is_shown(key + 1, (size_t)(end - key - 1)))
		if (poll(&wait, 1, TEXT_MS) <= 0 || !take_bytes(fd))
			return NULL;
	return end ? end + 1 : NULL;
}

static bool read_size(const char *text)
{
	return sscanf(text, "%hux%hu", &size.ws_row, &size.ws_col) == 2 && size.ws_row &&
	       size.ws_row <= ROWS_MAX && size.ws_col && size.ws_col <= COLUMNS_MAX;
}

/* Presses one key and returns the position of the next one; NULL if the key is not valid. */
static const char *press(int fd, const char *key)
{
	if (*key == '@') {
		const char *end = strchr(key, ';');

		if (!end || !read_size(key + 1) || ioctl(fd, TIOCSWINSZ, &size) < 0)
			return NULL;
		return end + 1;
	}
	if (*key == '/')
		return await_text(fd, key);
	if (*key == 'v')
		return write(fd, "\033B", 2) == 2 ? key + 1 : NULL;
	return write(fd, key, 1) == 1 ? key + 1 : NULL;
}

int main(int argc, char **argv)
{
	const char *key;
	bool alive;
	int fd, status;

	if (argc < 4 || !read_size(argv[1])) {
		fprintf(stderr, "usage: on_screen ROWSxCOLUMNS KEYS COMMAND…\n");
		return 2;
	}
	for (int y = 0; y < ROWS_MAX; y++)
		erase_line(y, 0);
	child = forkpty(&fd, NULL, NULL, &size);
	if (child < 0)
		return 2;
	if (!child) {
		setenv("TERM", "vt52", 1);
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	alive = watch(fd, FIRST_MS);
	for (key = argv[2]; key && *key && alive; alive = watch(fd, KEY_MS))
		key = press(fd, key);
	print_screen();
	if (alive && write(fd, "q", 1) == 1)
		while (watch(fd, FIRST_MS))
			continue;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
