/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/flow.h"

#include <stdio.h>
#include <string.h>

#include "link/json.h"

static bool is_icmp(const char *proto)
{
	return !strcmp(proto, "icmp") || !strcmp(proto, "icmp6");
}

static void put_end(const Tapwall__V1__End *end, bool with_port, char *text)
{
	bool brackets;
	char port[16] = "";

	text[0] = '\0';
	if (!end)
		return;
	if (with_port)
		snprintf(port, sizeof(port), ":%u", end->port);
	brackets = with_port && strchr(end->address, ':');
	snprintf(text, TW_FLOW_TEXT_MAX, "%.200s%s%s%.64s%s%s", end->workload,
		end->workload[0] ? " " : "", brackets ? "[" : "", end->address, brackets ? "]" : "",
		port);
}

void tw_flow_words(const char *proto, uint32_t icmp_type, const Tapwall__V1__End *from,
	const Tapwall__V1__End *to, struct tw_flow_words *ret)
{
	bool ports = !strcmp(proto, "tcp") || !strcmp(proto, "udp");

	ret->id[0] = '\0';
	/* For an ICMP query, the sender's port is the identifier. */
	if (is_icmp(proto) && from && from->port)
		snprintf(ret->id, sizeof(ret->id), " id %u", from->port);
	if (is_icmp(proto))
		snprintf(ret->proto, sizeof(ret->proto), "%s %u.%u", proto, icmp_type >> 8 & 0xff,
			icmp_type & 0xff);
	else
		snprintf(ret->proto, sizeof(ret->proto), "%.64s", proto);
	put_end(from, ports, ret->from);
	put_end(to, ports, ret->to);
}

json_t *tw_flow_end_json(const Tapwall__V1__End *end)
{
	if (!end)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "address", tw_json_text(end->address), "port",
		tw_json_u64(end->port), "workload", tw_json_text(end->workload));
}

json_t *tw_flow_gate_json(const Tapwall__V1__Gate *gate)
{
	if (!gate)
		return json_null();
	return json_pack("{s:o, s:o}", "verdict", tw_json_text(gate->verdict), "rule",
		tw_json_text(gate->rule));
}

json_t *tw_flow_proto_json(json_t *object, const char *proto, uint32_t icmp_type)
{
	if (!is_icmp(proto))
		return object;
	return tw_json_merge(
		object, json_pack("{s:o, s:o}", "type", tw_json_u64(icmp_type >> 8 & 0xff), "code",
				tw_json_u64(icmp_type & 0xff)));
}

json_t *tw_flow_json(const Tapwall__V1__Flow *f)
{
	json_t *who = json_pack("{s:o, s:o, s:o, s:o}", "proto", tw_json_text(f->proto), "from",
		tw_flow_end_json(f->from), "to", tw_flow_end_json(f->to), "state",
		tw_json_text(f->state));
	json_t *what = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "packets",
		tw_json_out_in(f->packets_out, f->packets_in), "bytes",
		tw_json_out_in(f->bytes_out, f->bytes_in), "age_s", tw_json_s(f->age_s), "idle_s",
		tw_json_s(f->idle_s), "out", tw_flow_gate_json(f->out), "in",
		tw_flow_gate_json(f->in), "network", tw_json_text(f->network), "vlan",
		tw_json_u64(f->vlan), "adopted", f->adopted, "application",
		tw_json_text(f->application));

	return tw_flow_proto_json(tw_json_merge(who, what), f->proto, f->icmp_type);
}
