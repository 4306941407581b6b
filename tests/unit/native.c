/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the native fast path around the packet path: set-up, counters, events, failures. */
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "sim/scene.h"
#include "tests/run/draft_text.h"

static const char policy_text[] =
	"version: 1\n"
	"workloads:\n"
	"  web: {port: tap-web, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.11]}\n"
	"  db: {port: tap-db, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.21]}\n"
	"rules:\n"
	"  - {name: web-to-db, from: web, to: db, service: [tcp/80, udp/53-60], action: allow}\n"
	"  - {name: lab, from: 10.1.0.0/16, to: [db, \"!10.0.0.22\"], action: reject}\n";

struct fixture {
	struct tw_policy *policy;
	struct tw_native *native;
};

static int set_up(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));
	struct tw_diags diags = {0};

	assert_int_equal(tw_policy_read(policy_text, strlen(policy_text), &f->policy, &diags), 0);
	assert_int_equal(tw_native_new(&f->native, 1000), 0);
	assert_int_equal(tw_scene_load(f->native, f->policy, 1, &diags), 0);
	tw_diags_done(&diags);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	tw_native_free(f->native);
	tw_policy_free(f->policy);
	test_free(f);
	return 0;
}

static void make_names(struct tw_draft_names *names)
{
	*names = (struct tw_draft_names){
		.from = {true, true, false, {0x52, 0x54, 0, 0, 0, 1}},
		.to = {true, true, false, {0x52, 0x54, 0, 0, 0, 2}},
	};
	tw_addr_parse("10.0.0.11", &names->from.v4);
	tw_addr_parse("10.0.0.21", &names->to.v4);
}

/* A frame from web to db, judged at one of the two ports. */
static void run(struct fixture *f, const char *text, enum tw_dir dir, uint64_t now_ns,
	struct tw_native_result *ret)
{
	static struct tw_draft draft;
	tw_auto_buf struct tw_buf bytes = {0};
	struct tw_native_frame frame = {0};
	struct tw_draft_names names;
	struct tw_err err = {0};
	size_t len;

	make_names(&names);
	if (tw_draft_read(text, &names, &draft, &err))
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(tw_draft_build(&draft, &bytes), 0);
	len = bytes.len;
	assert_non_null(tw_buf_extend(&bytes, 200));
	frame = (struct tw_native_frame){
		.data = (uint8_t *)bytes.data, .len = len, .max = bytes.len};
	tw_native_run(f->native, tw_scene_ifindex(dir), dir, now_ns, &frame, ret);
}

static void expect(struct fixture *f, const char *text, enum tw_dir dir, uint64_t now_ns,
	enum tw_verdict verdict, enum tw_reason reason)
{
	struct tw_native_result result;

	run(f, text, dir, now_ns, &result);
	assert_string_equal(tw_verdict_name(result.outcome.verdict), tw_verdict_name(verdict));
	assert_string_equal(tw_reason_name(result.outcome.reason), tw_reason_name(reason));
}

