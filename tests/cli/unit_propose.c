/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the draft that `tapwall propose` makes. */
#include <stdlib.h>
#include <string.h>

#include "cli/propose.h"
#include "fastpath/abi/names.h"
#include "tests/unit/test.h"

#define TIME 1769864706.0 /* 2026-01-31 13:05:06 UTC */

static const char base_text[] =
	"# written by hand\n"
	"version: 1\n"
	"workloads:\n"
	"  # the front\n"
	"  web-1: {port: tap1, addresses: [10.0.0.11, \"fd00::11\"], tags: [web, prod]}\n"
	"  web-2: {port: tap2, addresses: [10.0.0.12], tags: [web, prod]}\n"
	"  web-3: {port: tap3, addresses: [10.0.0.13], tags: [web, prod]}\n"
	"  db-1: {port: tap4, addresses: [10.0.0.21], tags: [prod]}\n"
	"  db-2: {port: tap5, addresses: [10.0.0.22], tags: [test]}\n"
	"  mail: {port: tap6, addresses: [10.0.0.31]}\n"
	"rules:\n"
	"  - {name: no-telnet, from: any, to: any, service: tcp/23, action: reject}\n"
	"  - {name: ssh, from: mail, to: db-1, service: tcp/22, action: allow}\n"
	"options: {mode: observe}\n";

struct bench {
	struct tw_policy *policy;
	struct tw_seen seen;
	struct tw_buf draft;
	struct tw_propose propose;
};

static struct tw_policy *read_policy(const char *text, size_t len)
{
	struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	int ret = tw_policy_read(text, len, &policy, &diags);

	for (size_t i = 0; i < diags.n; i++)
		if (ret || diags.at[i].severity == TW_SEV_ERROR)
			print_message("%u: %s\n%s\n", diags.at[i].line, diags.at[i].text, text);
	tw_diags_done(&diags);
	assert_int_equal(ret, 0);
	return policy;
}

/* Adds a connection that would be denied. `worked`: the service answered. */
static void see(struct bench *b, const char *from, const char *to, int proto, unsigned int detail,
	bool worked)
{
	struct tw_seen_conn conn = {.workload = {"", ""},
		.reason = "policy",
		.rule = "default",
		.verdict = TW_V_WOULD_DENY,
		.sport = 40000,
		.detail = (uint16_t)detail,
		.proto = (uint8_t)proto,
		.worked = worked,
		.first = TIME,
		.last = TIME};

	assert_int_equal(tw_addr_parse(from, &conn.addr[TW_DIR_OUT]), 0);
	assert_int_equal(tw_addr_parse(to, &conn.addr[TW_DIR_IN]), 0);
	assert_int_equal(tw_seen_add(&b->seen, &conn), 0);
}

static void begin(struct bench *b, const char *text)
{
	*b = (struct bench){.policy = read_policy(text, strlen(text))};
}

/* Makes the draft, and returns its text. */
static const char *draft(struct bench *b, const char *text)
{
	tw_seen_settle(&b->seen);
	b->propose.policy = b->policy;
	b->propose.seen = &b->seen;
	b->propose.head = "# propose: a draft\n";
	assert_int_equal(tw_propose_pair_up(&b->propose), 0);
	assert_int_equal(tw_propose_merge(&b->propose), 0);
	assert_int_equal(tw_propose_print(&b->propose, text, strlen(text), &b->draft), 0);
	return b->draft.data;
}

static void end(struct bench *b)
{
	tw_propose_done(&b->propose);
	tw_seen_done(&b->seen);
	tw_buf_done(&b->draft);
	tw_policy_free(b->policy);
}

static void expect(const char *draft, const char *text)
{
	if (!strstr(draft, text))
		fail_msg("no '%s' in\n%s", text, draft);
}

static void expect_none(const char *draft, const char *text)
{
	if (strstr(draft, text))
		fail_msg("'%s' in\n%s", text, draft);
}

