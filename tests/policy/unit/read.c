/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the policy's queries and limits. */
#include "test.h"

#include <arpa/inet.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "policy/yaml.h"
#include "world.h"

static const char sample[] =
	"version: 1\n"
	"workloads:\n"
	"  web: {port: tap-web, mac: '52:54:00:00:00:01', addresses: [10.0.0.1, 'fd00::1']}\n"
	"  fw: {ports: [{port: tap-fw0, mac: '52:54:00:00:00:02', addresses: [10.0.0.2, 10.5.0.0/16]},\n"
	"    {mac: '52:54:00:00:00:03', addresses: ['::/0', 0.0.0.0/0]}]}\n"
	"  free: {port: tap-free, addresses: any}\n"
	"  many: {port: tap-many, addresses: [10.9.0.1, 10.9.0.2, 10.9.0.3, 10.9.0.4, 10.9.0.5]}\n"
	"groups: {g: {tags: t}}\n"
	"rules:\n"
	"- {name: first, action: allow, log: true, at: to}\n"
	"- {action: reject, at: from, service: tcp/9}\n"
	"default: allow\n"
	"options: {unclaimed: deny, bind: first-sender, adopt: 2m, timeouts: {established: 1d, udp-replied: 90s}, refusals: 100/s}\n";

static struct tw_addr addr_of(const char *text)
{
	struct tw_addr addr;

	assert_int_equal(tw_addr_parse(text, &addr), 0);
	return addr;
}

static const char *owner_of(const struct tw_policy *policy, const char *text)
{
	struct tw_addr addr = addr_of(text);
	const struct tw_vnic *vnic = tw_policy_find_owner(policy, &addr);

	return vnic ? vnic->port ? vnic->port : vnic->workload : "-";
}

static void finders(void **state)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 2}, other[6] = {0x52, 0x54, 0, 0, 0, 9};
	struct tw_policy *policy = must_read(sample);

	assert_string_equal(owner_of(policy, "10.0.0.1"), "tap-web");
	assert_string_equal(owner_of(policy, "fd00::1"), "tap-web");
	assert_string_equal(owner_of(policy, "10.5.1.1"), "tap-fw0");
	assert_string_equal(owner_of(policy, "8.8.8.8"), "fw");
	assert_string_equal(owner_of(policy, "2001:db8::1"), "fw");
	assert_string_equal(tw_policy_find_workload(policy, "fw")->port, "tap-fw0");
	assert_null(tw_policy_find_workload(policy, "g"));
	assert_null(tw_policy_find_workload(policy, "nobody"));
	assert_string_equal(tw_policy_find_port(policy, "tap-many")->workload, "many");
	assert_null(tw_policy_find_port(policy, "tap"));
	assert_string_equal(tw_policy_find_mac(policy, mac)->port, "tap-fw0");
	assert_null(tw_policy_find_mac(policy, other));
	assert_int_equal(tw_policy_rule_index(policy, "first"), 0);
	assert_int_equal(tw_policy_rule_index(policy, "rule-2"), 1);
	assert_int_equal(tw_policy_rule_index(policy, "default"), 2);
	assert_int_equal(tw_policy_rule_index(policy, "rule-1"), -ENOENT);
	tw_policy_free(policy);
}

static void counts_and_rules(void **state)
{
	struct tw_policy *policy = must_read(sample);
	const struct tw_rule_info *rule = tw_policy_rule(policy, 0);

	assert_int_equal(tw_policy_n_workloads(policy), 4);
	assert_int_equal(tw_policy_n_vnics(policy), 5);
	assert_int_equal(tw_policy_n_groups(policy), 1);
	assert_int_equal(tw_policy_n_rules(policy), 2);
	assert_true(rule->log && rule->at_in && !rule->at_out && rule->action == TW_V_ALLOW);
	assert_int_equal(rule->line, 10);
	rule = tw_policy_rule(policy, 1);
	assert_string_equal(rule->name, "rule-2");
	assert_true(!rule->log && !rule->at_in && rule->at_out && rule->action == TW_V_REJECT);
	rule = tw_policy_rule(policy, 2);
	assert_string_equal(rule->name, "default");
	assert_true(rule->action == TW_V_ALLOW && rule->at_in && rule->at_out);
	assert_null(tw_policy_rule(policy, 3));
	assert_null(tw_policy_vnic(policy, 5));
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(tw_policy_vnic(policy, i)->index, i);
	tw_policy_free(policy);
}