static void counters_count(void **state)
{
	struct fixture *f = *state;
	const struct tw_port_count *port;
	const struct tw_rule_count *rule;

	expect(f, "udp 1 > 53 / data 58", TW_DIR_OUT, 1000, TW_V_ALLOW, TW_R_POLICY);
	expect(f, "udp 1 > 53 / data 58", TW_DIR_OUT, 2000, TW_V_ALLOW, TW_R_ESTABLISHED);
	expect(f, "udp 1 > 99 / data 8", TW_DIR_OUT, 3000, TW_V_DENY, TW_R_POLICY);
	expect(f, "udp 1 > 53 / data 58", TW_DIR_IN, 4000, TW_V_ALLOW, TW_R_POLICY);
	port = tw_native_port_count(f->native, 1);
	assert_int_equal(port->packets[TW_DIR_OUT], 3);
	assert_int_equal(port->bytes[TW_DIR_OUT], 250);
	assert_int_equal(port->denied_packets[TW_DIR_OUT], 1);
	assert_int_equal(port->denied_bytes[TW_DIR_OUT], 50);
	assert_int_equal(port->packets[TW_DIR_IN], 0);
	rule = tw_native_rule_count(f->native, 0);
	assert_int_equal(rule->hits, 1);
	assert_int_equal(rule->packets, 3);
	assert_int_equal(rule->bytes, 300);
	assert_int_equal(rule->last_ns, 1000);
	assert_int_equal(tw_native_rule_count(f->native, 2)->hits, 1);
	assert_int_equal(tw_native_reason_count(f->native, TW_R_POLICY, TW_DIR_OUT), 2);
	assert_int_equal(tw_native_reason_count(f->native, TW_R_POLICY, TW_DIR_IN), 1);
	assert_int_equal(tw_native_reason_count(f->native, TW_R_ESTABLISHED, TW_DIR_OUT), 1);
	assert_int_equal(tw_native_n_conns(f->native), 1);
	tw_native_forget(f->native);
	assert_int_equal(tw_native_n_conns(f->native), 0);
	expect(f, "udp 1 > 53", TW_DIR_OUT, 5000, TW_V_ALLOW, TW_R_POLICY);
}

struct seen {
	size_t n[TW_EVENT__MAX];
	struct tw_event last;
	struct tw_event closed; /* the last TW_EVENT_CLOSE */
};

static void note_event(void *arg, const struct tw_event *event)
{
	struct seen *seen = arg;

	assert_true(event->kind < TW_EVENT__MAX);
	seen->n[event->kind]++;
	seen->last = *event;
	if (event->kind == TW_EVENT_CLOSE)
		seen->closed = *event;
}

static void events_tell(void **state)
{
	struct tw_addr forged;
	struct fixture *f = *state;
	struct seen seen = {0};

	tw_native_on_event(f->native, note_event, &seen);
	expect(f, "tcp 7 > 80 S", TW_DIR_OUT, 1000, TW_V_ALLOW, TW_R_POLICY);
	assert_int_equal(seen.n[TW_EVENT_OPEN], 1);
	assert_int_equal(seen.last.ifindex, tw_scene_ifindex(0));
	assert_int_equal(seen.last.outcome.reason, TW_R_POLICY);
	assert_int_equal(seen.last.key.proto, 6);
	assert_int_equal(seen.last.tcp_flags, TW_TCP_SYN);
	expect(f, "tcp 7 > 80 S", TW_DIR_OUT, 2000, TW_V_ALLOW, TW_R_ESTABLISHED);
	assert_int_equal(seen.n[TW_EVENT_OPEN], 1);
	expect(f, "tcp 7 > 81 S", TW_DIR_OUT, 3000, TW_V_DENY, TW_R_POLICY);
	assert_int_equal(seen.n[TW_EVENT_DENY], 1);
	assert_int_equal(seen.last.outcome.verdict, TW_V_DENY);
	expect(f, "eth type=0x88cc / data 50", TW_DIR_OUT, 4000, TW_V_DENY, TW_R_NOT_IP);
	assert_int_equal(seen.n[TW_EVENT_DENY], 2);
	assert_int_equal(seen.last.key.proto, 0);
	expect(f, "eth > 52:54:00:00:00:99 / ip / udp 1 > 2", TW_DIR_IN, 5000, TW_V_DENY,
		TW_R_NOT_FOR_PORT);
	assert_int_equal(seen.n[TW_EVENT_DENY], 2);
	/* A forged packet of a guest is reported, although no connection was looked up. */
	expect(f, "ip 10.0.0.77 > / tcp 7 > 80 S", TW_DIR_OUT, 5500, TW_V_DENY,
		TW_R_SPOOFED_ADDRESS);
	assert_int_equal(seen.n[TW_EVENT_DENY], 3);
	tw_addr_parse("10.0.0.77", &forged);
	assert_memory_equal(&seen.last.key.lo, &forged, sizeof(forged));
	assert_int_equal(seen.last.key.lo_port, htons(7));
	assert_int_equal(seen.last.key.hi_port, htons(80));
	assert_int_equal(seen.last.key.proto, 6);
	assert_int_equal(seen.last.conn_flags & TW_CONN_F_ORIGIN_HI, 0);
	tw_native_on_event(f->native, NULL, NULL);
	expect(f, "tcp 7 > 81 S", TW_DIR_OUT, 6000, TW_V_DENY, TW_R_POLICY);
	assert_int_equal(seen.n[TW_EVENT_DENY], 3);
}

