/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer: any frames, in any order and at any time, at any port of the native fast path. No crash,
 * no verdict without a reason, no malformed refusal, no table beyond its size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "sim/scene.h"
#include "tests/fuzz/records.h"
#include "tests/run/reply.h"

#define MAX_CONNS   256
#define ROOM	    70000
#define N_PORTS	    5
#define FIRST_EPOCH 2
#define START_NS    4503500000000000ull /* shortly before the tick wraps */

static const char *const policies[] = {
	"version: 1\n"
	"workloads:\n"
	"  web: {port: tap-web, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.11, \"fd00::11\", "
	"dhcp], vlans: [1-4094]}\n"
	"  db: {port: tap-db, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.21, \"fd00::21\"], "
	"vlans: [1-9], macs: [\"00:00:5e:00:01:01\"]}\n"
	"  gw: {port: tap-gw, mac: \"52:54:00:00:00:03\", addresses: [10.0.0.0/8, \"fd00::/8\"], "
	"may: [router, dhcp-server, {ethertypes: [0x8863, 0x8864]}]}\n"
	"  many: {port: tap-many, mac: \"52:54:00:00:00:0a\", addresses: [10.0.0.1, 10.0.0.2, "
	"10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6], limits: {packets: 1000/s, broadcast: 9}}\n"
	"  box: {port: tap-box, addresses: [any]}\n"
	"rules:\n"
	"  - {name: web-to-db, from: web, to: db, service: [tcp/5432, udp/53], action: allow}\n"
	"  - {name: no-telnet, from: any, to: any, service: [tcp/23, udp/23], action: reject}\n"
	"  - {name: ping, from: any, to: any, service: [icmp/8, icmp6/128], action: allow}\n"
	"  - {name: ask, from: any, to: any, service: tcp/8080, action: ask}\n"
	"  - {name: low, from: any, to: any, service: [tcp/1-1023, udp/1-1023], action: allow}\n"
	"default: deny\n",
	"version: 1\n"
	"workloads:\n"
	"  web: {port: tap-web, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.11, \"fd00::11\", "
	"dhcp]}\n"
	"  db: {port: tap-db, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.21, \"fd00::21\"]}\n"
	"  gw: {port: tap-gw, mac: \"52:54:00:00:00:03\", addresses: [192.168.0.0/16]}\n"
	"  many: {port: tap-many, mac: \"52:54:00:00:00:0a\", addresses: [10.0.0.1], "
	"limits: {new-connections: 5/s}}\n"
	"  box: {port: tap-box, addresses: [any]}\n"
	"rules:\n"
	"  - {name: udp, from: web, to: any, service: udp, action: allow}\n"
	"  - {name: no, from: any, to: any, action: reject}\n"
	"default: allow\n",
};

static struct tw_native *native;
static uint8_t room[ROOM];

static void must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "fuzz_frames: %s\n", what);
	abort();
}

/* Both policies stay loaded: one for even epochs, one for odd epochs. */
static void load(uint32_t epoch)
{
	const char *text = policies[epoch & 1];
	struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};

	must(!tw_policy_read(text, strlen(text), &policy, &diags), "the policies are valid");
	must(!tw_scene_load(native, policy, epoch, &diags), "the policies load");
	tw_diags_done(&diags);
	tw_policy_free(policy);
	for (uint32_t i = 0; i < N_PORTS; i++) {
		struct tw_port *port = tw_native_port(native, tw_scene_ifindex(i), epoch);

		must(port != NULL, "ports can be added");
		port->flags |= TW_PORT_F_CUT;
	}
}

static void set_up(void)
{
	must(!tw_native_new(&native, MAX_CONNS), "there is memory");
	tw_native_config(native)->cut_until_ns = UINT64_MAX;
	load(FIRST_EPOCH);
	load(FIRST_EPOCH + 1);
	for (uint32_t i = 0; i < 2; i++) {
		struct tw_local_key key = {
			{0x52, 0x54, 0, 0, 0, (uint8_t)(1 + i)}, TW_SCENE_NETWORK, 0, 0};
		struct tw_local local = {tw_scene_ifindex(i), 1514};

		must(!tw_native_add_local(native, &key, &local), "MACs can be added");
	}
}

