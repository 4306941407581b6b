/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/diff/conntrack_reasons.h"

#include <stddef.h>

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };
enum {
	NF_NONE = -1,
	NF_SYN_SENT = 1,
	NF_SYN_RECV = 2,
	NF_LAST_ACK = 6,
	NF_TIME_WAIT = 7,
	NF_CLOSE = 8,
	NF_SYN_SENT2 = 9
};

#define ACK_WINDOW_MIN 65999 /* nf_conntrack accepts acknowledgements up to this age in bytes */

static bool after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static bool is(const struct tw_ct_case *k, enum tw_ct_class theirs, enum tw_ct_class ours)
{
	return k->theirs == theirs && k->ours == ours;
}

static bool is_syn(const struct tw_ct_segment *s)
{
	return (s->flags & (SYN | ACK)) == SYN;
}

/* Returns the segment's direction in the record, which the other end may have reopened. */
static bool way_of(const struct tw_ct_case *k)
{
	return k->segment->reply != k->history->turned;
}

static uint32_t acked(const struct tw_ct_case *k)
{
	return k->record.window[way_of(k)].acked;
}

static uint32_t edge(const struct tw_ct_case *k)
{
	bool way = way_of(k);

	return acked(k) +
	       ((uint32_t)k->record.peer_window[way] << (k->record.progress.scale[!way] & 15));
}

/* Returns the end of what the other end has sent. */
static uint32_t sent(const struct tw_ct_case *k)
{
	return k->record.window[!way_of(k)].end;
}

/* ---- the predicates, in the order of the table ---- */

static bool unanswered(const struct tw_ct_case *k)
{
	return is(k, TW_CT_NEW, TW_CT_ESTABLISHED) && !way_of(k) && !k->history->answered;
}

static bool syn_challenged(const struct tw_ct_case *k)
{
	return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) && is_syn(k->segment) && way_of(k) &&
	       k->record.progress.state != TW_S_SYN_SENT;
}

static bool rst_outside(const struct tw_ct_case *k)
{
	return is(k, TW_CT_ESTABLISHED, TW_CT_INVALID) && k->segment->flags & RST &&
	       k->reason == TW_R_TCP_WINDOW &&
	       (after(acked(k), k->segment->seq) || after(k->segment->seq, edge(k)));
}

static bool rst_before_ack(const struct tw_ct_case *k)
{
	return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) &&
	       (k->segment->flags & (RST | ACK)) == (RST | ACK) && after(k->segment->ack, sent(k));
}

static bool rst_no_data(const struct tw_ct_case *k)
{
	bool peer = !k->segment->reply;

	if (k->segment->flags & RST && k->history->challenged[peer])
		return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED);
	return is(k, TW_CT_ESTABLISHED, TW_CT_INVALID) && k->segment->flags & ACK &&
	       k->reason == TW_R_TCP_WINDOW && k->history->challenged[peer] &&
	       !after(k->segment->ack, k->history->rst[peer]);
}

/* Returns the highest number that the segment acknowledges, including SACK. */
static uint32_t highest_ack(const struct tw_ct_segment *s)
{
	uint32_t highest = s->ack;

	for (unsigned int i = 0; i < s->n_sacks; i++)
		if (after(s->sack[i][1], highest))
			highest = s->sack[i][1];
	return highest;
}

static bool ack_age(const struct tw_ct_case *k)
{
	bool way = !k->segment->reply;

	return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) && k->history->aged[way] &&
	       !after(highest_ack(k->segment), k->history->aged_end[way]);
}

static bool beyond_window(const struct tw_ct_case *k)
{
	return is(k, TW_CT_ESTABLISHED, TW_CT_INVALID) && !(k->segment->flags & (SYN | RST)) &&
	       k->reason == TW_R_TCP_WINDOW && after(k->segment->seq, edge(k));
}

static bool sack_unsent(const struct tw_ct_case *k)
{
	return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) && k->segment->n_sacks &&
	       !after(k->segment->ack, sent(k)) && after(highest_ack(k->segment), sent(k));
}

static bool closed_reopens(const struct tw_ct_case *k)
{
	return (is(k, TW_CT_INVALID, TW_CT_NEW) || is(k, TW_CT_ESTABLISHED, TW_CT_NEW)) &&
	       is_syn(k->segment) &&
	       (k->record.progress.state == TW_S_CLOSED ||
		       k->record.progress.state == TW_S_TIME_WAIT);
}

static bool rst_challenged(const struct tw_ct_case *k)
{
	return (k->history->challenged[0] || k->history->challenged[1]) &&
	       (k->their_state == NF_CLOSE || k->their_state == NF_NONE) &&
	       k->record.progress.state != TW_S_CLOSED;
}

static bool rst_behind_data(const struct tw_ct_case *k)
{
	return k->record.progress.state == TW_S_CLOSED && k->their_state != NF_CLOSE;
}