/* A connection that takes the place of an ended one, before a sweep does, reports the end of that one. */
static void the_end_of_a_replaced_connection_is_told(void **state)
{
	const uint64_t tick = 1ull << TW_TICK_SHIFT;
	struct fixture *f = *state;
	struct seen seen = {0};

	expect(f, "udp 1 > 53", TW_DIR_OUT, 1000 * tick, TW_V_ALLOW, TW_R_POLICY);
	expect(f, "udp 1 > 53", TW_DIR_IN, 1000 * tick, TW_V_ALLOW, TW_R_POLICY);
	expect(f, "udp 1 > 53", TW_DIR_OUT, 1700 * tick, TW_V_ALLOW, TW_R_ESTABLISHED);
	tw_native_on_event(f->native, note_event, &seen);
	expect(f, "udp 1 > 53", TW_DIR_OUT, 901700 * tick, TW_V_ALLOW, TW_R_POLICY);
	assert_int_equal(seen.n[TW_EVENT_CLOSE], 1);
	assert_int_equal(seen.n[TW_EVENT_OPEN], 1);
	assert_int_equal(seen.closed.port_id, 2);
	assert_int_equal(tw_ports_at(seen.closed.ports, TW_DIR_OUT), 1);
	assert_int_equal(tw_ports_at(seen.closed.ports, TW_DIR_IN), 2);
	assert_int_equal(seen.closed.sums.age, 900700);
	assert_int_equal(seen.closed.sums.idle, 900000);
	tw_native_on_event(f->native, NULL, NULL);
}

static void denial_events_are_limited_and_the_rest_counted(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {0};
	uint64_t now = 10ull * 1000000000;

	tw_native_config(f->native)->event_rate = 2;
	tw_native_config(f->native)->event_burst = 3;
	tw_native_on_event(f->native, note_event, &seen);
	for (int i = 0; i < 10; i++)
		expect(f, "tcp 7 > 81 S", TW_DIR_OUT, now, TW_V_DENY, TW_R_POLICY);
	assert_int_equal(seen.n[TW_EVENT_DENY], 3);
	assert_int_equal(tw_native_port_count(f->native, 1)->events_limited, 7);
	expect(f, "tcp 8 > 80 S", TW_DIR_OUT, now, TW_V_ALLOW, TW_R_POLICY);
	assert_int_equal(seen.n[TW_EVENT_OPEN], 1);
	now += 1100000000;
	for (int i = 0; i < 10; i++)
		expect(f, "tcp 7 > 81 S", TW_DIR_OUT, now, TW_V_DENY, TW_R_POLICY);
	assert_int_equal(seen.n[TW_EVENT_DENY], 5);
	assert_int_equal(tw_native_port_count(f->native, 1)->events_limited, 15);
}

/* A port entry without an image denies everything, like a port without an entry. */
static void a_port_without_image_is_shut(void **state)
{
	struct fixture *f = *state;
	struct tw_port *port = tw_native_port(f->native, tw_scene_ifindex(0), 1);

	assert_non_null(port);
	port->image = 0;
	expect(f, "tcp 7 > 80 S", TW_DIR_OUT, 1000, TW_V_DENY, TW_R_NO_IMAGE);
	expect(f, "arp request 10.0.0.11 > 10.0.0.21", TW_DIR_OUT, 2000, TW_V_DENY, TW_R_NO_IMAGE);
	port->image = TW_IMAGES_MAX - 1;
	expect(f, "tcp 7 > 80 S", TW_DIR_OUT, 3000, TW_V_DENY, TW_R_BAD_IMAGE);
	assert_int_equal(tw_native_remove_port(f->native, tw_scene_ifindex(0), 1), 0);
	expect(f, "tcp 7 > 80 S", TW_DIR_OUT, 4000, TW_V_DENY, TW_R_NO_IMAGE);
}

