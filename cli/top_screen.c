/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The live screen of top: the tables of top_table.c, drawn with curses. */
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/style.h"
#include "cli/top.h"

#define HEAD_LINES 3 /* two of totals, one of views */
#define FOOT_LINES 1
#define TITLES	   1
#define PAGE_MIN   1

static const char help[] = "q quit  p/c/r/d or Tab view  s sort  space pause  arrows scroll";

static struct screen {
	SCREEN *term;
	struct tw_top shown; /* the interval on the screen; kept while paused */
	enum tw_top_view view;
	size_t first; /* number of the top row */
	bool paused;
	bool any; /* true once an interval has arrived */
} screen;

/* ---- drawing ---- */

/* Returns the curses attribute of a sequence that style.c writes. */
static attr_t attribute_of(long code)
{
	switch (code) {
	case 1:
		return A_BOLD;
	case 2:
		return A_DIM;
	case 31:
	case 32:
	case 33:
	case 36:
		return COLOR_PAIR(code - 30);
	default:
		return A_NORMAL;
	}
}

static void begin_colors(void)
{
	static const short colors[] = {
		COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_BLUE, COLOR_MAGENTA, COLOR_CYAN};

	if (!has_colors())
		return;
	start_color();
	use_default_colors();
	for (size_t i = 0; i < TW_ARGS_N(colors); i++)
		init_pair((short)(i + 1), colors[i], -1);
}

static size_t char_len(const char *at)
{
	size_t n = 1;

	while (((unsigned char)at[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* Draws one line with its styles, cut at the width of the screen. */
static void put_line(int y, const char *text, attr_t base)
{
	int x = 0;

	if (y >= LINES - FOOT_LINES)
		return;
	attrset(base);
	while (*text && x < COLS) {
		if (text[0] == '\033' && text[1] == '[') {
			char *end;
			long code = strtol(text + 2, &end, 10);

			attrset(code ? base | attribute_of(code) : base);
			text = end + (*end == 'm');
			continue;
		}
		mvaddnstr(y, x++, text, (int)char_len(text));
		text += char_len(text);
	}
	attrset(A_NORMAL);
}

/* Draws `text` as lines from `y` on. The first line has the attribute `first`. */
static void put_lines(int y, char *text, attr_t first)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		put_line(y++, line, first);
		first = A_NORMAL;
	}
}

static void put_views(int y)
{
	int x = 0;

	for (int view = 0; view < TW_TOP_VIEW__MAX && x < COLS; view++) {
		attrset(view == (int)screen.view ? A_REVERSE : A_DIM);
		mvprintw(y, x, " %s ", tw_top_views[view]);
		x = getcurx(stdscr) + 1;
	}
	attrset(A_NORMAL);
	if (x < COLS)
		mvaddnstr(y, x, screen.paused ? " paused" : "", COLS - x);
	x = getcurx(stdscr) + 1;
	if (x < COLS)
		mvprintw(y, x, " by %s", tw_top_sorts[screen.shown.sort]);
}

static size_t page(void)
{
	int rows = LINES - HEAD_LINES - TITLES - FOOT_LINES;

	return rows < PAGE_MIN ? PAGE_MIN : (size_t)rows;
}

static void put_table(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	tw_top_head(&screen.shown, out);
	fclose(out);
	put_lines(0, text, A_NORMAL);
	free(text);
	text = NULL;
	out = open_memstream(&text, &len);
	if (!out)
		return;
	tw_top_table(&screen.shown, screen.view, screen.first, page(), (size_t)COLS, out);
	fclose(out);
	put_lines(HEAD_LINES, text, A_UNDERLINE);
	free(text);
}

static void draw(void)
{
	size_t n = tw_top_count(&screen.shown, screen.view);

	if (screen.first >= n)
		screen.first = n ? n - 1 : 0;
	erase();
	if (screen.any)
		put_table();
	else
		mvaddnstr(0, 0, "waiting for the first interval", COLS);
	if (LINES > HEAD_LINES)
		put_views(HEAD_LINES - 1);
	attrset(A_DIM);
	mvaddnstr(LINES - 1, 0, help, COLS - 1);
	attrset(A_NORMAL);
	refresh();
}

/* ---- keys ---- */

static void look_at(enum tw_top_view view)
{
	screen.view = view;
	screen.first = 0;
}

static void scroll_by(long rows)
{
	size_t n = tw_top_count(&screen.shown, screen.view);

	if (rows < 0)
		screen.first -= screen.first < (size_t)-rows ? screen.first : (size_t)-rows;
	else if (screen.first + (size_t)rows < n)
		screen.first += (size_t)rows;
}

/* Handles a key. False if the user quits. */
static bool take_key(int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case 'p':
		look_at(TW_TOP_PORTS);
		break;
	case 'c':
		look_at(TW_TOP_FLOWS);
		break;
	case 'r':
		look_at(TW_TOP_RULES);
		break;
	case 'd':
		look_at(TW_TOP_REASONS);
		break;
	case '\t':
		look_at((screen.view + 1) % TW_TOP_VIEW__MAX);
		break;
	case 's':
		screen.shown.sort = (screen.shown.sort + 1) % TW_TOP_SORT__MAX;
		tw_top_order(&screen.shown);
		break;
	case ' ':
		screen.paused = !screen.paused;
		break;
	case KEY_UP:
		scroll_by(-1);
		break;
	case KEY_DOWN:
		scroll_by(1);
		break;
	case KEY_PPAGE:
		scroll_by(-(long)page());
		break;
	case KEY_NPAGE:
		scroll_by((long)page());
		break;
	case KEY_HOME:
		screen.first = 0;
		break;
	default:
		break;
	}
	return true;
}

static bool take_keys(void)
{
	bool any = false;
	int key;

	while ((key = getch()) != ERR) {
		any = true;
		if (!take_key(key))
			return false;
	}
	if (any)
		draw();
	return true;
}

/* ---- begin, show, end ---- */

bool tw_top_screen_begin(const struct tw_top_options *options)
{
	screen.term = newterm(NULL, stdout, stdin);
	if (!screen.term)
		return false;
	screen.view = options->view ? options->view - 1 : TW_TOP_PORTS;
	screen.shown.sort = options->sort;
	set_escdelay(25);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	begin_colors();
	draw();
	return true;
}

void tw_top_screen_end(void)
{
	if (!screen.term)
		return;
	endwin();
	delscreen(screen.term);
	screen.term = NULL;
	tw_top_done(&screen.shown);
}

bool tw_top_screen_show(struct tw_top *top, int fd)
{
	struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {fd, POLLIN, 0}};

	if (!screen.paused) {
		struct tw_top before = screen.shown;

		top->sort = before.sort;
		screen.shown = *top;
		tw_top_order(&screen.shown);
		*top = before;
		screen.any = true;
	}
	draw();
	for (;;) {
		/* A signal ends the wait too, because the window may have been resized. */
		if (poll(fds, TW_ARGS_N(fds), -1) < 0 && errno != EINTR)
			return false;
		if (!take_keys() || fds[0].revents & (POLLERR | POLLHUP | POLLNVAL))
			return false;
		if (fds[1].revents)
			return true;
		fds[0].revents = fds[1].revents = 0;
	}
}