/* Services and groups are merged; the workloads keep their comments; the draft is a valid policy. */
static void test_merged(void **state)
{
	struct bench b;
	const char *text;

	begin(&b, base_text);
	for (int n = 0; n < 3; n++) {
		see(&b, "10.0.0.11", "10.0.0.21", 6, 5432, true);
		see(&b, "10.0.0.12", "10.0.0.21", 6, 5432, true);
	}
	see(&b, "10.0.0.13", "10.0.0.21", 6, 5432, true);
	see(&b, "10.0.0.11", "10.0.0.22", 17, 514, false);
	see(&b, "fd00::11", "2001:db8::1", 58, 128 << 8, true);
	see(&b, "10.0.0.12", "10.0.0.31", 6, 25, true);
	see(&b, "10.0.0.11", "10.0.0.31", 6, 25, true);
	see(&b, "10.0.0.11", "10.0.0.31", 6, 587, true);
	see(&b, "10.0.0.12", "10.0.0.31", 6, 587, true);
	text = draft(&b, base_text);
	expect(text,
		"# propose: a draft\nversion: 1\nworkloads:\n  # the front\n  web-1: {port: tap1, ");
	expect(text, "groups:\n  web: {tags: \"web\"}\nrules:\n  - {name: no-telnet, ");
	expect(text,
		"  - {name: web-to-db-1-tcp-5432, from: web, to: db-1, service: tcp/5432, action: allow, "
		"comment: \"seen 7 times by 3 pairs, last 2026-01-31 13:05Z; fewest: 1 by web-3 to db-1\"}");
	expect(text, "from: web-1, to: db-2, service: udp/514, action: allow, comment: ");
	expect(text, "from: web-1, to: \"2001:db8::1\", service: icmp6/128, action: allow");
	expect(text, "from: [web-1, web-2], to: mail, service: [tcp/25, tcp/587], action: allow");
	expect(text, "default: deny\noptions: {unclaimed: ignore, mode: enforce}\n");
	tw_policy_free(read_policy(text, strlen(text)));
	end(&b);
}

/* Connections that a rule of the policy in force decides are not proposed. */
static void test_decided(void **state)
{
	struct bench b;
	const char *text;

	begin(&b, base_text);
	see(&b, "10.0.0.31", "10.0.0.21", 6, 22, true);
	see(&b, "10.0.0.31", "10.0.0.21", 6, 23, true);
	text = draft(&b, base_text);
	assert_int_equal(b.propose.rules.n, 0);
	assert_int_equal(b.propose.n_allowed, 1);
	assert_int_equal(b.propose.refused.n, 1);
	expect(text, "name: ssh");
	end(&b);
	begin(&b, base_text);
	b.propose.fresh = true;
	see(&b, "10.0.0.31", "10.0.0.21", 6, 22, true);
	see(&b, "10.0.0.31", "10.0.0.21", 6, 23, true);
	text = draft(&b, base_text);
	expect_none(text, "name: ssh");
	expect_none(text, "tcp/23");
	expect(text, "from: mail, to: db-1, service: tcp/22, action: allow");
	end(&b);
}

/* Frames that are denied at any port, or were denied at an enforced one, are not proposed. */
static void test_denied(void **state)
{
	struct bench b;

	begin(&b, base_text);
	see(&b, "10.0.0.11", "10.0.0.21", 6, 5432, false);
	tw_seen_settle(&b.seen);
	b.seen.entries.at[0].verdict = TW_V_DENY;
	draft(&b, base_text);
	assert_int_equal(b.propose.rules.n, 0);
	assert_int_equal(b.propose.n_always, 1);
	end(&b);
}

/* A port scan becomes one rule that is off; rules for other connections of the source stay on. */
static void test_scan(void **state)
{
	struct bench b;
	const char *text;

	begin(&b, base_text);
	for (unsigned int port = 1; port <= 20000; port++)
		see(&b, "10.0.0.12", "10.0.0.21", 6, port, false);
	for (unsigned int port = 1; port <= 200; port++)
		see(&b, "10.0.0.13", "10.0.0.21", 17, port, false);
	see(&b, "10.0.0.12", "10.0.0.21", 6, 5432, true);
	see(&b, "10.0.0.11", "10.0.0.21", 6, 81, false);
	text = draft(&b, base_text);
	assert_int_equal(b.propose.rules.n, 4);
	expect(text,
		"name: web-2-to-db-1-tcp-5432, from: web-2, to: db-1, service: tcp/5432, action: allow, comment: ");
	expect(text, "from: web-2, to: db-1, service: tcp, action: allow, enabled: false, "
		     "comment: \"off, so many ports that it may be a port scan: seen ");
	expect(text, "from: web-3, to: db-1, service: udp, action: allow, enabled: false, ");
	expect(text, "from: web-1, to: db-1, service: tcp/81, action: allow, enabled: false, "
		     "comment: \"off, never answered: seen 1 time, ");
	end(&b);
}