/* Names and patterns that match a workload twice, or match nothing. */
static void groups(void **state)
{
	struct tw_policy *policy = must_read(
		"version: 1\n"
		"networks: {office: [192.0.2.0/24]}\n"
		"workloads:\n"
		"  web-1: {port: p1, addresses: [10.0.0.1, 'fd00::1'], tags: [web]}\n"
		"  web-2: {port: p2, addresses: [10.0.0.2], tags: [web, old]}\n"
		"  db-1: {port: p3, addresses: [10.0.0.3, 10.1.0.0/16]}\n"
		"groups:\n"
		"  new: {tags: web & !old}\n"
		"  all: {tags: web, workloads: [db-1, '*-1'], networks: [office, 198.51.100.7, '2001:db8::/120']}\n"
		"  wide: {networks: ['2001:db8::/64']}\n"
		"  most: {networks: ['2001:db8::/65', '2001:db9::/65']}\n"
		"  none: {tags: nobody}\n");
	struct tw_group_info info;

	assert_int_equal(tw_policy_group(policy, 0, &info), 0);
	assert_string_equal(info.name, "new");
	assert_int_equal(info.n_addresses, 2);
	assert_int_equal(info.n_workloads, 1);
	assert_string_equal(info.workloads[0], "web-1");
	assert_int_equal(info.n_networks, 0);
	tw_group_info_done(&info);
	assert_int_equal(tw_policy_group(policy, 1, &info), 0);
	assert_int_equal(info.n_addresses, 4 + 65536 + 256 + 1 + 256);
	assert_int_equal(info.n_workloads, 3);
	assert_string_equal(info.workloads[1], "web-2");
	assert_string_equal(info.workloads[2], "db-1");
	assert_int_equal(info.n_networks, 3);
	assert_string_equal(info.networks[0], "office");
	assert_string_equal(info.networks[1], "198.51.100.7");
	assert_string_equal(info.networks[2], "2001:db8::/120");
	tw_group_info_done(&info);
	for (size_t i = 2; i < 4; i++) {
		assert_int_equal(tw_policy_group(policy, i, &info), 0);
		assert_true(info.n_addresses == UINT64_MAX);
		tw_group_info_done(&info);
	}
	assert_int_equal(tw_policy_group(policy, 4, &info), 0);
	assert_int_equal(info.n_addresses + info.n_workloads + info.n_networks, 0);
	tw_group_info_done(&info);
	tw_alloc_fail_after(3);
	assert_int_equal(tw_policy_group(policy, 1, &info), -ENOMEM);
	tw_alloc_fail_after(0);
	tw_policy_free(policy);
}

static void options(void **state)
{
	struct tw_policy *policy = must_read(sample);
	struct tw_config config;

	tw_policy_fill_config(policy, &config);
	assert_int_equal(config.reply_rate, 100);
	assert_int_equal(config.reply_burst, 100);
	assert_int_equal(tw_policy_unclaimed(policy), TW_UNCLAIMED_DENY);
	assert_int_equal(tw_policy_bind(policy), TW_BIND_FIRST_SENDER);
	assert_int_equal(tw_policy_adopt_seconds(policy), 120);
	assert_int_equal(tw_policy_timeout(policy, TW_S_ESTABLISHED), 86400);
	assert_int_equal(tw_policy_timeout(policy, TW_S_UDP_REPLIED), 90);
	assert_int_equal(tw_policy_timeout(policy, TW_S_ICMP), 0);
	tw_policy_free(policy);
	policy = must_read("version: 1\n");
	assert_int_equal(tw_policy_unclaimed(policy), TW_UNCLAIMED_IGNORE);
	assert_int_equal(tw_policy_bind(policy), TW_BIND_TAP_MAC);
	assert_int_equal(tw_policy_adopt_seconds(policy), TW_ADOPT_SECONDS_DEFAULT);
	assert_int_equal(tw_policy_rule(policy, 0)->action, TW_V_DENY);
	tw_policy_fill_config(policy, &config);
	assert_int_equal(config.reply_rate, TW_REFUSALS_DEFAULT);
	assert_int_equal(config.reply_burst, TW_REFUSALS_BURST);
	tw_policy_free(policy);
	policy = must_read("version: 1\noptions: {refusals: none}\n");
	tw_policy_fill_config(policy, &config);
	assert_int_equal(config.reply_rate, 0);
	tw_policy_free(policy);
	policy = must_read("version: 1\noptions: {refusals: 5000/s}\n");
	tw_policy_fill_config(policy, &config);
	assert_int_equal(config.reply_rate, 5000);
	assert_int_equal(config.reply_burst, TW_REFUSALS_BURST);
	tw_policy_free(policy);
}

