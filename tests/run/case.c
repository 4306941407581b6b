/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/case.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/vec.h"
#include "tests/run/draft_text.h"

#define FILE_MAX (1 << 20)
#define START_NS 1000000000000ull /* an arbitrary time */

struct reader {
	const char *name;
	char *at;	   /* start of the next line */
	unsigned int line; /* number of the line read last */
	uint64_t now_ns;
	struct tw_case *c;
	struct tw_err *err;
};

static int wrong(const struct reader *r, const char *what)
{
	char place[200];

	snprintf(place, sizeof(place), "%s:%u", r->name, r->line);
	return tw_err_set(r->err, -EINVAL, place, "see tests/case/README.md", "%s", what);
}

static char *take_line(struct reader *r)
{
	char *line = r->at;
	char *end;

	if (!*line)
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	r->at = end ? end + 1 : line + strlen(line);
	r->line++;
	return line;
}

static bool next_is_indented(const struct reader *r)
{
	return *r->at == ' ' || *r->at == '\t';
}

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

static struct tw_step *add_step(struct reader *r, enum tw_step_kind kind)
{
	struct tw_case *c = r->c;
	struct tw_step *step;

	if (tw_vec_reserve_((void **)&c->steps, &c->steps_max, c->n_steps + 1, sizeof(*c->steps)))
		return NULL;
	step = &c->steps[c->n_steps++];
	*step = (struct tw_step){.kind = kind, .line = r->line, .at_ns = r->now_ns};
	return step;
}

/* Reads the following indented lines, without the indent of the first; blank lines are part of
 * them. */
static int read_block(struct reader *r, char **ret)
{
	tw_auto_buf struct tw_buf text = {0};
	size_t indent = strspn(r->at, " \t");
	char *line;

	while (next_is_indented(r) || *r->at == '\n') {
		line = take_line(r);
		if (strspn(line, " \t") >= indent)
			line += indent;
		tw_buf_adds(&text, trim(line) == line + strlen(line) ? "" : line);
		tw_buf_adds(&text, "\n");
	}
	*ret = text.failed || !text.len ? NULL : tw_strndup(text.data, text.len);
	return *ret ? 0 : -ENOMEM;
}

static int add_text_step(struct reader *r, enum tw_step_kind kind, const char *text)
{
	struct tw_step *step = add_step(r, kind);

	if (!step)
		return -ENOMEM;
	step->text = tw_strdup(text);
	return step->text ? 0 : -ENOMEM;
}

static int read_policy(struct reader *r)
{
	unsigned int line = r->line;
	char *text = NULL;
	int err;

	if (!next_is_indented(r))
		return wrong(r, "an indented policy must follow");
	err = read_block(r, &text);
	if (!err) {
		err = add_text_step(r, TW_STEP_POLICY, text);
		if (!err)
			r->c->steps[r->c->n_steps - 1].line = line;
	}
	free(text);
	return err;
}

static int read_about(struct reader *r, const char *first)
{
	tw_auto_buf struct tw_buf text = {0};

	tw_buf_adds(&text, first);
	while (next_is_indented(r)) {
		tw_buf_adds(&text, " ");
		tw_buf_adds(&text, trim(take_line(r)));
	}
	free(r->c->about);
	r->c->about = text.failed ? NULL : tw_strdup(text.data);
	return r->c->about ? 0 : -ENOMEM;
}

