/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/filter.h"

#include <stdio.h>
#include <string.h>

#include "base/clean.h"
#include "cli/report.h"
#include "fastpath/abi/names.h"
#include "policy/model.h"
#include "policy/service.h"
#include "policy/text.h"
#include "sim/tuple.h"

static int read_proto(struct tw_filter *filter)
{
	const struct tw_proto *proto = tw_proto_find(filter->proto, strlen(filter->proto));
	uint32_t number = proto ? proto->number : 0;
	char text[4];

	if (!proto && tw_text_number(filter->proto, UINT8_MAX, &number) < 0)
		return tw_report_error(TW_EXIT_USAGE, "--proto",
			"write tcp, udp, icmp, icmp6 or a number from 0 to 255",
			"'%s' is not a protocol", tw_cleaned(filter->proto).text);
	snprintf(filter->proto_name, sizeof(filter->proto_name), "%s",
		tw_tuple_proto_name((uint8_t)number, text));
	return TW_EXIT_OK;
}

int tw_filter_init(struct tw_filter *filter)
{
	bool host_bits;

	if (filter->proto && read_proto(filter))
		return TW_EXIT_USAGE;
	if (!filter->address)
		return TW_EXIT_OK;
	filter->has_prefix = true;
	if (!tw_text_prefix(filter->address, &filter->prefix, &host_bits))
		return TW_EXIT_OK;
	return tw_report_error(TW_EXIT_USAGE, "--address", "write 10.0.0.1, fd00::1 or 10.0.0.0/8",
		"'%s' is not an address or a CIDR", tw_cleaned(filter->address).text);
}

bool tw_filter_is_set(const struct tw_filter *filter)
{
	return filter->proto || filter->address || filter->rule || filter->port;
}

static bool is_within(const struct tw_prefix *prefix, const Tapwall__V1__End *end)
{
	struct tw_prefix whole;
	bool host_bits;
	tw_u128 number;

	if (!end || tw_text_prefix(end->address, &whole, &host_bits))
		return false;
	number = tw_set_number(&whole.addr);
	return number >= tw_set_number(&prefix->addr) && number <= tw_prefix_last(prefix);
}

static bool decided(const Tapwall__V1__Gate *gate, const char *rule)
{
	return gate && !strcmp(gate->rule, rule);
}

bool tw_filter_has(const struct tw_filter *filter, const char *proto, const Tapwall__V1__End *from,
	const Tapwall__V1__End *to, const Tapwall__V1__Gate *out, const Tapwall__V1__Gate *in,
	const char *rule)
{
	if (filter->proto && strcmp(filter->proto_name, proto) != 0)
		return false;
	if (filter->port && (!from || from->port != filter->port) &&
		(!to || to->port != filter->port))
		return false;
	if (filter->has_prefix && !is_within(&filter->prefix, from) &&
		!is_within(&filter->prefix, to))
		return false;
	return !filter->rule || !strcmp(filter->rule, rule) || decided(out, filter->rule) ||
	       decided(in, filter->rule);
}
