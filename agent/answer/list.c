/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* list.c: answers that are lists: ports, workloads, groups, rules, counters. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/answer/answer.h"
#include "agent/observe/splits.h"
#include "agent/observe/sweep.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/bypass.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/bind.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/lease_map.h"
#include "agent/publish/prove.h"
#include "agent/publish/quarantine.h"
#include "agent/state/images.h"
#include "agent/state/inforce.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/mac.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/counts.h"
#include "fastpath/kernel/load.h"

#define TEXT(text) ((char *)(uintptr_t)(text))
#define ROWS_TURN  512 /* rows visited per turn */

struct list_stream {
	struct tw_responses base;
	uint64_t at;		    /* next ifindex, rule number or reason */
	struct tw_inforce *inforce; /* for groups and rules: the policy in force at the request */
	bool prove;		    /* only for ports: check the hooks first */
};

static void list_done(struct tw_responses *base)
{
	struct list_stream *stream = (struct list_stream *)base;

	tw_inforce_free(stream->inforce);
	free(stream);
}

static int list_end(const struct list_stream *stream, struct tw_buf *out)
{
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	int ret = tw_answer_send(out, stream->base.id, &end, true);

	return ret < 0 ? ret : TW_RESPONSES_END;
}

/* ---- ports ---- */

#define PREFIX_TEXT (INET6_ADDRSTRLEN + 4)

/* Formats a workload's address as policies write it: a host without a length, an IPv4 length from 0
 * to 32. */
static void format_prefix(const struct tw_prefix *prefix, char text[PREFIX_TEXT])
{
	bool v4 = !prefix->addr.w[0] && !prefix->addr.w[1] && prefix->addr.w[2] == htonl(0xffff) &&
		  prefix->len >= 96;
	size_t len;

	tw_addr_format(&prefix->addr, text);
	len = strlen(text);
	if (prefix->len < 128)
		snprintf(text + len, PREFIX_TEXT - len, "/%d", prefix->len - (v4 ? 96 : 0));
}

static void fill_port_counts(const struct tw_answer_ctx *ctx, const struct tw_agent_port *port,
	Tapwall__V1__Port *message)
{
	struct tw_port_count count;

	if (tw_counts_port(ctx->host->kernel, port->id, &count) < 0)
		return;
	message->packets_out = count.packets[TW_DIR_OUT];
	message->packets_in = count.packets[TW_DIR_IN];
	message->bytes_out = count.bytes[TW_DIR_OUT];
	message->bytes_in = count.bytes[TW_DIR_IN];
	message->denied_out = count.denied_packets[TW_DIR_OUT];
	message->denied_in = count.denied_packets[TW_DIR_IN];
	message->events_limited = count.events_limited;
	message->events_lost = count.events_lost;
}

static void fill_port_usage(const struct tw_answer_ctx *ctx, const struct tw_agent_port *port,
	Tapwall__V1__Port *message)
{
	const __u32 id = port->id;
	struct tw_usage usage;

	if (bpf_map_lookup_elem(tw_kernel_map_fd(ctx->host->kernel, TW_MAP_usage), &id, &usage))
		return;
	message->half_open = tw_usage_now(usage.half_open);
	message->established = tw_usage_now(usage.established);
	message->quota_passed = usage.overflowed;
	message->quota_refused = usage.refused;
	message->untracked = ctx->telemetry->sweep->overflows.untracked[id % TW_PORTS_MAX];
}

