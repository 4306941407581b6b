/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/talk.h"

#include <string.h>

#define FIRST 1000000

/* Returns the frame's own TCP layer, and the enclosing IP layer. */
static struct tw_layer *find_tcp(struct tw_draft *draft, const struct tw_layer **ret_ip)
{
	*ret_ip = NULL;
	for (size_t i = 0; i < draft->n_layers; i++) {
		struct tw_layer *layer = &draft->layer[i];

		if (layer->kind == TW_L_ICMP || layer->kind == TW_L_ICMP6)
			return NULL; /* layers after ICMP are a quoted packet */
		if (layer->kind == TW_L_IP || layer->kind == TW_L_IP6)
			*ret_ip = layer;
		if (layer->kind == TW_L_TCP)
			return *ret_ip ? layer : NULL;
	}
	return NULL;
}

static struct tw_talk describe(
	const struct tw_draft *draft, const struct tw_layer *ip, const struct tw_layer *tcp)
{
	struct tw_talk talk = {.who = {draft->from, draft->to},
		.port = {(uint16_t)tw_layer_get(tcp, TW_F_SPORT, 0),
			(uint16_t)tw_layer_get(tcp, TW_F_DPORT, 0)},
		.ip = ip->kind};

	for (int i = 0; i < 2; i++) {
		talk.addr[i] = ip->kind == TW_L_IP ? talk.who[i].v4 : talk.who[i].v6;
		if (tw_layer_has(ip, i ? TW_F_B : TW_F_A))
			talk.addr[i] = i ? ip->b : ip->a;
	}
	return talk;
}

static bool is_end(const struct tw_talk *a, int i, const struct tw_talk *b, int j)
{
	return a->port[i] == b->port[j] && !memcmp(&a->addr[i], &b->addr[j], sizeof(a->addr[i])) &&
	       !memcmp(a->who[i].mac, b->who[j].mac, sizeof(a->who[i].mac));
}

/* Returns the conversation, and stores which of its ends is the sender. */
static struct tw_talk *find_talk(
	struct tw_talks *talks, const struct tw_talk *wanted, int *ret_sender)
{
	for (size_t i = 0; i < talks->n; i++) {
		struct tw_talk *talk = &talks->talk[i];

		if (talk->ip != wanted->ip)
			continue;
		for (int s = 0; s < 2; s++) {
			*ret_sender = s;
			if (is_end(talk, s, wanted, 0) && is_end(talk, !s, wanted, 1))
				return talk;
		}
	}
	*ret_sender = 0;
	if (talks->n == TW_TALKS_MAX)
		return NULL;
	talks->talk[talks->n] = *wanted;
	return &talks->talk[talks->n++];
}

static uint32_t payload_of(const struct tw_draft *draft, const struct tw_layer *tcp)
{
	size_t len = 0;

	for (const struct tw_layer *layer = tcp + 1; layer < draft->layer + draft->n_layers;
		layer++)
		len += layer->blob_len + tw_layer_get(layer, TW_F_SIZE, 0);
	return (uint32_t)len;
}

void tw_talk_fill(struct tw_talks *talks, struct tw_draft *draft)
{
	const struct tw_layer *ip;
	struct tw_layer *tcp = find_tcp(draft, &ip);
	struct tw_talk_end *from, *to;
	struct tw_talk wanted, *talk;
	uint32_t flags, seq;
	int sender;

	talks->last = NULL;
	if (!tcp)
		return;
	wanted = describe(draft, ip, tcp);
	talk = find_talk(talks, &wanted, &sender);
	if (!talk)
		return;
	talks->last = talk;
	talks->before = *talk;
	from = &talk->end[sender];
	to = &talk->end[!sender];
	flags = tw_layer_get(tcp, TW_F_FLAGS, 0);
	if (!from->spoke && !(flags & TW_TCP_SYN))
		from->next = FIRST;
	if (flags & TW_TCP_SYN && (!from->spoke || from->next != from->first + 1))
		from->first = from->next += FIRST;
	seq = flags & TW_TCP_SYN ? from->first : from->next;
	if (!tw_layer_has(tcp, TW_F_SEQ))
		tw_layer_set(tcp, TW_F_SEQ, seq);
	seq = tw_layer_get(tcp, TW_F_SEQ, 0);
	if (flags & TW_TCP_ACK && !tw_layer_has(tcp, TW_F_ACK))
		tw_layer_set(tcp, TW_F_ACK, to->next);
	if (flags & TW_TCP_SYN)
		from->first = seq;
	from->spoke = true;
	if (flags & TW_TCP_RST)
		return;
	seq += payload_of(draft, tcp) + !!(flags & TW_TCP_SYN) + !!(flags & TW_TCP_FIN);
	if (flags & TW_TCP_SYN || (int32_t)(seq - from->next) > 0)
		from->next = seq;
}

void tw_talk_refused(struct tw_talks *talks)
{
	if (talks->last)
		*talks->last = talks->before;
	talks->last = NULL;
}