/* An empty text may be NULL. */
static void nothing_at_all(void **state)
{
	struct tw_policy *policy = must_read("version: 1\n"), *again = NULL;
	struct tw_diags diags = {0};

	assert_int_equal(tw_policy_read(NULL, 0, &again, &diags), -EINVAL);
	assert_int_equal(diags.n_errors, 1);
	tw_diags_done(&diags);
	assert_int_equal(tw_policy_read("", 0, &again, &diags), -EINVAL);
	tw_diags_done(&diags);
	assert_int_equal(tw_policy_read("\xef\xbb\xbf", 3, &again, &diags), -EINVAL);
	tw_diags_done(&diags);
	assert_int_equal(
		tw_policy_reread(policy, "version: 1\n", 11, NULL, 0, &again, &diags), -EINVAL);
	tw_diags_done(&diags);
	assert_null(again);
	tw_policy_free(policy);
}

static void ports(void **state)
{
	struct tw_policy *policy = must_read(sample);
	struct tw_addr web = addr_of("10.0.0.1");
	struct tw_port port = {.id = 7, .image = 9};

	tw_policy_fill_port(tw_policy_find_port(policy, "tap-web"), &port);
	assert_int_equal(port.id, 7);
	assert_int_equal(port.image, 9);
	assert_int_equal(port.flags, TW_PORT_F_SPARES);
	assert_int_equal(port.n_addrs, 2);
	assert_memory_equal(&port.addr[0], &web, sizeof(web));
	assert_int_equal(port.mac[5], 1);
	tw_policy_fill_port(tw_policy_find_port(policy, "tap-fw0"), &port);
	assert_int_equal(port.flags, TW_PORT_F_TRANSIT | TW_PORT_F_MORE | TW_PORT_F_SPARES);
	assert_int_equal(port.n_addrs, 1);
	tw_policy_fill_port(tw_policy_find_port(policy, "tap-free"), &port);
	assert_int_equal(port.flags, TW_PORT_F_GUARD_ANY | TW_PORT_F_SPARES);
	assert_int_equal(port.n_addrs, 0);
	tw_policy_fill_port(tw_policy_find_port(policy, "tap-many"), &port);
	assert_int_equal(port.flags, TW_PORT_F_MORE | TW_PORT_F_SPARES);
	assert_int_equal(port.n_addrs, TW_PORT_ADDRS);
	tw_policy_free(policy);
}

/* A vNIC's own limits take precedence over its workload's, and these over the options'; `none` is a
 * value too. */
static void limits_from_near_to_far(void **state)
{
	struct tw_policy *policy = must_read(
		"version: 1\n"
		"workloads:\n"
		"  a: {port: a, addresses: any}\n"
		"  b: {port: b, addresses: any, limits: {packets: none, half-open: 10}}\n"
		"  c: {ports: [{port: c, addresses: any, limits: {half-open: 20}}, {port: d, "
		"addresses: any}], limits: {half-open: 30, established: 40}}\n"
		"options: {limits: {packets: 100/s, new-connections: 50}}\n");
	struct tw_port port = {0};

	tw_policy_fill_port(tw_policy_find_port(policy, "a"), &port);
	assert_int_equal(port.packet_rate, 100);
	assert_int_equal(port.open_rate, 50);
	assert_int_equal(port.half_open_max, 0);
	assert_int_equal(port.broadcast_rate, TW_BROADCAST_RATE_DEFAULT);
	assert_true(port.flags & TW_PORT_F_SPARES);
	assert_int_equal(tw_policy_find_port(policy, "a")->limits.said,
		1 << TW_LIMIT_PACKETS | 1 << TW_LIMIT_NEW_CONNECTIONS);
	tw_policy_fill_port(tw_policy_find_port(policy, "b"), &port);
	assert_int_equal(port.packet_rate, 0);
	assert_int_equal(port.half_open_max, 10);
	tw_policy_fill_port(tw_policy_find_port(policy, "c"), &port);
	assert_int_equal(port.half_open_max, 20);
	assert_int_equal(port.established_max, 40);
	assert_int_equal(port.packet_rate, 100);
	tw_policy_fill_port(tw_policy_find_port(policy, "d"), &port);
	assert_int_equal(port.half_open_max, 30);
	assert_int_equal(port.established_max, 40);
	tw_policy_free(policy);
}