static void fill_port(const struct tw_answer_ctx *ctx, const struct tw_agent_port *port,
	Tapwall__V1__Port *message)
{
	const struct tw_network_row *bridge = tw_ports_network_row(ctx->host->ports, port->bridge);
	const struct tw_image_slot *slot;
	const struct tw_vnic *resembled;

	tapwall__v1__port__init(message);
	message->name = TEXT(port->name);
	message->ifindex = port->ifindex;
	message->workload = TEXT(port->vnic ? port->vnic->workload : "");
	message->state = TEXT(tw_prove_state(ctx->enforcement, port));
	message->tcp = TEXT(!port->vnic ? "" : port->vnic->liberal ? "liberal" : "strict");
	message->trouble = TEXT(port->trouble[0] ? port->trouble
				: port->bypassed ? TW_BYPASS_WHY
				: port->before	 ? "another BPF program runs before tapwall's"
						 : "");
	message->proof_age_s = tw_prove_age(port);
	message->programs_lost = port->n_lost;
	message->bridge = TEXT(bridge ? bridge->name : "");
	message->bridged = TEXT(port->hostwork);
	message->latched = !port->attached && !tw_prove_is_unfiltered(ctx->enforcement, port);
	message->open = tw_bind_is_open(port);
	message->found_by = TEXT(tw_bind_bound_name(port->binding.by));
	message->conflict = TEXT(tw_bind_conflict_name(port->binding.conflict));
	resembled = tw_bind_resembles(ctx->enforcement->inforce, port);
	message->resembles = TEXT(resembled ? resembled->workload : "");
	fill_port_counts(ctx, port, message);
	fill_port_usage(ctx, port, message);
	if (!port->has_entry[ctx->host->epoch & 1])
		return;
	slot = &ctx->enforcement->images->slots[port->entry[ctx->host->epoch & 1].image];
	message->rules = slot->n_entries;
	message->image_bytes = slot->bytes;
}

/* Leases that a message points to while it is sent. */
struct lease_room {
	Tapwall__V1__Lease message[TW_LEASE_SLOTS];
	Tapwall__V1__Lease *list[TW_LEASE_SLOTS];
	char address[TW_LEASE_SLOTS][INET6_ADDRSTRLEN];
};

static void add_leases(const struct tw_answer_ctx *ctx, const struct tw_agent_port *port,
	struct lease_room *room, Tapwall__V1__Port *message)
{
	struct tw_leases *leases = tw_lease_map_at(ctx->enforcement, port);
	uint64_t now = tw_clock_ns();

	message->leases = room->list;
	for (uint32_t i = 0; leases && i < TW_LEASE_SLOTS; i++) {
		struct tw_lease lease = *tw_lease_slot(leases, i);
		size_t n = message->n_leases;

		if (lease.until_ns <= now)
			continue;
		tapwall__v1__lease__init(&room->message[n]);
		room->message[n].address = (char *)tw_addr_format(&lease.addr, room->address[n]);
		room->message[n].left_s = lease.until_ns == UINT64_MAX
						  ? -1
						  : (double)(lease.until_ns - now) / 1e9;
		room->message[n].known = lease.known == lease.serial;
		room->list[n] = &room->message[n];
		message->n_leases++;
	}
}

/* Texts of a vNIC's addresses in the policy, and of its addresses from DHCP. */
struct address_room {
	char (*texts)[PREFIX_TEXT];
	char **list;
	size_t n;
};

static void address_room_done(struct address_room *room)
{
	free(room->texts);
	free(room->list);
}

static int address_room_init(struct address_room *room, const struct tw_vnic *vnic)
{
	size_t n = vnic ? tw_vnic_n_given(vnic) : 0;

	*room = (struct address_room){
		.texts = tw_alloc_array(n, sizeof(*room->texts)),
		.list = tw_alloc_array(n + 3, sizeof(*room->list)),
	};
	if (!room->texts || !room->list) {
		address_room_done(room);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		format_prefix(&vnic->prefixes[i], room->texts[i]);
		room->list[room->n++] = room->texts[i];
	}
	if (vnic && vnic->any)
		room->list[room->n++] = TEXT("any");
	if (vnic && vnic->dhcp)
		room->list[room->n++] = TEXT("dhcp");
	if (vnic && vnic->slaac)
		room->list[room->n++] = TEXT("slaac");
	return 0;
}