/* The rule of a pair with fewer connections than `min` is off; the others stay on. */
static void test_rare(void **state)
{
	struct bench b;
	const char *text;

	begin(&b, base_text);
	b.propose.min = 2;
	see(&b, "10.0.0.11", "10.0.0.21", 6, 5432, true);
	see(&b, "10.0.0.12", "10.0.0.21", 6, 5432, true);
	see(&b, "10.0.0.12", "10.0.0.21", 6, 5432, true);
	text = draft(&b, base_text);
	expect(text,
		"from: web-2, to: db-1, service: tcp/5432, action: allow, comment: \"seen 2 times");
	expect(text, "from: web-1, to: db-1, service: tcp/5432, action: allow, enabled: false, "
		     "comment: \"off, fewer than --min: seen 1 time, ");
	end(&b);
}

/* Ports that are assigned dynamically are not listed one by one. */
static void test_dynamic(void **state)
{
	struct bench b;
	const char *text;

	begin(&b, base_text);
	for (unsigned int port = 0; port < 40; port++)
		see(&b, "10.0.0.11", "10.0.0.21", 6, 40000 + 7 * port, true);
	for (unsigned int port = 0; port < 40; port++)
		see(&b, "10.0.0.12", "10.0.0.21", 6, 1000 + port, true);
	text = draft(&b, base_text);
	assert_int_equal(b.propose.rules.n, 2);
	expect(text,
		"service: tcp/40000-40273, action: allow, enabled: false, comment: \"off, ports seem");
	expect(text,
		"from: web-2, to: db-1, service: tcp, action: allow, enabled: false, comment: ");
	end(&b);
}

/* Addresses outside become prefixes, or any address but the workloads'. */
static void test_outside(void **state)
{
	char address[32];
	struct bench b;
	const char *text;

	begin(&b, base_text);
	for (unsigned int n = 1; n <= 3; n++) {
		snprintf(address, sizeof(address), "192.0.2.%u", n);
		see(&b, address, "10.0.0.11", 6, 80, true);
	}
	for (unsigned int n = 1; n <= 200; n++) {
		snprintf(address, sizeof(address), "10.0.0.%u", 50 + n);
		see(&b, address, "10.0.0.31", 6, 25, true);
		snprintf(address, sizeof(address), "198.51.%u.7", n);
		see(&b, "10.0.0.31", address, 6, 443, true);
		snprintf(address, sizeof(address), "239.1.2.%u", n);
		see(&b, "10.0.0.21", address, 17, 5000, false);
	}
	see(&b, "10.0.0.21", "255.255.255.255", 17, 5000, false);
	text = draft(&b, base_text);
	expect(text, "guests: {workloads: [\"*\"]}");
	expect(text, "from: [192.0.2.1, 192.0.2.2, 192.0.2.3], to: web-1, service: tcp/80, ");
	expect(text, "from: [10.0.0.0/24, \"!guests\"], to: mail, service: tcp/25, ");
	expect(text, "from is wider than the 200 addresses seen");
	expect(text,
		"from: mail, to: [0.0.0.0/0, \"!guests\", \"!224.0.0.0/4\", \"!255.255.255.255\"], service: tcp/443, ");
	expect(text, "from: db-1, to: [224.0.0.0/4, \"!guests\"], service: udp/5000, ");
	expect(text, "from: db-1, to: 255.255.255.255, service: udp/5000, ");
	end(&b);
}