/* Reads "0.5 web-1 -> db-1: tcp 1 > 2 S => allow policy" and an indented line "<= …" after it. */
static int read_frame(struct reader *r, char *line)
{
	char *time = tw_word_next(&line);
	bool relative = *time == '+';
	char *path = line;
	char *text = strstr(line, ": ");
	char *expect = text ? strstr(text, "=>") : NULL;
	struct tw_step *step;
	uint64_t at_ns;

	if (tw_word_seconds(time + relative, &at_ns))
		return wrong(r, "a line must start with a keyword or a time");
	if (!expect)
		return wrong(r, "a frame reads TIME PATH: FRAME => EXPECTATION");
	if (relative)
		at_ns += r->now_ns;
	else if (at_ns < r->now_ns)
		return wrong(r, "the time is before the previous frame's");
	r->now_ns = at_ns;
	*text = '\0';
	*expect = '\0';
	step = add_step(r, TW_STEP_FRAME);
	if (!step)
		return -ENOMEM;
	step->path = tw_strdup(trim(path));
	step->text = tw_strdup(trim(text + 2));
	step->expect = tw_strdup(trim(expect + 2));
	if (!step->path || !step->text || !step->expect)
		return -ENOMEM;
	if (!next_is_indented(r))
		return 0;
	text = trim(take_line(r));
	if (strncmp(text, "<= ", 3))
		return wrong(
			r, "an indented line after a frame must be the expected refusal: <= …");
	step->reply = tw_strdup(trim(text + 3));
	return step->reply ? 0 : -ENOMEM;
}

static int read_line(struct reader *r, char *line)
{
	static const struct {
		const char *word;
		enum tw_step_kind kind;
	} steps[] = {{"port ", TW_STEP_PORT}, {"set ", TW_STEP_SET}, {"check ", TW_STEP_CHECK},
		{"answer ", TW_STEP_ANSWER}, {"learn", TW_STEP_LEARN}};

	if (!strncmp(line, "about:", 6))
		return read_about(r, trim(line + 6));
	if (!strcmp(trim(line), "policy:"))
		return read_policy(r);
	if (!strncmp(line, "native-only:", 12)) {
		free(r->c->native_only);
		r->c->native_only = tw_strdup(trim(line + 12));
		return r->c->native_only ? 0 : -ENOMEM;
	}
	if (!strncmp(line, "connections:", 12))
		return tw_word_number(trim(line + 12), &r->c->max_conns)
			       ? wrong(r, "connections: must be a number")
			       : 0;
	if (!strncmp(line, "clock:", 6))
		return tw_word_seconds(trim(line + 6), &r->c->start_ns)
			       ? wrong(r, "clock: must be a number of seconds")
			       : 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		size_t len = strlen(steps[i].word);

		if (!strncmp(line, steps[i].word, len))
			return add_text_step(r, steps[i].kind, trim(line + len));
	}
	return read_frame(r, line);
}

int tw_case_read(const char *name, const char *text, struct tw_case **ret, struct tw_err *err)
{
	tw_autofree char *copy = tw_strdup(text);
	tw_auto(tw_case) struct tw_case *c = tw_alloc(sizeof(*c));
	struct reader r = {.name = name, .at = copy, .c = c, .err = err};
	char *line;
	int failed;

	if (!copy || !c)
		return -ENOMEM;
	c->start_ns = START_NS;
	while ((line = take_line(&r))) {
		if (*line == '#' || *trim(line) == '\0')
			continue;
		if (*line == ' ' || *line == '\t')
			return wrong(&r, "an indented line without a line that it continues");
		failed = read_line(&r, line);
		if (failed)
			return failed;
	}
	if (!c->about)
		return wrong(&r, "a case needs an about: line");
	*ret = TW_TAKE_PTR(c);
	return 0;
}

void tw_case_free(struct tw_case *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_steps; i++) {
		free(c->steps[i].text);
		free(c->steps[i].path);
		free(c->steps[i].expect);
		free(c->steps[i].reply);
	}
	free(c->steps);
	free(c->about);
	free(c->native_only);
	free(c);
}

int tw_case_slurp(const char *path, char **ret, struct tw_err *err)
{
	tw_autofile FILE *file = fopen(path, "re");
	tw_autofree char *text = tw_alloc(FILE_MAX + 1);
	size_t len;

	if (!text)
		return -ENOMEM;
	if (!file)
		return tw_err_set(err, -errno, path, NULL, "cannot open: %s", strerror(errno));
	len = fread(text, 1, FILE_MAX + 1, file);
	if (len > FILE_MAX || ferror(file) || memchr(text, '\0', len))
		return tw_err_set(
			err, -EINVAL, path, NULL, "not a text file of at most %d bytes", FILE_MAX);
	*ret = TW_TAKE_PTR(text);
	(*ret)[len] = '\0';
	return 0;
}
