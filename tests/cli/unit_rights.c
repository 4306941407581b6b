/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the rights that frames lacked. */
#include <stdio.h>
#include <string.h>

#include "cli/rights.h"
#include "policy/print.h"
#include "tests/unit/test.h"

static const char policy_text[] =
	"version: 1\n"
	"workloads:\n"
	"  trunk: {port: tap1, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.11], vlans: [10]}\n"
	"  lb-1: {port: tap2, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.12]}\n"
	"  lb-2: {port: tap3, mac: \"52:54:00:00:00:03\", addresses: [10.0.0.13]}\n"
	"  gw:\n"
	"    ports:\n"
	"      - {port: tap4, mac: \"52:54:00:00:00:04\", addresses: [10.0.0.14], may: [router]}\n"
	"      - {port: tap5, mac: \"52:54:00:00:00:05\", addresses: [10.0.0.15]}\n";

struct bench {
	struct tw_policy *policy;
	struct tw_rights rights;
	struct tw_buf text;
};

static void begin(struct bench *b)
{
	struct tw_diags diags = {0};

	*b = (struct bench){0};
	assert_int_equal(
		tw_policy_read(policy_text, sizeof(policy_text) - 1, &b->policy, &diags), 0);
	tw_diags_done(&diags);
}

static void end(struct bench *b)
{
	tw_rights_done(&b->rights);
	tw_buf_done(&b->text);
	tw_policy_free(b->policy);
}

struct frame {
	char *workload;
	char *port;
	char *reason;
	char *src_mac;
	char *from;
	uint32_t vlan;
	uint32_t ethertype;
	bool in;
};

static void see(struct bench *b, const struct frame *frame)
{
	Tapwall__V1__LogEntry entry = TAPWALL__V1__LOG_ENTRY__INIT;
	Tapwall__V1__End from = TAPWALL__V1__END__INIT;

	entry.event = "deny";
	entry.verdict = "deny";
	entry.direction = frame->in ? "in" : "out";
	entry.workload = frame->workload;
	entry.port = frame->port;
	entry.reason = frame->reason;
	entry.src_mac = frame->src_mac ? frame->src_mac : "52:54:00:00:00:01";
	entry.vlan = frame->vlan;
	entry.ethertype = frame->ethertype;
	from.address = frame->from ? frame->from : "";
	entry.from = frame->from ? &from : NULL;
	assert_int_equal(tw_rights_take(&b->rights, &entry), 0);
}

/* Returns the text of all rows. */
static const char *settled(struct bench *b)
{
	tw_rights_settle(&b->rights, b->policy);
	tw_vec_foreach (&b->rights.rows, row) {
		tw_rights_print(&b->rights, row, &b->text);
		tw_buf_adds(&b->text, "\n");
	}
	return b->text.data ? b->text.data : "";
}

static void test_vlans(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	for (uint32_t vlan = 10; vlan <= 12; vlan++)
		see(&b, &(struct frame){.workload = "trunk",
				.port = "tap1",
				.reason = "vlan-tag",
				.vlan = vlan});
	/* It is another guest whose frames have this tag. */
	see(&b, &(struct frame){.workload = "lb-1",
			.port = "tap2",
			.reason = "vlan-tag",
			.vlan = 11,
			.in = true});
	/* Other reasons are no lack of a right. */
	see(&b, &(struct frame){
			.workload = "lb-1", .port = "tap2", .reason = "rate-limit", .vlan = 11});
	see(&b, &(struct frame){.workload = "", .port = "tap9", .reason = "vlan-tag", .vlan = 11});
	assert_string_equal(settled(&b), "trunk (tap1): vlans: [11-12]; 3 frames\n");
	end(&b);
}

static void test_what_is_granted_is_not_listed(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	see(&b, &(struct frame){
			.workload = "trunk", .port = "tap1", .reason = "vlan-tag", .vlan = 10});
	see(&b, &(struct frame){
			.workload = "gw", .port = "tap4", .reason = "router-advertisement"});
	see(&b, &(struct frame){
			.workload = "gw", .port = "tap5", .reason = "router-advertisement"});
	assert_string_equal(settled(&b), "gw (tap5): may: [router]; 1 frame\n");
	end(&b);
}