static void tell_quarantine(
	const struct tw_answer_ctx *ctx, const struct tw_agent_port *port, char *ret, size_t max)
{
	const struct tw_quarantine *q = tw_quarantines_find(ctx->enforcement->quarantines,
		port->vnic ? port->vnic->workload : NULL, port->name);
	time_t until = q ? (time_t)q->until_s : 0;
	char when[40] = "it is lifted";
	struct tm local;

	if (!q)
		return;
	if (until && localtime_r(&until, &local))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
	snprintf(ret, max, "in quarantine by %s%s until %s: %s", q->who,
		q->change ? " through the slow path" : "", when, q->reason);
}

/* Writes a sentence about the port's first shared address that another port also claims; writes nothing if
 * there is none. */
static void tell_split(
	const struct tw_answer_ctx *ctx, const struct tw_agent_port *port, char *ret, size_t max)
{
	struct tw_split splits[TW_SPLITS_MAX];
	/* The list takes a system call for each shared address, so other ports do without. */
	size_t n = port->vnic && port->vnic->n_shared ? tw_splits_list(ctx->host, splits) : 0;
	char addr[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < n; i++) {
		const struct tw_agent_port *other = splits[i].holder;

		if (splits[i].holder == port)
			other = splits[i].rival;
		else if (splits[i].rival != port)
			continue;
		snprintf(ret, max, "split brain: %s claims the shared address %s, too",
			tw_split_member(other), tw_addr_format(&splits[i].addr, addr));
		return;
	}
}

static int send_port(const struct list_stream *stream, const struct tw_answer_ctx *ctx,
	const struct tw_agent_port *port, struct tw_buf *out)
{
	const struct tw_vnic *vnic = port->vnic;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct address_room addresses;
	struct lease_room leases;
	Tapwall__V1__Port message;
	char mac[18] = "", why[TW_CONFLICT_TEXT_MAX] = "";
	char quarantine[TW_QUARANTINE_REASON_MAX + 128] = "", split[192] = "";
	int ret = address_room_init(&addresses, vnic);

	if (ret < 0)
		return ret;
	fill_port(ctx, port, &message);
	if (vnic && vnic->has_mac)
		tw_mac_format(vnic->mac, mac);
	message.mac = mac;
	tw_bind_conflict_text(&port->binding, port, why, sizeof(why));
	message.why = why;
	if (port->quarantined) {
		tell_quarantine(ctx, port, quarantine, sizeof(quarantine));
		message.why = quarantine;
	}
	if (!message.trouble[0]) {
		tell_split(ctx, port, split, sizeof(split));
		message.trouble = split;
	}
	add_leases(ctx, port, &leases, &message);
	message.addresses = addresses.list;
	message.n_addresses = addresses.n;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_PORT;
	response.port = &message;
	ret = tw_answer_send(out, stream->base.id, &response, false);
	address_room_done(&addresses);
	return ret;
}

static int ports_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct tw_answer_ctx *ctx = context;
	struct list_stream *stream = (struct list_stream *)base;

	for (int i = 0; i < ROWS_TURN && out->len < TW_SERVER_OUT_SOFT; i++) {
		struct tw_agent_port *port = tw_ports_next(ctx->host->ports, (uint32_t)stream->at);
		int ret;

		if (!port)
			return list_end(stream, out);
		stream->at = port->ifindex;
		/* Reports the state as it was before tw_prove_port() repairs it. */
		if (stream->prove && !tw_prove_port(ctx->enforcement, port))
			ctx->host->changed = true;
		ret = send_port(stream, ctx, port, out);
		if (ret < 0)
			return ret;
	}
	return TW_RESPONSES_MORE;
}

static int ports_start(const struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct list_stream *stream)
{
	stream->prove = request->ports->prove;
	return 0;
}

/* ---- workloads ---- */