/* Reads the leases, as the agent does. A learned address must be one that a host can have. */
static void know_leases(void)
{
	struct tw_leases *leases = tw_native_leases(native, 1);

	must(leases != NULL, "there is memory for leases");
	for (size_t i = 0; i < 2 * (size_t)TW_LEASES_MAX; i++) {
		struct tw_lease *lease = &leases->at[i / TW_LEASES_MAX][i % TW_LEASES_MAX];
		bool v4 = !memcmp(lease->addr.b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

		lease->known = lease->serial;
		must(!lease->serial || v4 == (i < TW_LEASES_MAX), "leases are stored by family");
		must(!lease->serial || lease->addr.b[0] != 0xff, "no group address is leased");
	}
	for (size_t i = 0; i < TW_SLAAC_MAX; i++) {
		struct tw_lease *lease = &leases->formed[i];

		lease->known = lease->serial;
		must(!lease->serial || lease->addr.d[0], "no IPv4 address is formed");
		must(!lease->serial || lease->addr.b[0] != 0xff, "no group address is formed");
	}
}

static void check(const struct tw_native_frame *frame, const struct tw_native_result *result,
	const uint8_t *sent, size_t sent_len, enum tw_dir dir)
{
	const struct tw_outcome *o = &result->outcome;
	tw_auto_buf struct tw_buf text = {0};
	struct tw_err err = {0};

	must(o->dir == dir, "the outcome's direction is the frame's");
	must(o->reason > TW_R_NONE && o->reason < TW_R__MAX, "every frame gets a reason");
	must(o->verdict >= TW_V_ALLOW && o->verdict <= TW_V_REJECT, "every frame gets a verdict");
	must(!result->replied || o->verdict == TW_V_REJECT, "only a rejected frame is answered");
	must(!result->cut_ifindex || o->verdict == TW_V_ALLOW,
		"only an allowed frame is cut through");
	must(tw_native_n_conns(native) <= MAX_CONNS, "the table does not exceed its size");
	know_leases();
	if (!result->replied)
		return;
	must(result->reply_len <= frame->max, "a refusal fits its buffer");
	if (tw_reply_check(sent, sent_len, frame->gso_size != 0, frame->data, result->reply_len,
		    &text, &err)) {
		fprintf(stderr, "%s\n", err.text);
		must(false, "a refusal is well-formed");
	}
}

/* Judges one frame at one port; true if it passes. */
static bool judge(uint32_t port, enum tw_dir dir, uint8_t head, const uint8_t *data, size_t len,
	uint64_t now_ns, struct tw_beside *beside)
{
	struct tw_native_frame frame = {.data = room,
		.len = len,
		.max = len + 200,
		.has_vlan = head & TW_RECORD_TAG,
		.vlan = 5,
		.gso_size = head & TW_RECORD_SUPER ? 1000 : 0,
		.beside = *beside};
	struct tw_native_result result;

	memcpy(room, data, len);
	tw_native_run(native, tw_scene_ifindex(port), dir, now_ns, &frame, &result);
	check(&frame, &result, data, len, dir);
	*beside = frame.beside;
	return result.outcome.verdict == TW_V_ALLOW;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t now_ns = START_NS;
	struct tw_beside beside;

	if (!native)
		set_up();
	tw_native_forget(native);
	tw_native_config(native)->epoch = FIRST_EPOCH;
	for (int n = 0; n < TW_RECORDS_MAX && size > TW_RECORD_HEAD; n++) {
		uint8_t head = data[0];
		size_t len = (size_t)(data[2] << 8 | data[3]);
		uint32_t port = (head & TW_RECORD_PORT) % N_PORTS;
		enum tw_dir dir = head & TW_RECORD_IN ? TW_DIR_IN : TW_DIR_OUT;

		now_ns += (uint64_t)(data[1] & 63) << (data[1] >> 6) * 8 << 20;
		data += TW_RECORD_HEAD;
		size -= TW_RECORD_HEAD;
		if (len > size)
			len = size;
		if (head & TW_RECORD_POLICY)
			tw_native_config(native)->epoch++; /* alternates between the two policies */
		beside = (struct tw_beside){0};
		if (judge(port, dir, head, data, len, now_ns, &beside) && head & TW_RECORD_ON)
			judge((port + 1) % N_PORTS, TW_DIR_IN, head, data, len, now_ns, &beside);
		data += len;
		size -= len;
	}
	return 0;
}
