/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/batch.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cli/report.h"
#include "fastpath/abi/names.h"

#define IN_MAX	(256u << 10)
#define OUT_MAX (64u << 10)

_Static_assert(IN_MAX > TW_BATCH_LINE_MAX, "the longest line fits, and one more byte");

/* A name as the output shows it: quoted, with escapes where JSON requires them. */
struct quoted {
	char *text;
	size_t len;
};

struct batch {
	struct tw_judge *judge;
	struct quoted *rules; /* including the default */
	size_t n_rules;
	struct quoted *ports; /* indexed by vNIC */
	size_t n_ports;
	struct tw_buf out;
	char *in;
	char *room;
	size_t line;  /* number of the current line, from 1 */
	bool bad;     /* true if any line was not a tuple */
	bool in_long; /* inside a line that was too long and has its answer */
};

static int quote(const char *name, struct quoted *ret)
{
	json_t *text = json_string(name);

	ret->text = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;
	json_decref(text);
	if (!ret->text)
		return -ENOMEM;
	ret->len = strlen(ret->text);
	return 0;
}

static void free_quoted(struct quoted *names, size_t n)
{
	for (size_t i = 0; names && i < n; i++)
		free(names[i].text);
	free(names);
}

static int init(struct batch *batch, struct tw_judge *judge)
{
	const struct tw_policy *policy = judge->policy;

	batch->judge = judge;
	batch->n_rules = tw_policy_n_rules(policy) + 1;
	batch->n_ports = tw_policy_n_vnics(policy);
	batch->rules = tw_alloc_array(batch->n_rules, sizeof(*batch->rules));
	batch->ports = tw_alloc_array(batch->n_ports, sizeof(*batch->ports));
	batch->in = tw_alloc(IN_MAX + 1);
	batch->room = tw_alloc(TW_BATCH_ROOM);
	if (!batch->rules || !batch->ports || !batch->in || !batch->room)
		return -ENOMEM;
	for (size_t i = 0; i < batch->n_rules; i++)
		if (quote(tw_policy_rule(policy, i)->name, &batch->rules[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < batch->n_ports; i++)
		if (quote(tw_judge_port_name(tw_policy_vnic(policy, i)), &batch->ports[i]) < 0)
			return -ENOMEM;
	return 0;
}

static void done(struct batch *batch)
{
	free_quoted(batch->rules, batch->n_rules);
	free_quoted(batch->ports, batch->n_ports);
	free(batch->in);
	free(batch->room);
	tw_buf_done(&batch->out);
}

static void put_rule(struct batch *batch, size_t rule)
{
	if (rule < batch->n_rules)
		tw_buf_add(&batch->out, batch->rules[rule].text, batch->rules[rule].len);
	else
		tw_buf_adds(&batch->out, "null");
}

static void put_end(
	struct batch *batch, const struct tw_judged_end *end, const struct tw_vnic *vnic)
{
	struct tw_buf *out = &batch->out;

	if (!end->protected) {
		tw_buf_adds(out, "null");
		return;
	}
	tw_buf_adds(out, "{\"port\":");
	tw_buf_add(out, batch->ports[vnic->index].text, batch->ports[vnic->index].len);
	tw_buf_adds(out, ",\"verdict\":\"");
	tw_buf_adds(out, tw_verdict_name(end->verdict));
	tw_buf_adds(out, "\",\"rule\":");
	put_rule(batch, end->rule);
	tw_buf_adds(out, "}");
}

static void put_judgement(
	struct batch *batch, const struct tw_query *tuple, const struct tw_judgement *judgement)
{
	const struct tw_judged_end *decider = judgement->decider < 0
						      ? NULL
						      : &judgement->end[judgement->decider];
	struct tw_buf *out = &batch->out;

	tw_buf_adds(out, "{\"verdict\":\"");
	tw_buf_adds(out, tw_judgement_verdict(judgement));
	tw_buf_adds(out, "\",\"rule\":");
	put_rule(batch, decider ? decider->rule : TW_NO_RULE);
	if (decider) {
		tw_buf_adds(out, ",\"reason\":\"");
		tw_buf_adds(out, tw_reason_name(decider->reason));
		tw_buf_adds(out, "\",\"out\":");
	} else {
		tw_buf_adds(out, ",\"reason\":null,\"out\":");
	}
	put_end(batch, &judgement->end[TW_DIR_OUT], tuple->vnic[TW_DIR_OUT]);
	tw_buf_adds(out, ",\"in\":");
	put_end(batch, &judgement->end[TW_DIR_IN], tuple->vnic[TW_DIR_IN]);
	tw_buf_adds(out, "}\n");
}

static void put_error(struct batch *batch, const struct tw_err *err)
{
	char text[TW_ERR_TEXT_MAX + 600];
	struct quoted quoted;

	snprintf(text, sizeof(text), "%s%s%s%s%s", err->place, err->place[0] ? ": " : "", err->text,
		err->hint[0] ? "; " : "", err->hint);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	batch->bad = true;
	if (quote(text, &quoted) < 0) {
		batch->out.failed = true;
		return;
	}
	tw_buf_addf(&batch->out, "{\"error\":%s,\"line\":%zu}\n", quoted.text, batch->line);
	free(quoted.text);
}

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

static void answer_line(struct batch *batch, char *line, size_t len)
{
	struct tw_judgement judgement;
	struct tw_tuple_words words;
	struct tw_query tuple;
	struct tw_err err;

	batch->line++;
	if (is_blank(line, len))
		return;
	if (tw_batch_words(line, len, batch->room, &words, &err) < 0 ||
		tw_tuple_read(batch->judge->policy, &words, &tuple, &err) < 0) {
		put_error(batch, &err);
		return;
	}
	tw_judge_tuple(batch->judge, &tuple, &judgement);
	put_judgement(batch, &tuple, &judgement);
}

static int flush(struct batch *batch)
{
	if (batch->out.failed)
		return tw_report_memory();
	if (batch->out.len && fwrite(batch->out.data, batch->out.len, 1, stdout) != 1)
		return tw_report_error(TW_EXIT_INTERNAL, "stdout", NULL, "cannot write the output");
	tw_buf_reset(&batch->out);
	return TW_EXIT_OK;
}

/* Answers the complete lines in the first `len` bytes of the input. If `last`, also answers an
 * incomplete line at the end. Returns the number of bytes used, or -1 if the output failed. */
static ssize_t answer_lines(struct batch *batch, size_t len, bool last)
{
	size_t start = 0;

	while (start < len) {
		char *line = batch->in + start;
		char *end = memchr(line, '\n', len - start);
		size_t line_len = end ? (size_t)(end - line) : len - start;

		if (!end && !last && line_len <= TW_BATCH_LINE_MAX)
			break;
		/* A line longer than the buffer is answered once, for its first part. */
		if (!batch->in_long)
			answer_line(batch, line, line_len);
		batch->in_long = !end;
		start += line_len + (end != NULL);
		if (batch->out.len >= OUT_MAX && flush(batch))
			return -1;
	}
	return (ssize_t)start;
}

/* Flushes the answers before it waits for input, because a program at the other end of both
 * pipes may wait for them. */
static int run(struct batch *batch, int in_fd)
{
	size_t len = 0;
	ssize_t n, used;

	do {
		n = read(in_fd, batch->in + len, IN_MAX - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return tw_report_error(
				TW_EXIT_USAGE, "stdin", NULL, "cannot read: %s", strerror(errno));
		len += (size_t)n;
		used = answer_lines(batch, len, n == 0);
		if (used < 0 || flush(batch))
			return TW_EXIT_INTERNAL;
		len -= (size_t)used;
		memmove(batch->in, batch->in + used, len);
		if (fflush(stdout))
			return tw_report_error(
				TW_EXIT_INTERNAL, "stdout", NULL, "cannot write the output");
	} while (n != 0);
	return batch->bad ? TW_EXIT_USAGE : TW_EXIT_OK;
}

int tw_batch_run(struct tw_judge *judge, int in_fd)
{
	struct batch batch = {0};
	int code = init(&batch, judge) < 0 ? tw_report_memory() : run(&batch, in_fd);

	done(&batch);
	return code;
}