static void test_virtual_router(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	for (int i = 0; i < 2; i++) {
		char *workload = i ? "lb-2" : "lb-1", *port = i ? "tap3" : "tap2";

		see(&b, &(struct frame){.workload = workload,
				.port = port,
				.reason = "spoofed-mac",
				.src_mac = "00:00:5e:00:01:33"});
		see(&b, &(struct frame){.workload = workload,
				.port = port,
				.reason = "spoofed-address",
				.from = "10.0.0.100"});
	}
	see(&b, &(struct frame){.workload = "lb-2",
			.port = "tap3",
			.reason = "spoofed-address",
			.from = "fd00::9"});
	/* The MAC and the address of another workload are no lack of a right. */
	see(&b, &(struct frame){.workload = "lb-2",
			.port = "tap3",
			.reason = "spoofed-mac",
			.src_mac = "52:54:00:00:00:01"});
	see(&b, &(struct frame){.workload = "lb-2",
			.port = "tap3",
			.reason = "spoofed-address",
			.from = "10.0.0.11"});
	assert_string_equal(settled(&b),
		"lb-1 (tap2): shared: [10.0.0.100], macs: [\"00:00:5e:00:01:33\"]; 2 frames\n"
		"lb-2 (tap3): addresses: [\"fd00::9\"], shared: [10.0.0.100], macs: "
		"[\"00:00:5e:00:01:33\"]; 5 frames\n");
	end(&b);
}

static void test_protocols(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	see(&b, &(struct frame){
			.workload = "gw", .port = "tap5", .reason = "not-ip", .ethertype = 0x8863});
	/* LLC cannot be granted. */
	see(&b, &(struct frame){
			.workload = "gw", .port = "tap5", .reason = "not-ip", .ethertype = 0x26});
	see(&b, &(struct frame){.workload = "gw", .port = "tap5", .reason = "dhcp-server"});
	assert_string_equal(
		settled(&b), "gw (tap5): may: [dhcp-server, {ethertypes: [0x8863]}]; 3 frames\n");
	end(&b);
}

static void test_grants(void **state)
{
	tw_rights_granted granted = {0};
	struct tw_buf text = {0};
	struct bench b;

	(void)state;
	begin(&b);
	see(&b, &(struct frame){
			.workload = "trunk", .port = "tap1", .reason = "vlan-tag", .vlan = 20});
	for (uint32_t vlan = 1; vlan < 100; vlan++)
		see(&b, &(struct frame){.workload = "lb-1",
				.port = "tap2",
				.reason = "vlan-tag",
				.vlan = vlan});
	tw_rights_settle(&b.rights, b.policy);
	assert_false(tw_rights_is_doubtful(&b.rights.rows.at[1]));
	assert_true(tw_rights_is_doubtful(&b.rights.rows.at[0]));
	assert_int_equal(tw_rights_grant(&b.rights, b.policy, &granted), 0);
	tw_print_workload(b.policy, 0, &text);
	tw_buf_adds(&text, "\n");
	tw_print_workload(b.policy, 1, &text);
	assert_string_equal(text.data,
		"trunk: {port: tap1, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.11], vlans: [10, 20]}\n"
		"lb-1: {port: tap2, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.12]}");
	tw_buf_done(&text);
	end(&b);
	tw_vec_done(&granted);
}

static void test_values_are_bounded(void **state)
{
	struct bench b;
	char mac[18];

	(void)state;
	begin(&b);
	for (unsigned int i = 0; i < 20; i++) {
		snprintf(mac, sizeof(mac), "02:00:00:00:00:%02x", i);
		see(&b, &(struct frame){.workload = "lb-1",
				.port = "tap2",
				.reason = "spoofed-mac",
				.src_mac = mac});
	}
	tw_rights_settle(&b.rights, b.policy);
	assert_int_equal(b.rights.rows.at[0].lacks.n_macs, TW_GRANT_MACS);
	assert_int_equal(b.rights.rows.at[0].n_beyond, 20 - TW_GRANT_MACS);
	assert_true(tw_rights_is_doubtful(&b.rights.rows.at[0]));
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vlans),
		cmocka_unit_test(test_what_is_granted_is_not_listed),
		cmocka_unit_test(test_virtual_router),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_values_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
