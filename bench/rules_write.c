/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rules_write.c: writes a list of rules in the languages of three systems. */
#include "bench/rules.h"

#include <inttypes.h>
#include <netinet/in.h>

static bool is_any(const struct tw_bench_range *range)
{
	return range->from == 0 && range->to == 65535;
}

static void put_prefix(FILE *out, const struct tw_bench_prefix *prefix)
{
	uint32_t a = prefix->address;

	fprintf(out, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	if (prefix->len < 32)
		fprintf(out, "/%u", prefix->len);
}

static void put_range(FILE *out, const struct tw_bench_range *range)
{
	if (range->from == range->to)
		fprintf(out, "%u", range->from);
	else
		fprintf(out, "%u-%u", range->from, range->to);
}

/* Returns the name of a protocol, or NULL if it has only a number. */
static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP	  ? "tcp"
	       : protocol == IPPROTO_UDP  ? "udp"
	       : protocol == IPPROTO_ICMP ? "icmp"
					  : NULL;
}

/* ---- tapwall ---- */

static void put_service(FILE *out, const struct tw_bench_rule *rule)
{
	const char *protocol = protocol_name(rule->protocol);

	if (!rule->protocol)
		return;
	if (!is_any(&rule->sport)) {
		fprintf(out, ", service: {proto: %s, source-port: ", protocol);
		put_range(out, &rule->sport);
		if (!is_any(&rule->dport)) {
			fputs(", port: ", out);
			put_range(out, &rule->dport);
		}
		fputc('}', out);
		return;
	}
	if (protocol)
		fprintf(out, ", service: %s", protocol);
	else
		fprintf(out, ", service: proto/%u", rule->protocol);
	if (!is_any(&rule->dport)) {
		fputc('/', out);
		put_range(out, &rule->dport);
	}
}

static void put_side(FILE *out, const char *key, const struct tw_bench_prefix *prefix)
{
	fprintf(out, "%s: ", key);
	if (prefix->len)
		put_prefix(out, prefix);
	else
		fputs("any", out);
}

void tw_bench_rules_policy(const struct tw_bench_rules *rules, FILE *out)
{
	fputs("version: 1\n"
	      "workloads:\n"
	      "  app: {port: tap-a, mac: \"52:54:00:00:00:0a\", addresses: [10.0.0.11]}\n"
	      "  db: {port: tap-b, mac: \"52:54:00:00:00:0b\", addresses: [10.0.0.21]}\n"
	      "  client: {port: veth-a, mac: \"52:54:00:00:00:0c\", addresses: [10.0.0.12]}\n"
	      "  server: {port: veth-b, mac: \"52:54:00:00:00:0d\", addresses: [10.0.0.22]}\n"
	      "options: {limits: {half-open: none, established: none}}\n"
	      "rules:\n",
		out);
	tw_vec_foreach (&rules->list, rule) {
		put_side(out, "  - {from", &rule->from);
		put_side(out, ", to", &rule->to);
		put_service(out, rule);
		fprintf(out, ", action: %s}\n", rule->allow ? "allow" : "deny");
	}
	fputs("default: deny\n", out);
}

/* ---- nft ---- */

static void put_match(FILE *out, const char *what, const struct tw_bench_prefix *prefix)
{
	if (!prefix->len)
		return;
	fprintf(out, "ip %s ", what);
	put_prefix(out, prefix);
	fputc(' ', out);
}

static void put_ports(
	FILE *out, const char *protocol, const char *what, const struct tw_bench_range *range)
{
	if (is_any(range))
		return;
	fprintf(out, "%s %s ", protocol, what);
	put_range(out, range);
	fputc(' ', out);
}