static bool rst_stale(const struct tw_ct_case *k)
{
	return is(k, TW_CT_ESTABLISHED, TW_CT_INVALID) && k->segment->flags & RST &&
	       k->reason == TW_R_TCP_WINDOW && k->segment->seq == k->record.window[way_of(k)].acked;
}

static bool rst_rejected(const struct tw_ct_case *k)
{
	return k->history->reset && (k->their_state == NF_CLOSE || k->their_state == NF_NONE) &&
	       k->record.progress.state != TW_S_CLOSED;
}

static bool old_acks(const struct tw_ct_case *k)
{
	bool way = !k->segment->reply;

	return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) && k->segment->flags & RST &&
	       k->history->acks[way] && after(k->history->highest_ack[way], k->segment->seq);
}

static bool begun_anew(const struct tw_ct_case *k)
{
	if (k->segment->flags & RST)
		return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) && !k->segment->seq &&
		       k->record.progress.flags & TW_CONN_F_SYN_AGAIN;
	if (k->their_state == NF_SYN_RECV && k->record.progress.state == TW_S_ESTABLISHED)
		return true; /* the old connection might have sent this SYN-ACK */
	return k->record.progress.state == TW_S_SYN_RECV &&
	       !(k->record.progress.scale[TW_WAY_ORIGINAL] & TW_SCALE_SEEN);
}

static bool rst_to_syn(const struct tw_ct_case *k)
{
	return k->record.progress.state == TW_S_SYN_SENT && k->segment->flags & RST;
}

static bool simultaneous(const struct tw_ct_case *k)
{
	return (k->their_state == NF_SYN_SENT || k->their_state == NF_SYN_SENT2) &&
	       k->record.progress.state == TW_S_SYN_RECV && !(k->segment->flags & RST);
}

static bool edge_rounded(const struct tw_ct_case *k)
{
	uint32_t unit = 1u << (k->record.progress.scale[!way_of(k)] & 15);

	return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) && !after(k->segment->seq, edge(k)) &&
	       after(k->segment->seq, edge(k) - unit);
}

static bool syn_ack_of_another(const struct tw_ct_case *k)
{
	if (k->record.progress.state != TW_S_SYN_SENT)
		return false;
	if (k->their_state == NF_SYN_RECV)
		return k->history->syn_acked;
	return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) && way_of(k) &&
	       (k->segment->flags & (SYN | ACK)) == (SYN | ACK);
}

static bool fin_unacked(const struct tw_ct_case *k)
{
	enum tw_state ours = k->record.progress.state;

	if (!k->history->fin[0] && !k->history->fin[1])
		return false;
	if (k->their_state == NF_LAST_ACK)
		return ours == TW_S_ESTABLISHED || ours == TW_S_FIN_WAIT || ours == TW_S_CLOSE_WAIT;
	return k->their_state == NF_TIME_WAIT && ours >= TW_S_ESTABLISHED && ours <= TW_S_LAST_ACK;
}

static bool sent_before(const struct tw_ct_case *k)
{
	return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) && after(k->segment->seq, edge(k)) &&
	       !after(k->segment->seq, k->record.window[way_of(k)].end);
}

static bool syn_offers(const struct tw_ct_case *k)
{
	uint32_t unit = 1u << (k->record.progress.scale[TW_WAY_ORIGINAL] & 15);
	uint32_t begin = k->history->first[!k->history->turned];

	return is(k, TW_CT_INVALID, TW_CT_ESTABLISHED) && way_of(k) &&
	       !after(k->segment->seq, begin + k->history->syn_window + unit);
}

/* ---- the table ---- */

static const struct {
	const char *name;
	bool (*is)(const struct tw_ct_case *k);
	bool parts_ways;
} whys[TW_CT_WHY__MAX] = {
	[TW_CT_WHY_NOT] = {"not explained", NULL, true},
	[TW_CT_WHY_SYN_CHALLENGED] = {"syn-challenged", syn_challenged, false},
	[TW_CT_WHY_RST_OUTSIDE] = {"rst-outside", rst_outside, true},
	[TW_CT_WHY_RST_BEFORE_ACK] = {"rst-before-ack", rst_before_ack, true},
	[TW_CT_WHY_RST_NO_DATA] = {"rst-no-data", rst_no_data, true},
	[TW_CT_WHY_ACK_AGE] = {"ack-age", ack_age, true},
	[TW_CT_WHY_BEYOND_WINDOW] = {"beyond-window", beyond_window, true},
	[TW_CT_WHY_SACK_UNSENT] = {"sack-unsent", sack_unsent, false},
	[TW_CT_WHY_CLOSED_REOPENS] = {"closed-reopens", closed_reopens, true},
	[TW_CT_WHY_RST_CHALLENGED] = {"rst-challenged", rst_challenged, true},
	[TW_CT_WHY_RST_BEHIND_DATA] = {"rst-behind-data", rst_behind_data, true},
	[TW_CT_WHY_RST_STALE] = {"rst-stale", rst_stale, true},
	[TW_CT_WHY_RST_REJECTED] = {"rst-rejected", rst_rejected, true},
	[TW_CT_WHY_OLD_ACKS] = {"old-acks", old_acks, true},
	[TW_CT_WHY_BEGUN_ANEW] = {"begun-anew", begun_anew, true},
	[TW_CT_WHY_RST_TO_SYN] = {"rst-to-syn", rst_to_syn, true},
	[TW_CT_WHY_SYN_ACK_OF_ANOTHER] = {"syn-ack-of-another", syn_ack_of_another, true},
	[TW_CT_WHY_SIMULTANEOUS] = {"simultaneous", simultaneous, true},
	[TW_CT_WHY_EDGE_ROUNDED] = {"edge-rounded", edge_rounded, true},
	[TW_CT_WHY_FIN_UNACKED] = {"fin-unacked", fin_unacked, true},
	[TW_CT_WHY_SENT_BEFORE] = {"sent-before", sent_before, true},
	[TW_CT_WHY_SYN_OFFERS] = {"syn-offers", syn_offers, true},
	[TW_CT_WHY_UNANSWERED] = {"unanswered", unanswered, false},
};