static int send_workload(const struct list_stream *stream, const struct tw_answer_ctx *ctx,
	const struct tw_vnic *vnic, const struct tw_agent_port *port, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Workload message = TAPWALL__V1__WORKLOAD__INIT;
	struct address_room addresses;
	char mac[18] = "";
	int ret = address_room_init(&addresses, vnic);

	if (ret < 0)
		return ret;
	message.name = TEXT(vnic->workload);
	message.named = TEXT(vnic->port ? vnic->port : "");
	if (vnic->has_mac)
		tw_mac_format(vnic->mac, mac);
	message.mac = mac;
	if (port) {
		message.port = TEXT(port->name);
		message.state = TEXT(tw_prove_state(ctx->enforcement, port));
		message.found_by = TEXT(tw_bind_bound_name(port->binding.by));
	}
	message.addresses = addresses.list;
	message.n_addresses = addresses.n;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_WORKLOAD;
	response.workload = &message;
	ret = tw_answer_send(out, stream->base.id, &response, false);
	address_room_done(&addresses);
	return ret;
}

static int workloads_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct tw_answer_ctx *ctx = context;
	struct list_stream *stream = (struct list_stream *)base;
	const struct tw_policy *policy = ctx->enforcement->inforce
						 ? ctx->enforcement->inforce->policy
						 : NULL;
	size_t n = policy ? tw_policy_n_vnics(policy) : 0;
	tw_autofree const struct tw_agent_port **ports = tw_alloc_array(n, sizeof(*ports));

	if (!ports)
		return -ENOMEM;
	tw_vec_foreach (&ctx->host->ports->list, port)
		if ((*port)->vnic)
			ports[(*port)->vnic->index] = *port;
	for (int i = 0; i < ROWS_TURN && out->len < TW_SERVER_OUT_SOFT; i++, stream->at++) {
		int ret;

		if (stream->at >= n)
			return list_end(stream, out);
		ret = send_workload(
			stream, ctx, tw_policy_vnic(policy, stream->at), ports[stream->at], out);
		if (ret < 0)
			return ret;
	}
	return TW_RESPONSES_MORE;
}

/* ---- groups ---- */

#define SELECT_TURN 100000 /* workloads compared with groups per turn */

static int send_group(const struct list_stream *stream, size_t index, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Group message = TAPWALL__V1__GROUP__INIT;
	struct tw_group_info info;
	int ret = tw_policy_group(stream->inforce->policy, index, &info);

	if (ret < 0)
		return ret;
	message.name = TEXT(info.name);
	message.addresses = info.n_addresses;
	message.workloads = (char **)info.workloads;
	message.n_workloads = info.n_workloads;
	message.networks = (char **)info.networks;
	message.n_networks = info.n_networks;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_GROUP;
	response.group = &message;
	ret = tw_answer_send(out, stream->base.id, &response, false);
	tw_group_info_done(&info);
	return ret;
}

static int groups_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct list_stream *stream = (struct list_stream *)base;
	const struct tw_policy *policy = stream->inforce ? stream->inforce->policy : NULL;
	size_t n = policy ? tw_policy_n_groups(policy) : 0, looked = 0;

	while (looked < SELECT_TURN && out->len < TW_SERVER_OUT_SOFT) {
		int ret;

		if (stream->at >= n)
			return list_end(stream, out);
		looked += tw_policy_n_workloads(policy) + 1;
		ret = send_group(stream, stream->at++, out);
		if (ret < 0)
			return ret;
	}
	return TW_RESPONSES_MORE;
}

/* ---- rules ---- */

static int send_rule(const struct list_stream *stream, const struct tw_answer_ctx *ctx,
	size_t index, struct tw_buf *out)
{
	const struct tw_policy *policy = stream->inforce->policy;
	const struct tw_rule_info *info = tw_policy_rule(policy, index);
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Rule message = TAPWALL__V1__RULE__INIT;
	const char *file;
	tw_auto_buf struct tw_buf text = {0};
	struct tw_rule_count count;

	tw_policy_print_rule(policy, index, &text);
	if (text.failed)
		return -ENOMEM;
	count = tw_counts_rule(ctx->host->kernel, stream->inforce->slots[index]);
	message.name = TEXT(info->name);
	message.action = TEXT(tw_verdict_name(info->action));
	message.hits = count.hits;
	message.packets = count.packets;
	message.bytes = count.bytes;
	message.last_hit_s = count.last_ns ? (double)(tw_clock_ns() - count.last_ns) / 1e9 : -1;
	file = tw_policy_file_of(policy, info->line, &message.line);
	message.file = TEXT(file ? file : "");
	message.text = text.data;
	message.disabled = info->disabled;
	message.comment = TEXT(info->comment ? info->comment : "");
	message.until = (double)info->until_s;
	message.expired = info->expired;
	message.owner = TEXT(info->owner ? info->owner : "");
	response.body_case = TAPWALL__V1__RESPONSE__BODY_RULE;
	response.rule = &message;
	return tw_answer_send(out, stream->base.id, &response, false);
}