/* A workload's own mode takes precedence over the options'. Under options.mode, ports without a
 * workload are open, and a broadcast limit applies only if the policy sets one. */
static void modes_from_near_to_far(void **state)
{
	struct tw_policy *policy = must_read(
		"version: 1\n"
		"workloads:\n"
		"  a: {port: a, addresses: any}\n"
		"  b: {ports: [{port: b, addresses: any}, {port: c, addresses: any}], mode: enforce}\n"
		"options: {mode: observe, unclaimed: deny}\n");
	struct tw_port port = {0};

	assert_true(tw_policy_observes(policy));
	assert_int_equal(tw_policy_unclaimed(policy), TW_UNCLAIMED_IGNORE);
	tw_policy_fill_port(tw_policy_find_port(policy, "a"), &port);
	assert_true(port.flags & TW_PORT_F_OBSERVED);
	assert_int_equal(port.broadcast_rate, 0);
	tw_policy_fill_port(tw_policy_find_port(policy, "c"), &port);
	assert_false(port.flags & TW_PORT_F_OBSERVED);
	assert_int_equal(port.broadcast_rate, TW_BROADCAST_RATE_DEFAULT);
	tw_policy_free(policy);
	policy = must_read("version: 1\nworkloads: {a: {port: a, addresses: any, mode: observe}}\n"
			   "options: {unclaimed: deny}\n");
	assert_false(tw_policy_observes(policy));
	assert_int_equal(tw_policy_unclaimed(policy), TW_UNCLAIMED_DENY);
	tw_policy_fill_port(tw_policy_find_port(policy, "a"), &port);
	assert_true(port.flags & TW_PORT_F_OBSERVED);
	tw_policy_free(policy);
}

/* A workload's own `tcp` takes precedence over the options'. */
static void tcp_from_near_to_far(void **state)
{
	struct tw_policy *policy = must_read(
		"version: 1\n"
		"workloads:\n"
		"  a: {port: a, addresses: any}\n"
		"  b: {ports: [{port: b, addresses: any}, {port: c, addresses: any}], tcp: strict}\n"
		"options: {tcp: liberal}\n");
	struct tw_port port = {0};

	assert_true(tw_policy_liberal(policy));
	tw_policy_fill_port(tw_policy_find_port(policy, "a"), &port);
	assert_true(port.flags & TW_PORT_F_LIBERAL);
	tw_policy_fill_port(tw_policy_find_port(policy, "c"), &port);
	assert_false(port.flags & TW_PORT_F_LIBERAL);
	tw_policy_free(policy);
	policy = must_read(
		"version: 1\n"
		"workloads: {a: {port: a, addresses: any, tcp: liberal}, b: {port: b, addresses: any}}\n");
	assert_false(tw_policy_liberal(policy));
	tw_policy_fill_port(tw_policy_find_port(policy, "a"), &port);
	assert_true(port.flags & TW_PORT_F_LIBERAL);
	tw_policy_fill_port(tw_policy_find_port(policy, "b"), &port);
	assert_false(port.flags & TW_PORT_F_LIBERAL);
	tw_policy_free(policy);
}

/* Addresses learned from DHCP count like those in the text, except in the port's own entry, which
 * the fast path maintains. */
static void learned_addresses(void **state)
{
	static const char text[] =
		"version: 1\n"
		"workloads:\n"
		"  a: {port: a, mac: 52:54:00:00:00:01, addresses: [10.0.0.1, dhcp], tags: t}\n"
		"  b: {port: b, addresses: [10.0.0.2]}\n"
		"groups: {g: {tags: t}}\n"
		"rules:\n"
		"- {name: r, from: g, to: b, action: allow}\n";
	const struct tw_learned learned[] = {
		{0, addr_of("10.0.0.50")}, {1, addr_of("10.0.0.51")}, {7, addr_of("10.0.0.52")}};
	struct tw_policy *policy = NULL;
	tw_auto_buf struct tw_buf lowered = {0};
	struct tw_diags diags = {0};
	struct tw_port port = {0};
	const struct tw_vnic *vnic;

	assert_int_equal(
		tw_policy_read_learned(text, strlen(text), learned, 3, &policy, &diags), 0);
	assert_int_equal(diags.n, 0);
	vnic = tw_policy_find_port(policy, "a");
	assert_true(vnic->dhcp);
	assert_int_equal(vnic->n_prefixes, 2);
	assert_int_equal(tw_vnic_n_given(vnic), 1);
	assert_ptr_equal(tw_policy_find_owner(policy, &learned[0].addr), vnic);
	assert_null(tw_policy_find_owner(policy, &learned[1].addr));
	tw_policy_fill_port(vnic, &port);
	assert_int_equal(port.n_addrs, 1);
	assert_int_equal(port.flags, TW_PORT_F_DHCP | TW_PORT_F_SPARES);
	tw_policy_print_lowered(policy, &lowered);
	assert_non_null(strstr(lowered.data, "from {10.0.0.1 10.0.0.50} to {10.0.0.2}"));
	tw_policy_free(policy);
}