/* Like `unanswered`, for protocols other than TCP. The end that spoke first is the originator. */
static bool datagram_unanswered(const struct tw_ct_case *k)
{
	const bool *spoke = k->history->spoke[k->kind];

	return is(k, TW_CT_NEW, TW_CT_ESTABLISHED) && k->kind != TW_CT_ERROR && spoke[k->reply] &&
	       !spoke[!k->reply];
}

enum tw_ct_why tw_ct_explain(const struct tw_ct_case *k)
{
	if (!k->segment)
		return datagram_unanswered(k) ? TW_CT_WHY_UNANSWERED : TW_CT_WHY_NOT;
	for (unsigned int w = TW_CT_WHY_NOT + 1; w < TW_CT_WHY__MAX; w++)
		if (whys[w].is(k))
			return w;
	return TW_CT_WHY_NOT;
}

bool tw_ct_parts_ways(enum tw_ct_why why)
{
	return whys[why].parts_ways;
}

void tw_ct_remember(struct tw_ct_history *history, const struct tw_ct_case *k)
{
	const struct tw_ct_segment *s = k->segment;
	uint32_t their_end;

	if (k->ours == TW_CT_INVALID)
		return;
	if (!s) {
		history->spoke[k->kind][k->reply] = true;
		return;
	}
	if (k->ours == TW_CT_NEW)
		*history = (struct tw_ct_history){.begun = true,
			.turned = s->reply,
			.syn_window = s->window,
			.first = {history->first[0], history->first[1]}};
	else if (way_of(k))
		history->answered = true;
	their_end = sent(k);
	if (history->challenged[!s->reply] && after(history->rst[!s->reply], their_end))
		their_end = history->rst[!s->reply];
	/* Data that nf_conntrack ignores: with an old ACK, or within the SYN's window. */
	if (s->flags & ACK &&
		(after(their_end - ACK_WINDOW_MIN, s->ack) ||
			(way_of(k) && !after(acked(k), history->first[s->reply] + 1)))) {
		if (!history->aged[s->reply] ||
			after(s->seq + s->len + 1, history->aged_end[s->reply]))
			history->aged_end[s->reply] = s->seq + s->len + 1;
		history->aged[s->reply] = true;
	}
	if (s->flags & ACK) {
		if (!history->acks[s->reply] || after(s->ack, history->highest_ack[s->reply]))
			history->highest_ack[s->reply] = s->ack;
		history->acks[s->reply] = true;
	}
	if ((s->flags & (SYN | ACK)) == (SYN | ACK) && k->state == TW_S_SYN_SENT)
		history->syn_acked = true;
	if (s->flags & RST &&
		(k->state != TW_S_CLOSED || k->record.progress.state == TW_S_CLOSED)) {
		if (!history->challenged[s->reply] || after(s->seq, history->rst[s->reply]))
			history->rst[s->reply] = s->seq;
		history->challenged[s->reply] = true;
	}
	if (s->flags & RST && k->state == TW_S_CLOSED)
		history->reset = true;
	if (s->flags & FIN)
		history->fin[s->reply] = true;
}

const char *tw_ct_why_name(enum tw_ct_why why)
{
	return whys[why].name;
}

const char *tw_ct_class_name(enum tw_ct_class class)
{
	static const char *const names[] = {[TW_CT_NEW] = "NEW",
		[TW_CT_ESTABLISHED] = "ESTABLISHED",
		[TW_CT_RELATED] = "RELATED",
		[TW_CT_INVALID] = "INVALID",
		[TW_CT_UNTRACKED] = "UNTRACKED",
		[TW_CT_LOST] = "lost"};

	return names[class];
}
