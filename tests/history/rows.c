/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/unit/test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/rows.h"

static const char *const texts[TW_HISTORY_NOUN__MAX][NAMES + 1] = {
	[TW_HISTORY_WORKLOAD] = {"", "w1", "w2", "w3", "w4", "w5", "w6"},
	[TW_HISTORY_RULE] = {"", "r1", "r2", "r3", "r4", "r5", "r6"},
	[TW_HISTORY_TAP] = {"", "t1", "t2", "t3", "t4", "t5", "t6"},
	[TW_HISTORY_HOSTNAME] = {"", "h1", "h2", "h3", "h4", "h5", "h6"},
};

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016. */
uint64_t random_next(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * 0x2545f4914f6cdd1du;
}

uint32_t random_below(struct random *random, uint32_t n)
{
	return (uint32_t)((random_next(random) >> 32) * n >> 32);
}

void names_make(struct tw_history *history, struct row_names *names)
{
	for (unsigned int noun = 0; noun < TW_HISTORY_NOUN__MAX; noun++)
		for (unsigned int i = 0; i <= NAMES; i++)
			assert_int_equal(
				tw_history_name(history, noun, texts[noun][i], &names->of[noun][i]),
				0);
}

static struct tw_addr make_addr(struct random *random, bool few)
{
	struct tw_addr addr = {.b = {[10] = 0xff, [11] = 0xff, [12] = 10}};

	addr.b[15] = (uint8_t)random_below(random, few ? 4 : 250);
	addr.b[14] = (uint8_t)random_below(random, few ? 2 : 16);
	if (random_below(random, 8) == 0) { /* fd00::… */
		addr.d[0] = 0;
		addr.b[0] = 0xfd;
		addr.b[10] = addr.b[11] = addr.b[12] = 0;
	}
	return addr;
}

void row_make(struct random *random, const struct row_names *names, uint64_t time_us, bool few,
	struct tw_history_row *row)
{
	*row = (struct tw_history_row){.time_us = time_us,
		.idle_ms = random_below(random, 3) ? 0 : random_below(random, 1000),
		.duration_ms = random_next(random) >> (20 + random_below(random, 44)),
		.host = names->of[TW_HISTORY_HOSTNAME][random_below(random, 3)],
		.proto = random_below(random, 3) ? IPPROTO_TCP : IPPROTO_UDP,
		.kind = (uint8_t)random_below(random, TW_HISTORY_KIND__MAX),
		.state = (uint8_t)random_below(random, TW_S__MAX)};

	row->dir = row->kind == TW_HISTORY_DENY ? (uint8_t)random_below(random, 2) : 0;
	row->verdict = row->kind == TW_HISTORY_DENY ? (uint8_t)(TW_V_DENY + random_below(random, 2))
						    : TW_V_ALLOW;
	row->reason = row->kind == TW_HISTORY_DENY ? (uint8_t)random_below(random, 9) : TW_R_POLICY;
	for (int end = 0; end < TW_DIR__MAX; end++) {
		row->addr[end] = make_addr(random, few);
		row->workload[end] =
			names->of[TW_HISTORY_WORKLOAD][random_below(random, NAMES + 1)];
		row->tap[end] = names->of[TW_HISTORY_TAP][random_below(random, NAMES + 1)];
		row->rule[end] = names->of[TW_HISTORY_RULE][random_below(random, NAMES + 1)];
		row->gate_verdict[end] = (uint8_t)random_below(random, TW_V__MAX);
		row->packets[end] = random_below(random, 200);
		row->bytes[end] = row->packets[end] * random_below(random, 1500);
	}
	row->port[0] = (uint16_t)random_next(random);
	row->port[1] = (uint16_t)random_below(random, few || random_below(random, 4) ? 5 : 65536);
	if (random_below(random, 1000) == 0)
		row->bytes[0] = random_next(random);
}

static bool has_prefix(const struct tw_addr *addr, const struct tw_history_end *end)
{
	for (unsigned int bit = 0; bit < end->prefix_len; bit++)
		if ((addr->b[bit / 8] ^ end->prefix.b[bit / 8]) >> (7 - bit % 8) & 1)
			return false;
	return true;
}