/* A frame from an unclaimed port with a workload's MAC is denied, and reported if the workload has
 * no port. */
static void claims_are_told(void **state)
{
	static const uint8_t wanted[6] = {0x52, 0x54, 0, 0, 0, 1};
	struct fixture *f = *state;
	struct tw_port *port = tw_native_port(f->native, tw_scene_ifindex(0), 1);
	struct seen seen = {0};

	assert_non_null(port);
	port->flags = TW_PORT_F_UNCLAIMED | TW_PORT_F_OPEN | TW_PORT_F_WATCH;
	tw_native_on_event(f->native, note_event, &seen);
	expect(f, "udp 1 > 2", TW_DIR_OUT, 1000, TW_V_ALLOW, TW_R_UNCLAIMED);
	assert_int_equal(seen.n[TW_EVENT_CLAIM], 0);
	assert_int_equal(tw_native_add_mac(f->native, wanted, TW_MAC_SOUGHT), 0);
	expect(f, "udp 1 > 2", TW_DIR_OUT, 2000, TW_V_DENY, TW_R_WORKLOAD_MAC);
	assert_int_equal(seen.n[TW_EVENT_CLAIM], 1);
	assert_int_equal(tw_native_add_mac(f->native, wanted, TW_MAC_FOUND), 0);
	expect(f, "udp 1 > 2", TW_DIR_OUT, 2500, TW_V_DENY, TW_R_WORKLOAD_MAC);
	assert_int_equal(seen.n[TW_EVENT_CLAIM], 1);
	assert_memory_equal(seen.last.frame.src_mac, wanted, 6);
	assert_int_equal(seen.last.ifindex, tw_scene_ifindex(0));
	expect(f, "eth 52:54:00:00:00:03 > / ip / udp 1 > 2", TW_DIR_OUT, 3000, TW_V_ALLOW,
		TW_R_UNCLAIMED);
	expect(f, "eth 52:54:00:00:01:01 > / ip / udp 1 > 2", TW_DIR_OUT, 3000, TW_V_ALLOW,
		TW_R_UNCLAIMED);
	port->flags = TW_PORT_F_UNCLAIMED | TW_PORT_F_OPEN;
	expect(f, "udp 1 > 2", TW_DIR_OUT, 4000, TW_V_ALLOW, TW_R_UNCLAIMED);
}

static struct tw_image *compile(const struct tw_policy *policy)
{
	struct tw_diags diags = {0};
	struct tw_image *image = NULL;

	assert_int_equal(
		tw_policy_compile(policy, tw_policy_vnic(policy, 0), NULL, &image, &diags), 0);
	tw_diags_done(&diags);
	return image;
}

/* Corrupts every `every`th word of a valid image, one at a time, in several ways. The path must not
 * crash, read outside the image (the sanitizers check that), or pass a packet that it cannot
 * decide. */
static void break_words(struct fixture *f, struct tw_image *image, size_t every)
{
	static const uint32_t values[] = {0, 1, 0x7fffffff, 0xffffffff, 1u << 17};
	struct tw_native_result result;
	size_t n_bad = 0;

	for (size_t w = 0; w < image->n_words; w += every) {
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
			uint32_t before = image->words[w];

			image->words[w] = values[v];
			assert_int_equal(
				tw_native_put_image(f->native, 1 + 2, image->words, image->n_words),
				0);
			tw_native_forget(f->native);
			run(f, "udp 1 > 53", TW_DIR_OUT, 1000, &result);
			n_bad += result.outcome.reason == TW_R_BAD_IMAGE;
			if (result.outcome.reason == TW_R_BAD_IMAGE)
				assert_int_equal(result.outcome.verdict, TW_V_DENY);
			image->words[w] = before;
		}
	}
	assert_true(n_bad > 10);
}