void tw_bench_rules_nft(const struct tw_bench_rules *rules, FILE *out)
{
	fputs("table inet bench {\n"
	      "\tchain forward {\n"
	      "\t\ttype filter hook forward priority filter; policy drop;\n"
	      "\t\tct state established,related accept\n"
	      "\t\tct state invalid drop\n",
		out);
	tw_vec_foreach (&rules->list, rule) {
		const char *protocol = protocol_name(rule->protocol);

		fputs("\t\t", out);
		put_match(out, "saddr", &rule->from);
		put_match(out, "daddr", &rule->to);
		if (rule->protocol && is_any(&rule->sport) && is_any(&rule->dport))
			fprintf(out, "meta l4proto %u ", rule->protocol);
		put_ports(out, protocol, "sport", &rule->sport);
		put_ports(out, protocol, "dport", &rule->dport);
		fputs(rule->allow ? "accept\n" : "drop\n", out);
	}
	fputs("\t}\n}\n", out);
}

/* ---- OpenFlow ---- */

#define FIRST_TABLE 2
#define RULES_PER_TABLE \
	60000 /* priorities have 16 bits, and the order of rules is their priority */

/* Returns the largest aligned block of ports that begins at `from` and ends by `to`. */
static uint32_t block(uint32_t from, uint32_t to)
{
	uint32_t size = 1;

	while (from % (2 * size) == 0 && from + 2 * size - 1 <= to)
		size *= 2;
	return size;
}

static void put_flow_prefix(FILE *out, const char *what, const struct tw_bench_prefix *prefix)
{
	if (!prefix->len)
		return;
	fprintf(out, ",%s=", what);
	put_prefix(out, prefix);
}

static void put_flow_port(FILE *out, const char *what, uint32_t from, uint32_t size)
{
	if (size < 65536)
		fprintf(out, ",%s=0x%" PRIx32 "/0x%" PRIx32, what, from, 65536 - size);
}

/* Writes one flow for each pair of blocks of ports. */
static void put_flows(FILE *out, const struct tw_bench_rule *rule, size_t table, size_t priority)
{
	const char *protocol = protocol_name(rule->protocol);
	uint32_t ssize, dsize;

	for (uint32_t s = rule->sport.from; s <= rule->sport.to; s += ssize) {
		ssize = block(s, rule->sport.to);
		for (uint32_t d = rule->dport.from; d <= rule->dport.to; d += dsize) {
			dsize = block(d, rule->dport.to);
			fprintf(out, "table=%zu,priority=%zu,%s", table, priority,
				protocol ? protocol : "ip");
			if (rule->protocol && !protocol)
				fprintf(out, ",nw_proto=%u", rule->protocol);
			put_flow_prefix(out, "nw_src", &rule->from);
			put_flow_prefix(out, "nw_dst", &rule->to);
			put_flow_port(out, "tp_src", s, ssize);
			put_flow_port(out, "tp_dst", d, dsize);
			fputs(rule->allow ? ",actions=ct(commit),NORMAL\n" : ",actions=drop\n",
				out);
		}
	}
}

void tw_bench_rules_flows(const struct tw_bench_rules *rules, FILE *out)
{
	size_t n_tables = (rules->list.n + RULES_PER_TABLE - 1) / RULES_PER_TABLE;

	fputs("table=0,priority=1,ip,actions=ct(table=1)\n"
	      "table=0,priority=0,actions=NORMAL\n"
	      "table=1,priority=3,ct_state=+trk+inv,ip,actions=drop\n"
	      "table=1,priority=2,ct_state=+trk+est,ip,actions=NORMAL\n"
	      "table=1,priority=2,ct_state=+trk+rel,ip,actions=NORMAL\n",
		out);
	fprintf(out, "table=1,priority=1,ip,actions=goto_table:%d\n", FIRST_TABLE);
	for (size_t i = 0; i < rules->list.n; i++)
		put_flows(out, &rules->list.at[i], FIRST_TABLE + i / RULES_PER_TABLE,
			65535 - i % RULES_PER_TABLE);
	for (size_t i = 0; i + 1 < n_tables; i++)
		fprintf(out, "table=%zu,priority=0,actions=goto_table:%zu\n", FIRST_TABLE + i,
			FIRST_TABLE + i + 1);
}