/* ::/0 is all of IPv6 and nothing of IPv4: the guard's prefixes must not contain ::ffff:0:0/96. */
static void v6_prefixes_never_hold_v4(void **state)
{
	struct tw_policy *policy = must_read(
		"version: 1\nworkloads: {r: {port: p, addresses: ['::/0']}}\n");
	const struct tw_vnic *vnic = tw_policy_vnic(policy, 0);
	static const char *const inside[] = {
		"::", "::1", "::fffe:ffff:ffff", "::1:0:0:0", "ffff::", "2001:db8::1"};

	assert_int_equal(vnic->n_prefixes, 96);
	assert_true(vnic->transit);
	assert_string_equal(owner_of(policy, "1.2.3.4"), "-");
	assert_string_equal(owner_of(policy, "255.255.255.255"), "-");
	assert_string_equal(owner_of(policy, "0.0.0.0"), "-");
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		assert_string_equal(owner_of(policy, inside[i]), "p");
	tw_policy_free(policy);
}

static size_t n_errors_of(const char *text, size_t len)
{
	struct tw_policy *policy = (struct tw_policy *)&len;
	struct tw_diags diags = {0};
	size_t n = 0;

	assert_int_equal(tw_policy_read(text, len, &policy, &diags), -EINVAL);
	assert_ptr_equal(policy, &len);
	assert_true(diags.n_errors > 0);
	for (size_t i = 0; i < diags.n; i++)
		n += diags.at[i].severity == TW_SEV_ERROR;
	tw_diags_done(&diags);
	return n;
}

static void errors_are_counted_not_hoarded(void **state)
{
	tw_auto_buf struct tw_buf text = {0};

	tw_buf_adds(&text, "version: 1\nrules:\n");
	for (int i = 0; i < 5000; i++)
		tw_buf_adds(&text, "- {acton: allow, from: nobody}\n");
	assert_int_equal(n_errors_of(text.data, text.len), 100);
}

static void bounds(void **state)
{
	tw_auto_buf struct tw_buf text = {0};

	for (int i = 0; i < 100000; i++)
		tw_buf_adds(&text, "[");
	assert_int_equal(n_errors_of(text.data, text.len), 1);
	tw_buf_reset(&text);
	assert_int_equal(n_errors_of("", 0), 1);
	assert_int_equal(n_errors_of("\0\0", 2), 1);
	assert_int_equal(n_errors_of("version: \"1\\0\"", 14), 1);
	assert_int_equal(n_errors_of("\xff\xfe", 2), 1);
}

static void longest_text(void **state)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};

	assert_non_null(tw_buf_extend(&text, TW_YAML_TEXT_MAX));
	memset(text.data, '#', text.len);
	memcpy(text.data, "version: 1\n", 11);
	assert_int_equal(tw_policy_read(text.data, text.len, &policy, &diags), 0);
	assert_int_equal(diags.n_errors, 0);
	tw_policy_free(policy);
	tw_diags_done(&diags);
	tw_buf_adds(&text, "#");
	assert_int_equal(n_errors_of(text.data, text.len), 1);
}

static void too_many_rules(void **state)
{
	tw_auto_buf struct tw_buf text = {0};

	tw_buf_adds(&text, "version: 1\nrules:\n");
	for (int i = 0; i < TW_RULES_MAX; i++)
		tw_buf_adds(&text, "- {action: allow}\n");
	assert_int_equal(n_errors_of(text.data, text.len), 1);
}