static void broken_images_decide_nothing_they_should_not(void **state)
{
	struct fixture *f = *state;
	struct tw_image *image = compile(f->policy);
	struct tw_native_result result;

	break_words(f, image, 1);
	for (size_t n = 0; n < image->n_words; n++) {
		assert_int_equal(tw_native_put_image(f->native, 1 + 2, image->words, n), 0);
		tw_native_forget(f->native);
		run(f, "tcp 1 > 80 S", TW_DIR_OUT, 1000, &result);
		assert_int_equal(result.outcome.tracked, result.outcome.verdict == TW_V_ALLOW);
	}
	tw_image_free(image);
}

/* Data after the first chunk is read in a different way. */
static void broken_large_images_do_neither(void **state)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	tw_auto_buf struct tw_buf text = {0};
	struct tw_diags diags = {0};
	struct tw_image *image;

	tw_buf_adds(&text, policy_text);
	for (unsigned int i = 0; i < 120; i++)
		tw_buf_addf(&text,
			"  - {from: web, to: [10.0.%u.0/25, 2001:db8:%x::/48], service: [udp/%u, {proto: udp, source-port: %u, port: %u}], action: allow}\n",
			i, i * 7, 40 + i * 3, 2000 + i * 9, 1000 + i * 5);
	assert_int_equal(tw_policy_read(text.data, text.len, &policy, &diags), 0);
	tw_diags_done(&diags);
	image = compile(policy);
	assert_true(image->n_words > 2 * TW_IMAGE_CHUNK_WORDS);
	break_words(*state, image, 5);
	tw_image_free(image);
}

static void every_lack_of_memory_is_survived(void **state)
{
	struct tw_native *native = NULL;
	struct tw_diags diags = {0};
	struct fixture *f = *state;
	size_t n = 0;
	int failed;

	do {
		tw_alloc_fail_after(++n);
		failed = tw_native_new(&native, 1000);
		tw_alloc_fail_after(0);
		assert_true(failed == 0 || failed == -ENOMEM);
	} while (failed);
	assert_true(n > 3);
	n = 0;
	do {
		tw_alloc_fail_after(++n);
		failed = tw_scene_load(native, f->policy, 1, &diags);
		tw_alloc_fail_after(0);
		assert_true(failed == 0 || failed == -ENOMEM);
	} while (failed && n < 10000);
	assert_int_equal(failed, 0);
	assert_true(n > 3);
	tw_native_free(native);
	tw_diags_done(&diags);
}

/* Without memory for a record the frame is refused, and the next frame finds everything
 * unchanged. */
static void frames_survive_lack_of_memory(void **state)
{
	struct fixture *f = *state;
	struct tw_native_result result;

	for (size_t n = 1; n < 8; n++) {
		static struct tw_draft draft;
		tw_auto_buf struct tw_buf bytes = {0};
		struct tw_native_frame frame;
		struct tw_draft_names names;
		struct tw_err err = {0};

		make_names(&names);
		assert_int_equal(tw_draft_read("udp 9 > 53", &names, &draft, &err), 0);
		assert_int_equal(tw_draft_build(&draft, &bytes), 0);
		frame = (struct tw_native_frame){
			.data = (uint8_t *)bytes.data, .len = bytes.len, .max = bytes.len};
		tw_native_forget(f->native);
		tw_alloc_fail_after(n);
		tw_native_run(f->native, tw_scene_ifindex(0), TW_DIR_OUT, 1000, &frame, &result);
		tw_alloc_fail_after(0);
		if (result.outcome.verdict == TW_V_ALLOW)
			assert_int_equal(tw_native_n_conns(f->native), 1);
		else
			assert_int_equal(tw_native_n_conns(f->native), 0);
	}
	expect(f, "udp 9 > 53", TW_DIR_OUT, 2000, TW_V_ALLOW, TW_R_ESTABLISHED);
}

