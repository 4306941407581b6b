/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/seen_text.h"

#include <string.h>

#include "cli/human.h"
#include "cli/style.h"
#include "fastpath/abi/names.h"
#include "policy/model.h"
#include "sim/tuple.h"

struct tw_seen_text tw_seen_service(const struct tw_seen_entry *entry)
{
	struct tw_seen_text ret;
	char number[4];
	const char *proto = tw_tuple_proto_name(entry->proto, number);

	if (entry->scan)
		snprintf(ret.text, sizeof(ret.text), "%s, many ports", proto);
	else if (tw_tuple_has_ports(entry->proto))
		snprintf(ret.text, sizeof(ret.text), "%s/%u", proto, entry->detail);
	else if (tw_tuple_is_icmp(entry->proto) && entry->detail & 0xff)
		snprintf(ret.text, sizeof(ret.text), "%s/%u.%u", proto, entry->detail >> 8,
			entry->detail & 0xff);
	else if (tw_tuple_is_icmp(entry->proto))
		snprintf(ret.text, sizeof(ret.text), "%s/%u", proto, entry->detail >> 8);
	else
		snprintf(ret.text, sizeof(ret.text), "proto/%u", entry->proto);
	return ret;
}

struct tw_seen_text tw_seen_time(double unix_time)
{
	struct tw_seen_text ret;

	/* Without the milliseconds. */
	snprintf(ret.text, sizeof(ret.text), "%.19s", tw_human_time(unix_time).text);
	return ret;
}

static void print_end(const struct tw_addr *addr, uint16_t port, char *text, size_t max)
{
	char plain[64];
	bool v6 = strchr(tw_addr_format(addr, plain), ':') != NULL;

	if (port)
		snprintf(text, max, v6 ? "[%.46s]:%u" : "%.46s:%u", plain, port);
	else
		snprintf(text, max, "%.46s", plain);
}

struct tw_seen_text tw_seen_example(const struct tw_seen_entry *entry)
{
	bool ports = tw_tuple_has_ports(entry->proto);
	struct tw_seen_text ret;
	char from[60], to[60];

	print_end(&entry->addr[TW_DIR_OUT], ports ? entry->sport : 0, from, sizeof(from));
	print_end(&entry->addr[TW_DIR_IN], ports ? entry->detail : 0, to, sizeof(to));
	snprintf(ret.text, sizeof(ret.text), "%s > %s", from, to);
	return ret;
}

void tw_seen_warn(const struct tw_gathered *g, FILE *out)
{
	const char *on = tw_style_on(TW_STYLE_WARN), *off = tw_style_off();

	if (g->lost)
		fprintf(out,
			"%s%s events are missing: they were lost, or exceeded a port's rate%s\n",
			on, tw_human_count(g->lost).text, off);
	if (g->unread)
		fprintf(out,
			"%s%s older rows of the history were not read; --since TIME reads a shorter time%s\n",
			on, tw_human_count(g->unread).text, off);
	if (g->seen.n_beyond)
		fprintf(out,
			"%s%s connections were left out: there are too many pairs and services%s\n",
			on, tw_human_count(g->seen.n_beyond).text, off);
}