/* A guest that uses many services of addresses outside gets one rule for them, which is off. */
static void test_services(void **state)
{
	char address[32];
	struct bench b;
	const char *text;

	begin(&b, base_text);
	for (unsigned int n = 0; n < 4000; n++) {
		snprintf(address, sizeof(address), "198.51.%u.%u", n / 250, 1 + n % 250);
		see(&b, "10.0.0.31", address, 6, 2000 + n, true);
	}
	see(&b, "10.0.0.31", "192.0.2.53", 17, 53, true);
	text = draft(&b, base_text);
	assert_int_equal(b.propose.rules.n, 2);
	expect(text, "from: mail, to: 192.0.2.53, service: udp/53, action: allow, comment: ");
	expect(text, "service: tcp, action: allow, enabled: false, comment: ");
	end(&b);
}

/* Rules name a router by the addresses that were seen; a workload with `addresses: any` owns none. */
static void test_router(void **state)
{
	static const char routers[] =
		"version: 1\nworkloads: {gw: {port: tap1, addresses: [10.9.0.0/16]},\n"
		"  some: {port: tap2, addresses: any}}\n";
	struct bench b;
	const char *text;

	begin(&b, routers);
	see(&b, "10.9.0.7", "192.0.2.1", 6, 80, true);
	see(&b, "192.0.2.9", "192.0.2.1", 6, 81, true);
	text = draft(&b, routers);
	expect(text, "from: 10.9.0.7, to: 192.0.2.1, service: tcp/80, ");
	expect(text, "from: 192.0.2.9, to: 192.0.2.1, service: tcp/81, ");
	end(&b);
}

/* A guest with `addresses: any` is found by its port. A connection that a rule for it allowed needs no
 * other rule. */
static void test_any(void **state)
{
	static const char any[] =
		"version: 1\nworkloads: {w: {port: tap1, addresses: 10.0.0.1}, some: {port: tap2, "
		"addresses: any}}\nrules:\n  - {name: some-in, to: some, action: allow}\n";
	struct bench b;

	begin(&b, any);
	see(&b, "10.0.0.1", "192.0.2.9", 6, 81, true);
	tw_seen_settle(&b.seen);
	b.seen.entries.at[0].verdict = TW_V_ALLOW;
	tw_seen_intern(&b.seen, "some-in", &b.seen.entries.at[0].rule);
	draft(&b, any);
	assert_int_equal(b.propose.rules.n, 0);
	assert_int_equal(b.propose.n_allowed, 1);
	end(&b);
}

/* Guests of two networks have equal addresses: connections of one tenant's guests give the other's no
 * rule. */
static void test_networks(void **state)
{
	static const char tenants[] = "version: 1\nworkloads:\n"
				      "  a1: {port: tap1, addresses: 10.0.0.1, network: red}\n"
				      "  a2: {port: tap2, addresses: 10.0.0.2, network: red}\n"
				      "  b1: {port: tap3, addresses: 10.0.0.1, network: blue}\n"
				      "  b2: {port: tap4, addresses: 10.0.0.2, network: blue}\n";
	char address[32];
	struct bench b;
	const char *text;

	begin(&b, tenants);
	see(&b, "10.0.0.1", "10.0.0.2", 6, 80, true);
	for (unsigned int n = 1; n <= 40; n++) {
		snprintf(address, sizeof(address), "192.0.2.%u", n);
		see(&b, "10.0.0.1", address, 6, 443, true);
	}
	tw_seen_settle(&b.seen);
	tw_vec_foreach (&b.seen.entries, entry) {
		tw_seen_intern(&b.seen, "a1", &entry->workload[TW_DIR_OUT]);
		if (entry->detail == 80)
			tw_seen_intern(&b.seen, "a2", &entry->workload[TW_DIR_IN]);
	}
	text = draft(&b, tenants);
	expect(text, "from: a1, to: a2, service: tcp/80, ");
	expect(text, "from: a1, to: [192.0.2.0/24, \"!guests\"], service: tcp/443, ");
	expect_none(text, "from: b1");
	tw_policy_free(read_policy(text, strlen(text)));
	end(&b);
}