/* A flow of each protocol before and after the wrap of the 32-bit tick. */
static void ticks_wrap(void **state)
{
	struct fixture *f = *state;
	const uint64_t wrap = 1ull << (32 + TW_TICK_SHIFT), s = 1000000000;

	for (uint64_t before = 1; before < 40; before += 3) {
		uint64_t now = wrap - before * s;

		tw_native_forget(f->native);
		expect(f, "udp 9 > 53", TW_DIR_OUT, now, TW_V_ALLOW, TW_R_POLICY);
		expect(f, "udp 9 > 53", TW_DIR_OUT, now + 29 * s, TW_V_ALLOW, TW_R_ESTABLISHED);
		expect(f, "udp 9 > 53", TW_DIR_OUT, now + 60 * s, TW_V_ALLOW, TW_R_POLICY);
		expect(f, "tcp 9 > 80 S", TW_DIR_OUT, now, TW_V_ALLOW, TW_R_POLICY);
		expect(f, "tcp 9 > 80 S", TW_DIR_OUT, now + 119 * s, TW_V_ALLOW, TW_R_ESTABLISHED);
		expect(f, "tcp 9 > 80 S", TW_DIR_OUT, now + 240 * s, TW_V_ALLOW, TW_R_POLICY);
	}
}

static void fragments_are_forgotten_too(void **state)
{
	struct fixture *f = *state;

	expect(f, "ip id=5 mf / udp 9 > 53 len=900 / data 64", TW_DIR_OUT, 1000, TW_V_ALLOW,
		TW_R_POLICY);
	expect(f, "ip id=5 off=72 proto=udp / data 8", TW_DIR_OUT, 2000, TW_V_ALLOW,
		TW_R_ESTABLISHED);
	tw_native_forget(f->native);
	expect(f, "ip id=5 off=72 proto=udp / data 8", TW_DIR_OUT, 3000, TW_V_DENY,
		TW_R_FRAG_ORPHAN);
}

/* A guest that starts any number of datagrams displaces no datagram of another port. */
static void many_fragments_do_not_fill_the_host(void **state)
{
	struct fixture *f = *state;
	char text[100];

	expect(f, "ip id=7 mf / udp 9 > 53 len=900 / data 64", TW_DIR_IN, 1000, TW_V_ALLOW,
		TW_R_POLICY);
	for (int i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "ip id=%d mf / udp 9 > 53 len=900 / data 64", i);
		expect(f, text, TW_DIR_OUT, 2000 + (uint64_t)i, TW_V_ALLOW,
			i ? TW_R_ESTABLISHED : TW_R_POLICY);
	}
	expect(f, "ip id=19999 off=72 proto=udp / data 8", TW_DIR_OUT, 30000, TW_V_ALLOW,
		TW_R_ESTABLISHED);
	expect(f, "ip id=1 off=72 proto=udp / data 8", TW_DIR_OUT, 30000, TW_V_DENY,
		TW_R_FRAG_ORPHAN);
	expect(f, "ip id=7 off=72 proto=udp / data 8", TW_DIR_IN, 30000, TW_V_ALLOW,
		TW_R_ESTABLISHED);
	assert_int_equal(tw_native_n_conns(f->native), 1);
}

static void stages_are_told(void **state)
{
	struct fixture *f = *state;
	struct tw_native_result result;

	run(f, "udp 9 > 53", TW_DIR_OUT, 1000, &result);
	for (int i = 0; i < TW_STAGE__MAX; i++)
		assert_int_equal(result.stage_ran[i], 1);
	run(f, "udp 9 > 53", TW_DIR_OUT, 2000, &result);
	assert_int_equal(result.stage_ran[TW_STAGE_CLASSIFY], 0);
	run(f, "eth type=0x88cc / data 9", TW_DIR_OUT, 3000, &result);
	assert_int_equal(result.stage_ran[TW_STAGE_PARSE], 1);
	assert_int_equal(result.stage_ran[TW_STAGE_GUARD], 0);
	assert_int_equal(result.stage_ran[TW_STAGE_REPORT], 1);
}