static int rules_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct tw_answer_ctx *ctx = context;
	struct list_stream *stream = (struct list_stream *)base;

	for (int i = 0; i < ROWS_TURN && out->len < TW_SERVER_OUT_SOFT; i++) {
		int ret;

		if (!stream->inforce || stream->at > tw_policy_n_rules(stream->inforce->policy))
			return list_end(stream, out);
		ret = send_rule(stream, ctx, stream->at++, out);
		if (ret < 0)
			return ret;
	}
	return TW_RESPONSES_MORE;
}

static int inforce_start(const struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct list_stream *stream)
{
	struct tw_inforce *inforce = ctx->enforcement->inforce;

	stream->inforce = inforce ? tw_inforce_ref(inforce) : NULL;
	return 0;
}

/* ---- counters ---- */

int tw_answer_counter(const struct tw_answer_ctx *ctx, uint32_t reason, Tapwall__V1__Counter *ret)
{
	int err = tw_counts_reason(ctx->host->kernel, reason, TW_DIR_OUT, &ret->out);

	ret->reason = TEXT(tw_reason_name(reason));
	ret->text = TEXT(tw_reason_text(reason));
	return err ? err : tw_counts_reason(ctx->host->kernel, reason, TW_DIR_IN, &ret->in);
}

static int counters_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct tw_answer_ctx *ctx = context;
	const struct list_stream *stream = (struct list_stream *)base;
	int ret = 0;

	for (uint32_t reason = TW_R_NONE + 1; reason < TW_R__MAX && !ret; reason++) {
		Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
		Tapwall__V1__Counter counter = TAPWALL__V1__COUNTER__INIT;

		ret = tw_answer_counter(ctx, reason, &counter);
		response.body_case = TAPWALL__V1__RESPONSE__BODY_COUNTER;
		response.counter = &counter;
		if (!ret)
			ret = tw_answer_send(out, base->id, &response, false);
	}
	return ret < 0 ? ret : list_end(stream, out);
}

/* ---- all of them ---- */

/* A list that a client can request. `start`, if set, reads the request; it returns 0 or a
 * negative errno. */
struct list {
	Tapwall__V1__Request__BodyCase request;
	int (*start)(const struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
		struct list_stream *stream);
	int (*next)(struct tw_responses *base, void *context, struct tw_buf *out);
};

static const struct list lists[] = {
	{TAPWALL__V1__REQUEST__BODY_PORTS, ports_start, ports_next},
	{TAPWALL__V1__REQUEST__BODY_WORKLOADS, NULL, workloads_next},
	{TAPWALL__V1__REQUEST__BODY_GROUPS, inforce_start, groups_next},
	{TAPWALL__V1__REQUEST__BODY_RULES, inforce_start, rules_next},
	{TAPWALL__V1__REQUEST__BODY_COUNTERS, NULL, counters_next},
};

int tw_answer_list(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream)
{
	const struct list *list = NULL;
	struct list_stream *stream;
	int ret;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (lists[i].request == request->body_case)
			list = &lists[i];
	if (!list)
		return -EOPNOTSUPP;
	stream = tw_alloc(sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	stream->base = (struct tw_responses){
		.next = list->next, .done = list_done, .id = request->id};
	ret = list->start ? list->start(ctx, request, stream) : 0;
	if (ret < 0) {
		list_done(&stream->base);
		return ret;
	}
	*ret_stream = &stream->base;
	return 0;
}
