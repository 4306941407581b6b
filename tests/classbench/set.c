/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/classbench/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define TCP  6
#define UDP  17
#define ICMP 1

static void fail(const char *path, unsigned int line, const char *what)
{
	fprintf(stderr, "%s:%u: %s\n", path, line, what);
	exit(1);
}

static uint32_t mask_of(unsigned int len)
{
	return len ? ~(uint32_t)0 << (32 - len) : 0;
}

/* @1.2.3.4/32	5.6.7.0/24	0 : 65535	80 : 80	0x06/0xFF	0x0000/0x0200 */
static bool parse_rule(const char *line, struct set_rule *ret)
{
	unsigned int a[2][5], port[4], proto, mask;

	if (sscanf(line, "@%u.%u.%u.%u/%u %u.%u.%u.%u/%u %u : %u %u : %u %x/%x", &a[0][0], &a[0][1],
		    &a[0][2], &a[0][3], &a[0][4], &a[1][0], &a[1][1], &a[1][2], &a[1][3], &a[1][4],
		    &port[0], &port[1], &port[2], &port[3], &proto, &mask) != 16)
		return false;
	for (int i = 0; i < 2; i++) {
		ret->len[i] = (uint8_t)a[i][4];
		ret->mask[i] = mask_of(a[i][4]);
		ret->addr[i] = (a[i][0] << 24 | a[i][1] << 16 | a[i][2] << 8 | a[i][3]) &
			       ret->mask[i];
		ret->low[i] = (uint16_t)port[2 * i];
		ret->high[i] = (uint16_t)port[2 * i + 1];
	}
	ret->proto = (uint8_t)proto;
	ret->proto_mask = (uint8_t)mask;
	return true;
}

/* For protocols without ports, the packet path has ports 0. */
static bool parse_header(const char *line, struct set_header *ret)
{
	unsigned int addr[2], port[2], proto;

	if (sscanf(line, "%u %u %u %u %u", &addr[0], &addr[1], &port[0], &port[1], &proto) != 5)
		return false;
	for (int i = 0; i < 2; i++) {
		ret->addr[i] = addr[i];
		ret->port[i] = proto == TCP || proto == UDP ? (uint16_t)port[i] : 0;
	}
	if (proto == ICMP)
		ret->port[1] = (uint16_t)port[1];
	ret->proto = (uint8_t)proto;
	return true;
}

void set_read(struct set *set, const char *rules, const char *headers)
{
	const char *paths[] = {rules, headers};
	char text[400];

	for (int i = 0; i < 2; i++) {
		tw_autofile FILE *file = fopen(paths[i], "re");
		unsigned int line = 0;

		if (!file)
			fail(paths[i], 0, strerror(errno));
		while (fgets(text, sizeof(text), file)) {
			struct set_rule rule;
			struct set_header header = {0};

			line++;
			if (!(i ? parse_header(text, &header) : parse_rule(text, &rule)))
				fail(paths[i], line, "not understood");
			if (i ? tw_vec_push(&set->headers, header) : tw_vec_push(&set->rules, rule))
				fail(paths[i], line, "out of memory");
		}
	}
}

void set_done(struct set *set)
{
	tw_vec_done(&set->rules);
	tw_vec_done(&set->headers);
}

static bool matches(const struct set_rule *rule, const struct set_header *h)
{
	for (int i = 0; i < 2; i++)
		if ((h->addr[i] & rule->mask[i]) != rule->addr[i] || h->port[i] < rule->low[i] ||
			h->port[i] > rule->high[i])
			return false;
	return (h->proto & rule->proto_mask) == (rule->proto & rule->proto_mask);
}

void set_match(struct set *set)
{
	tw_vec_foreach (&set->headers, header) {
		uint32_t i = 0;

		while (i < set->rules.n && !matches(&set->rules.at[i], header))
			i++;
		header->first = i;
	}
}

static void print_prefix(const struct set_rule *rule, int end, struct tw_buf *out)
{
	uint32_t a = rule->addr[end];

	tw_buf_addf(out, "%u.%u.%u.%u/%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255,
		rule->len[end]);
}

static void print_service(const struct set_rule *rule, struct tw_buf *out)
{
	bool ports = rule->low[0] || rule->low[1] || rule->high[0] != 65535 ||
		     rule->high[1] != 65535;

	if (!rule->proto_mask)
		return;
	if (ports)
		tw_buf_addf(out, ", service: {proto: %s, port: %u-%u, source-port: %u-%u}",
			rule->proto == TCP ? "tcp" : "udp", rule->low[1], rule->high[1],
			rule->low[0], rule->high[0]);
	else
		tw_buf_addf(out, ", service: proto/%u", rule->proto);
}

void set_print_rules(const struct set *set, struct tw_buf *out)
{
	tw_buf_adds(out, "rules:\n");
	tw_vec_foreach (&set->rules, rule) {
		tw_buf_adds(out, "  - {from: ");
		print_prefix(rule, 0, out);
		tw_buf_adds(out, ", to: ");
		print_prefix(rule, 1, out);
		print_service(rule, out);
		tw_buf_adds(out, ", action: allow}\n");
	}
}