struct shown {
	size_t n;
	struct tw_captured last;
	uint8_t data[64];
};

static void note_frame(void *arg, const struct tw_captured *head, const uint8_t *data)
{
	struct shown *shown = arg;

	shown->n++;
	shown->last = *head;
	memcpy(shown->data, data,
		head->cap_len < sizeof(shown->data) ? head->cap_len : sizeof(shown->data));
}

static void captures_show_frames_as_judged(void **state)
{
	const struct tw_capture_want whole = {.snap_len = 1000};
	const struct tw_capture_want refused = {.snap_len = 20, .flags = TW_CAPTURE_F_REFUSED};
	const uint32_t web = tw_scene_ifindex(0), db = tw_scene_ifindex(1);
	struct fixture *f = *state;
	struct shown shown = {0};

	tw_native_on_capture(f->native, note_frame, &shown);
	expect(f, "udp 1 > 53 / data 58", TW_DIR_OUT, 1000, TW_V_ALLOW, TW_R_POLICY);
	assert_int_equal(shown.n, 0);
	assert_int_equal(tw_native_capture(f->native, web, &whole), 0);
	expect(f, "udp 1 > 53 / data 58", TW_DIR_OUT, 2000, TW_V_ALLOW, TW_R_ESTABLISHED);
	assert_int_equal(shown.n, 1);
	assert_int_equal(shown.last.time_ns, 2000);
	assert_int_equal(shown.last.ifindex, web);
	assert_int_equal(shown.last.port_id, 1);
	assert_int_equal(shown.last.len, 100);
	assert_int_equal(shown.last.cap_len, 100);
	assert_int_equal(shown.last.outcome.reason, TW_R_ESTABLISHED);
	assert_int_equal(shown.last.outcome.dir, TW_DIR_OUT);
	expect(f, "udp 1 > 53 / data 58", TW_DIR_IN, 3000, TW_V_ALLOW, TW_R_POLICY);
	assert_int_equal(shown.n, 1);

	assert_int_equal(tw_native_capture(f->native, db, &refused), 0);
	expect(f, "udp 1 > 53 / data 58", TW_DIR_IN, 4000, TW_V_ALLOW, TW_R_ESTABLISHED);
	assert_int_equal(shown.n, 1);
	expect(f, "eth > 52:54:00:00:00:99 / ip / udp 1 > 2", TW_DIR_IN, 5000, TW_V_DENY,
		TW_R_NOT_FOR_PORT);
	assert_int_equal(shown.n, 2);
	assert_int_equal(shown.last.ifindex, db);
	assert_int_equal(shown.last.cap_len, 20);
	assert_true(shown.last.len > 20);

	/* A rejected frame is captured before the refusal overwrites it. */
	expect(f, "ip 10.1.0.7 > / tcp 7 > 99 S", TW_DIR_IN, 6000, TW_V_REJECT, TW_R_POLICY);
	assert_int_equal(shown.n, 3);
	assert_memory_equal(shown.data, "\x52\x54\0\0\0\x02", 6);

	tw_native_on_capture(f->native, NULL, NULL);
	expect(f, "udp 1 > 99", TW_DIR_IN, 7000, TW_V_DENY, TW_R_POLICY);
	assert_int_equal(shown.n, 3);
	assert_int_equal(tw_native_capture(f->native, web, NULL), 0);
	assert_int_equal(tw_native_capture(f->native, web, NULL), -ENOENT);
}

/* A frame that is cut through is captured at both ends when it is judged, and not again on arrival.
 * Frames at a shut port and malformed frames are captured too. */