/* The tests' names are a letter and a digit. */
static uint32_t number_of(
	const struct row_names *names, enum tw_history_noun noun, const char *text)
{
	return text[1] > '0' && text[1] <= '0' + (int)NAMES ? names->of[noun][text[1] - '0']
							    : UINT32_MAX;
}

static bool end_matches(const struct row_names *names, const struct tw_history_row *row, int end,
	const struct tw_history_end *wanted, bool workload)
{
	if (workload)
		return !wanted->workload ||
		       row->workload[end] ==
			       number_of(names, TW_HISTORY_WORKLOAD, wanted->workload);
	return !wanted->has_prefix || has_prefix(&row->addr[end], wanted);
}

bool row_matches(const struct row_names *names, const struct tw_history_row *row,
	const struct tw_history_filter *f)
{
	uint32_t rule = f->rule ? number_of(names, TW_HISTORY_RULE, f->rule) : 0;

	if (row->time_us < f->since_us || (f->until_us && row->time_us >= f->until_us))
		return false;
	for (int workload = 0; workload < 2; workload++) {
		if (!end_matches(names, row, 0, &f->from, workload) ||
			!end_matches(names, row, 1, &f->to, workload))
			return false;
		if (!end_matches(names, row, 0, &f->either, workload) &&
			!end_matches(names, row, 1, &f->either, workload))
			return false;
	}
	if (f->rule && row->rule[0] != rule && row->rule[1] != rule)
		return false;
	if (f->host && row->host != number_of(names, TW_HISTORY_HOSTNAME, f->host))
		return false;
	if (f->has_proto && row->proto != f->proto)
		return false;
	if (f->has_port && row->port[1] != f->port)
		return false;
	if (f->verdict != TW_V_NONE && row->verdict != f->verdict)
		return false;
	return (!f->has_reason || row->reason == f->reason) &&
	       (!f->has_kind || row->kind == f->kind) &&
	       (!f->no_live || row->kind != TW_HISTORY_LIVE);
}

static void end_make(struct random *random, struct tw_history_end *end)
{
	if (random_below(random, 2))
		end->workload = texts[TW_HISTORY_WORKLOAD][1 + random_below(random, NAMES)];
	if (random_below(random, 2)) {
		static const uint8_t lens[] = {0, 8, 64, 90, 96, 104, 120, 124, 127, 128};

		end->has_prefix = true;
		end->prefix = make_addr(random, false);
		end->prefix_len = lens[random_below(random, sizeof(lens))];
	}
}

void filter_make(
	struct random *random, uint64_t from_us, uint64_t to_us, struct tw_history_filter *f)
{
	*f = (struct tw_history_filter){0};
	if (random_below(random, 2))
		f->since_us = from_us + random_next(random) % (to_us - from_us);
	if (random_below(random, 2))
		f->until_us = from_us + random_next(random) % (to_us - from_us);
	if (!random_below(random, 3))
		end_make(random, &f->either);
	if (!random_below(random, 4))
		end_make(random, &f->from);
	if (!random_below(random, 4))
		end_make(random, &f->to);
	if (!random_below(random, 4))
		f->rule = random_below(random, 9)
				  ? texts[TW_HISTORY_RULE][1 + random_below(random, NAMES)]
				  : "r9";
	if (!random_below(random, 6))
		f->host = texts[TW_HISTORY_HOSTNAME][1 + random_below(random, 2)];
	f->has_proto = !random_below(random, 4);
	f->proto = random_below(random, 2) ? IPPROTO_TCP : IPPROTO_UDP;
	f->has_port = !random_below(random, 4);
	f->port = (uint16_t)random_below(random, 5);
	if (!random_below(random, 4))
		f->verdict = (uint8_t)(1 + random_below(random, 3));
	f->has_reason = !random_below(random, 5);
	f->reason = (uint8_t)random_below(random, 9);
	f->has_kind = !random_below(random, 5);
	f->kind = (uint8_t)random_below(random, TW_HISTORY_KIND__MAX);
	f->no_live = !random_below(random, 5);
}