/* Names and comments are quoted; texts of events do not get into the draft. */
static void test_quoted(void **state)
{
	static const char odd[] =
		"version: 1\nworkloads:\n  yes: {port: tap1, addresses: 10.0.0.1, tags: \"a:b\"}\n"
		"  \"1e3\": {port: tap2, addresses: 10.0.0.2, tags: \"a:b\"}\n"
		"  null: {port: tap3, addresses: 10.0.0.3}\n";
	struct bench b;
	const char *text;

	begin(&b, odd);
	see(&b, "10.0.0.1", "10.0.0.3", 6, 80, true);
	see(&b, "10.0.0.2", "10.0.0.3", 6, 80, true);
	tw_seen_settle(&b.seen);
	tw_seen_intern(&b.seen, "x\n- {from: any}", &b.seen.entries.at[0].workload[TW_DIR_OUT]);
	text = draft(&b, odd);
	expect(text, "a-b: {tags: \"a:b\"}");
	expect(text, "from: a-b, to: \"null\", service: tcp/80");
	expect_none(text, "from: any");
	tw_policy_free(read_policy(text, strlen(text)));
	end(&b);
}

/* ---- exactness ---- */

static unsigned int number(uint64_t *seed, unsigned int below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(*seed >> 33) % below;
}

#define GUESTS	 8
#define SERVICES 4

static bool allows(
	const struct tw_policy *policy, unsigned int from, unsigned int to, unsigned int port)
{
	struct tw_first_packet about = {.proto = 6, .sport = 50000, .detail = (uint16_t)port};
	char text[32];

	snprintf(text, sizeof(text), "10.0.0.%u", from);
	tw_addr_parse(text, &about.from);
	snprintf(text, sizeof(text), "10.0.0.%u", to);
	tw_addr_parse(text, &about.to);
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		if (tw_policy_rule(policy, tw_policy_match(policy, 0, (enum tw_dir)dir, &about))
				->action != TW_V_ALLOW)
			return false;
	return true;
}

/* The draft allows the connections that were seen and no others, and does not depend on their order. */
static void test_exact(void **state)
{
	uint64_t seed = 1;

	for (int round = 0; round < 200; round++) {
		bool seen[GUESTS][GUESTS][SERVICES] = {0};
		unsigned int density = 1 + number(&seed, 9);
		tw_auto_buf struct tw_buf text = {0}, other = {0};
		struct tw_policy *policy;
		struct bench b;
		char from[32], to[32];

		tw_buf_adds(&text, "version: 1\nworkloads:\n");
		for (unsigned int g = 0; g < GUESTS; g++)
			tw_buf_addf(&text,
				"  g%u: {port: t%u, addresses: 10.0.0.%u, tags: [t%u, u%u]}\n", g,
				g, g, number(&seed, 3), number(&seed, 3));
		for (unsigned int f = 0; f < GUESTS; f++)
			for (unsigned int t = 0; t < GUESTS; t++)
				for (unsigned int s = 0; s < SERVICES; s++)
					seen[f][t][s] = f != t && number(&seed, 10) < density;
		for (int pass = 0; pass < 2; pass++) {
			begin(&b, text.data);
			for (unsigned int i = 0; i < GUESTS * GUESTS * SERVICES; i++) {
				unsigned int at = pass ? GUESTS * GUESTS * SERVICES - 1 - i : i;
				unsigned int f = at / SERVICES / GUESTS, t = at / SERVICES % GUESTS;

				snprintf(from, sizeof(from), "10.0.0.%u", f);
				snprintf(to, sizeof(to), "10.0.0.%u", t);
				if (seen[f][t][at % SERVICES])
					see(&b, from, to, 6, 80 + at % SERVICES, true);
			}
			draft(&b, text.data);
			if (!pass)
				tw_buf_adds(&other, b.draft.data);
			else
				assert_string_equal(b.draft.data, other.data);
			end(&b);
		}
		policy = read_policy(other.data, other.len);
		for (unsigned int f = 0; f < GUESTS; f++)
			for (unsigned int t = 0; t < GUESTS; t++)
				for (unsigned int s = 0; s < SERVICES; s++)
					if (allows(policy, f, t, 80 + s) != seen[f][t][s])
						fail_msg("%u to %u port %u\n%s", f, t, 80 + s,
							other.data);
		tw_policy_free(policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_decided),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_rare),
		cmocka_unit_test(test_dynamic),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_router),
		cmocka_unit_test(test_any),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