/* Groups cannot contain groups, so only one kind of policy needs excessive work: many rules, each
 * with its own list that names a large group. */
static void too_large_to_work_out(void **state)
{
	tw_auto_buf struct tw_buf text = {0};

	tw_buf_adds(&text, "version: 1\nnetworks:\n  big: [");
	for (int i = 0; i < 20000; i++)
		tw_buf_addf(&text, "%s10.%d.%d.1", i ? ", " : "", i / 256, i % 256);
	tw_buf_adds(&text, "]\nrules:\n");
	for (int i = 0; i < 20000; i++)
		tw_buf_addf(&text, "- {from: [big, 1.1.%d.%d], action: allow}\n", i / 256, i % 256);
	assert_int_equal(n_errors_of(text.data, text.len), 1);
}

/* The owner of an address is the vNIC with the longest prefix, as a linear search finds it. */
static void owners_equal_a_walk(void **state)
{
	static struct world world;
	uint64_t random = 3;

	for (unsigned int i = 0; i < 200; i++) {
		tw_auto_buf struct tw_buf text = {0};
		struct tw_policy *policy;

		world_make(&world, i, 0);
		world_print(&world, &text);
		policy = must_read(text.data);
		for (unsigned int k = 0; k < 200; k++) {
			struct world_tuple t = world_tuple(&world, &random);
			const struct tw_vnic *vnic = tw_policy_find_owner(policy, &t.from);

			assert_int_equal(
				vnic ? (int)vnic->index : -1, world_owner(&world, &t.from, t.v6));
		}
		tw_policy_free(policy);
	}
}

static void rules_end(void **state)
{
	static const char text[] =
		"version: 1\n"
		"rules:\n"
		"- {name: a, action: allow, until: 2026-12-31T00:00Z}\n"
		"- {name: b, action: allow, until: '2026-12-31T00:00:01Z', enabled: false}\n"
		"- {name: c, action: deny, until: 2027-01-01}\n"
		"- {name: d, action: deny}\n";
	static const char *const wrong[] = {"soon", "2026-02-30", "2026-12-31T00:00",
		"2026-12-31T24:00Z", "2026-12-31T00:00+01:00", "1969-12-31"};
	const int64_t first = 1798675200; /* date -ud 2026-12-31 +%s */
	struct tw_policy *policy = must_read(text);
	tw_auto_buf struct tw_buf printed = {0};

	assert_int_equal(tw_policy_rule(policy, 0)->until_s, first);
	assert_int_equal(tw_policy_rule(policy, 3)->until_s, 0);
	assert_int_equal(tw_policy_next_until(policy), first);
	assert_int_equal(tw_policy_expire(policy, first - 1), 0);
	assert_true(tw_policy_rule(policy, 0)->at_out);
	assert_int_equal(tw_policy_expire(policy, first), 1);
	assert_false(tw_policy_rule(policy, 0)->at_out || tw_policy_rule(policy, 0)->at_in);
	/* A disabled rule does not count. */
	assert_int_equal(tw_policy_next_until(policy), first + 86400);
	assert_int_equal(tw_policy_expire(policy, first + 86400), 1);
	assert_int_equal(tw_policy_next_until(policy), 0);
	tw_policy_print_rule(policy, 2, &printed);
	assert_string_equal(printed.data,
		"{name: c, from: any, to: any, action: deny, until: 2027-01-01T00:00:00Z}");
	tw_policy_free(policy);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		tw_auto_buf struct tw_buf one = {0};

		tw_buf_addf(&one, "version: 1\nrules:\n- {action: allow, until: '%s'}\n", wrong[i]);
		assert_int_equal(n_errors_of(one.data, one.len), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finders),
		cmocka_unit_test(counts_and_rules),
		cmocka_unit_test(groups),
		cmocka_unit_test(options),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(ports),
		cmocka_unit_test(limits_from_near_to_far),
		cmocka_unit_test(modes_from_near_to_far),
		cmocka_unit_test(tcp_from_near_to_far),
		cmocka_unit_test(learned_addresses),
		cmocka_unit_test(v6_prefixes_never_hold_v4),
		cmocka_unit_test(errors_are_counted_not_hoarded),
		cmocka_unit_test(bounds),
		cmocka_unit_test(longest_text),
		cmocka_unit_test(too_many_rules),
		cmocka_unit_test(too_large_to_work_out),
		cmocka_unit_test(owners_equal_a_walk),
		cmocka_unit_test(rules_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