static void captures_miss_nothing_and_nothing_twice(void **state)
{
	const struct tw_capture_want whole = {.snap_len = 1000};
	const struct tw_local_key key = {
		.mac = {0x52, 0x54, 0, 0, 0, 2}, .network = TW_SCENE_NETWORK};
	const struct tw_local local = {.ifindex = tw_scene_ifindex(1), .len_max = 1514};
	struct fixture *f = *state;
	struct tw_native_result result;
	struct shown shown = {0};
	struct seen seen = {0};

	for (size_t i = 0; i < 2; i++) {
		struct tw_port *port = tw_native_port(f->native, tw_scene_ifindex(i), 1);

		port->flags |= TW_PORT_F_CUT;
		port->len_max = 1514;
		assert_int_equal(tw_native_capture(f->native, tw_scene_ifindex(i), &whole), 0);
	}
	assert_int_equal(tw_native_add_local(f->native, &key, &local), 0);
	tw_native_config(f->native)->cut_until_ns = UINT64_MAX;
	tw_native_on_capture(f->native, note_frame, &shown);
	tw_native_on_event(f->native, note_event, &seen);
	run(f, "udp 1 > 53", TW_DIR_OUT, 1000, &result);
	assert_int_equal(result.cut_ifindex, tw_scene_ifindex(1));
	/* The connection opens at both ends with a single event. */
	assert_int_equal(seen.n[TW_EVENT_OPEN], 1);
	assert_int_equal(seen.last.ifindex, tw_scene_ifindex(0));
	assert_int_equal(seen.last.port_id, 1);
	assert_int_equal(seen.last.frame.far_ifindex, tw_scene_ifindex(1));
	assert_int_equal(seen.last.frame.far_port_id, 2);
	assert_int_equal(seen.last.frame.far_decision, result.outcome.gate[TW_DIR_IN] & 0xffffffff);
	tw_native_on_event(f->native, NULL, NULL);
	assert_int_equal(shown.n, 2);
	assert_int_equal(shown.last.ifindex, tw_scene_ifindex(1));
	assert_int_equal(shown.last.port_id, 2);
	assert_int_equal(shown.last.outcome.dir, TW_DIR_IN);
	assert_int_equal(tw_decision_verdict(shown.last.outcome.decision), TW_V_ALLOW);
	assert_int_equal(result.outcome.dir, TW_DIR_OUT);
	expect(f, "eth type=0x88cc / data 50", TW_DIR_OUT, 2000, TW_V_DENY, TW_R_NOT_IP);
	assert_int_equal(shown.n, 3);
	expect(f, "ip 10.0.0.77 > / udp 1 > 53", TW_DIR_OUT, 3000, TW_V_DENY, TW_R_SPOOFED_ADDRESS);
	assert_int_equal(shown.n, 4);
	assert_int_equal(tw_native_remove_port(f->native, tw_scene_ifindex(0), 1), 0);
	expect(f, "udp 1 > 53", TW_DIR_OUT, 4000, TW_V_DENY, TW_R_NO_IMAGE);
	assert_int_equal(shown.n, 5);
	assert_int_equal(shown.last.port_id, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counters_count),
		TEST(events_tell),
		TEST(the_end_of_a_replaced_connection_is_told),
		TEST(denial_events_are_limited_and_the_rest_counted),
		TEST(a_port_without_image_is_shut),
		TEST(claims_are_told),
		TEST(broken_images_decide_nothing_they_should_not),
		TEST(broken_large_images_do_neither),
		TEST(every_lack_of_memory_is_survived),
		TEST(frames_survive_lack_of_memory),
		TEST(ticks_wrap),
		TEST(fragments_are_forgotten_too),
		TEST(many_fragments_do_not_fill_the_host),
		TEST(stages_are_told),
		TEST(captures_show_frames_as_judged),
		TEST(captures_miss_nothing_and_nothing_twice),
	};

	return cmocka_run_group_tests_name("native", tests, NULL, NULL);
}
