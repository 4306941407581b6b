/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/diff/frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "tests/run/draft.h"

#define N_PORTS	     5
#define N_SESSIONS   6
#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

/* The end behind each port of the policies below; the last two are a router and an unguarded
 * port. */
static const struct {
	uint8_t mac;
	const char *v4;
	const char *v6;
} hosts[N_PORTS] = {
	{1, "10.0.0.1", "fd00::1"},
	{2, "10.0.0.2", "fd00::2"},
	{3, "10.0.0.3", "fd00::3"},
	{4, "10.0.0.4", "fd00::4"},
	{5, "10.0.0.5", "fd00::5"},
};

static const char workloads[] =
	"version: 1\n"
	"workloads:\n"
	"  a: {port: tap-a, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.1, \"fd00::1\"], "
	"vlans: [1-2], macs: [\"00:00:5e:00:01:01\"]}\n"
	"  b: {port: tap-b, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.2, \"fd00::2\"], "
	"vlans: [1-3], shared: [10.0.0.9, \"fd00::9\"]}\n"
	"  c: {port: tap-c, mac: \"52:54:00:00:00:03\", addresses: [10.0.0.3, 10.0.1.3, 10.0.2.3, "
	"10.0.3.3, 10.0.4.3, \"fd00::3\"], vlans: [2], shared: [10.0.0.9, \"fd00::9\"], "
	"macs: [\"00:00:5e:00:01:01\"]}\n"
	"  r: {port: tap-r, mac: \"52:54:00:00:00:04\", addresses: [10.0.0.4, 192.168.0.0/16, "
	"\"2001:db8::/32\", \"fd00::4\"], vlans: [1-3], "
	"may: [router, dhcp-server, {ethertypes: [0x8863]}]}\n"
	"  x: {port: tap-x, addresses: [any]}\n"
	"rules:\n";

static const char *const rule_lines[] = {
	"{from: a, to: any, action: allow, at: from}",
	"{from: any, to: b, service: tcp/80-443, action: allow}",
	"{from: any, to: any, service: udp/53, action: allow}",
	"{from: any, to: any, service: [icmp/8, icmp6/128], action: allow}",
	"{from: any, to: c, service: tcp/22, action: reject}",
	"{from: [c, r], to: any, action: allow, log: true}",
	"{from: any, to: 10.0.0.0/24, service: udp/1000-2000, action: reject, at: to}",
	"{from: any, to: any, service: tcp/8080, action: ask}",
	"{from: 192.168.0.0/16, to: any, action: deny}",
	"{from: any, to: any, service: proto/47, action: allow}",
	"{from: any, to: [224.0.0.0/4, \"ff00::/8\", 255.255.255.255], action: allow}",
	"{from: any, to: any, service: tcp, action: allow}",
	"{from: any, to: any, action: allow}",
	"{from: any, to: any, action: reject}",
};

/* One conversation, whose frames come in any order and shape. */
struct session {
	int a;
	int b;
	bool v6;
	uint8_t proto;
	uint16_t sport;
	uint16_t dport;
	uint16_t vlan;
	bool foreign_a; /* `a` uses an address that is not its own */
	unsigned int step;
	uint32_t id;
	uint32_t next[2]; /* next sequence numbers of `a` and `b` */
};

struct maker {
	struct tw_random random;
	struct tw_seq *seq;
	struct session sessions[N_SESSIONS];
	struct tw_draft draft;
	struct tw_buf bytes;
	uint64_t now_ns;
};

static uint32_t below(struct maker *m, uint32_t n)
{
	return tw_random_below(&m->random, n);
}

static bool one_in(struct maker *m, uint32_t n)
{
	return below(m, n) == 0;
}

/* ---- policies ---- */

static void make_policy(struct maker *m, struct tw_buf *out)
{
	size_t n = 1 + below(m, 6);

	tw_buf_adds(out, workloads);
	for (size_t i = 0; i < n; i++)
		tw_buf_addf(out, "  - %s\n", rule_lines[below(m, COUNT(rule_lines))]);
	tw_buf_addf(out, "default: %s\n", one_in(m, 2) ? "deny" : "allow");
}

/* ---- layers ---- */

static void make_end(int port, struct tw_draft_end *ret)
{
	*ret = (struct tw_draft_end){.has_mac = true,
		.has_v4 = true,
		.has_v6 = true,
		.mac = {0x52, 0x54, 0, 0, 0, hosts[port].mac}};
	tw_addr_parse(hosts[port].v4, &ret->v4);
	tw_addr_parse(hosts[port].v6, &ret->v6);
}

static void set_chance(struct maker *m, struct tw_layer *layer, enum tw_field field, uint32_t value,
	uint32_t one_of)
{
	if (layer && one_in(m, one_of))
		tw_layer_set(layer, field, value);
}

static void random_address(struct maker *m, bool v6, struct tw_addr *ret)
{
	static const char *const v4s[] = {"10.0.0.1", "10.0.0.2", "10.0.1.3", "192.168.7.7",
		"8.8.8.8", "0.0.0.0", "255.255.255.255", "224.0.0.251", "127.0.0.1", "10.0.4.3"};
	static const char *const v6s[] = {"fd00::1", "fd00::2", "2001:db8::7", "fe80::1", "ff02::1",
		"::", "::1", "::ffff:10.0.0.1", "ff02::1:ff00:2", "2001:4860::8888"};

	tw_addr_parse(v6 ? v6s[below(m, COUNT(v6s))] : v4s[below(m, COUNT(v4s))], ret);
}

static void add_eth(struct maker *m, const struct session *s)
{
	struct tw_layer *eth = tw_draft_add(&m->draft, TW_L_ETH);
	const uint8_t odd[6] = {(uint8_t)below(m, 256), 0x54, 0, 0, 0, (uint8_t)below(m, 6)};

	if (eth && one_in(m, 40))
		tw_layer_set_mac(eth, one_in(m, 2) ? TW_F_MAC_A : TW_F_MAC_B, odd);
	set_chance(m, eth, TW_F_TYPE, below(m, 65536), 200);
	if (s->vlan || one_in(m, 60))
		set_chance(m, tw_draft_add(&m->draft, TW_L_VLAN), TW_F_ID, s->vlan, 1);
	if (one_in(m, 100))
		set_chance(m, tw_draft_add(&m->draft, TW_L_VLAN), TW_F_ID, below(m, 8), 1);
	if (one_in(m, 80))
		tw_draft_add(&m->draft, one_in(m, 4) ? TW_L_LLC : TW_L_SNAP);
}

static void add_ip(struct maker *m, const struct session *s)
{
	struct tw_layer *ip = tw_draft_add(&m->draft, s->v6 ? TW_L_IP6 : TW_L_IP);
	static const uint8_t options[] = {0x94, 4, 0, 0, 1, 1, 1, 0};
	struct tw_addr addr;

	if (!ip)
		return;
	if (s->foreign_a || one_in(m, 60)) {
		random_address(m, s->v6, &addr);
		tw_layer_set_addr(ip, one_in(m, 2) ? TW_F_A : TW_F_B, &addr);
	}
	set_chance(m, ip, TW_F_LEN, below(m, 200), 80);
	set_chance(m, ip, TW_F_VERSION, below(m, 16), 150);
	set_chance(m, ip, TW_F_TTL, one_in(m, 2) ? 255 : 1, 40);
	if (!s->v6) {
		set_chance(m, ip, TW_F_IHL, below(m, 16), 100);
		set_chance(m, ip, TW_F_DF, 1, 3);
		if (one_in(m, 40))
			tw_layer_set_blob(&m->draft, ip, options, 4 + 4 * below(m, 2));
	}
	for (uint32_t n = one_in(m, 6) ? below(m, 9) : 0; s->v6 && n; n--) {
		static const uint8_t kinds[] = {0, 60, 43, 60, 60};
		struct tw_layer *ext = tw_draft_add(&m->draft, one_in(m, 20) ? TW_L_AH : TW_L_EXT);

		set_chance(m, ext, TW_F_KIND, kinds[below(m, COUNT(kinds))], 1);
		set_chance(m, ext, TW_F_TYPE, below(m, 5), 1);
		set_chance(m, ext, TW_F_SIZE, 8u << below(m, 6), 5);
		set_chance(m, ext, TW_F_LEN, below(m, 30), 30);
	}
}

/* Turns the innermost IP layer into a fragment; true if it is not the first one. */
static bool add_fragment(struct maker *m, struct session *s)
{
	struct tw_layer *layer = &m->draft.layer[m->draft.n_layers - 1];
	bool later = one_in(m, 2);

	if (!one_in(m, 8))
		return false;
	if (s->v6)
		layer = tw_draft_add(&m->draft, TW_L_FRAG);
	if (!layer || (!s->v6 && layer->kind != TW_L_IP))
		return false;
	tw_layer_set(layer, TW_F_ID, one_in(m, 8) ? below(m, 4) : s->id);
	if (later)
		tw_layer_set(layer, TW_F_OFF, 8 * (1 + below(m, one_in(m, 9) ? 8192 : 4)));
	if (!later || one_in(m, 2))
		tw_layer_set(layer, TW_F_MF, 1);
	if (later)
		tw_layer_set(layer, TW_F_PROTO, s->proto);
	return later;
}

static uint32_t tcp_flags(struct maker *m, struct session *s, bool reply)
{
	static const uint8_t honest[2][6] = {
		{TW_TCP_SYN, TW_TCP_ACK, TW_TCP_ACK | TW_TCP_PSH, TW_TCP_ACK,
			TW_TCP_FIN | TW_TCP_ACK, TW_TCP_ACK},
		{TW_TCP_SYN | TW_TCP_ACK, TW_TCP_ACK, TW_TCP_ACK, TW_TCP_FIN | TW_TCP_ACK,
			TW_TCP_ACK, TW_TCP_ACK}};

	if (one_in(m, 25))
		return below(m, 256);
	if (one_in(m, 25))
		return TW_TCP_RST | (one_in(m, 2) ? TW_TCP_ACK : 0);
	if (one_in(m, 10))
		return TW_TCP_SYN;
	return honest[reply][(s->step++ / 2) % 6];
}

/* Sets sequence numbers: mostly the ends' own, else near them, or random. */
static void add_numbers(struct maker *m, struct session *s, bool reply, struct tw_layer *layer)
{
	uint32_t flags = tw_layer_get(layer, TW_F_FLAGS, 0), *next = &s->next[reply];
	uint32_t seq = *next, ack = s->next[!reply];

	if (one_in(m, 8))
		seq += below(m, 200000) - 100000;
	if (one_in(m, 8))
		ack += below(m, 200000) - 100000;
	if (one_in(m, 20))
		ack = seq = (uint32_t)tw_random_bits(&m->random);
	set_chance(m, layer, TW_F_SEQ, seq, 1);
	set_chance(m, layer, TW_F_ACK, ack, flags & TW_TCP_ACK ? 1 : 10);
	set_chance(m, layer, TW_F_WIN, below(m, 65536), 2);
	if (flags & TW_TCP_SYN || !one_in(m, 3))
		*next = seq + !!(flags & TW_TCP_SYN) + !!(flags & TW_TCP_FIN) + below(m, 3) * 200;
}

static void add_transport(struct maker *m, struct session *s, bool reply)
{
	uint16_t sport = reply ? s->dport : s->sport, dport = reply ? s->sport : s->dport;
	struct tw_layer *layer;

	switch (s->proto) {
	case 6:
		layer = tw_draft_add(&m->draft, TW_L_TCP);
		set_chance(m, layer, TW_F_FLAGS, tcp_flags(m, s, reply), 1);
		add_numbers(m, s, reply, layer);
		set_chance(m, layer, TW_F_DOFF, below(m, 16), 60);
		break;
	case 17:
		layer = tw_draft_add(&m->draft, TW_L_UDP);
		set_chance(m, layer, TW_F_LEN, below(m, 64), 60);
		break;
	case 1:
	case 58:
		layer = tw_draft_add(&m->draft, s->proto == 1 ? TW_L_ICMP : TW_L_ICMP6);
		set_chance(m, layer, TW_F_TYPE,
			s->proto == 1 ? (reply ? 0 : 8) : (reply ? 129 : 128), 1);
		set_chance(m, layer, TW_F_TYPE, below(m, 256), 10);
		set_chance(m, layer, TW_F_CODE, below(m, 16), 10);
		set_chance(m, layer, TW_F_ID, s->sport, 1);
		return;
	default:
		layer = &m->draft.layer[m->draft.n_layers - 1];
		set_chance(m, layer, TW_F_PROTO, s->proto, 1);
		return;
	}
	set_chance(m, layer, TW_F_SPORT, sport, 1);
	set_chance(m, layer, TW_F_DPORT, dport, 1);
	set_chance(m, layer, TW_F_SUM, 0, 50);
}

static void add_data(struct maker *m, uint32_t max)
{
	set_chance(m, tw_draft_add(&m->draft, TW_L_DATA), TW_F_SIZE, 8 * below(m, max), 1);
}

/* ---- frames ---- */

static void make_session_frame(struct maker *m, struct session *s, bool reply)
{
	bool later;

	add_eth(m, s);
	add_ip(m, s);
	later = add_fragment(m, s);
	if (!later)
		add_transport(m, s, reply);
	add_data(m, one_in(m, 10) ? 180 : 8);
}

/* Makes an ICMP error about a packet of the other end, or about something else. */
static void make_error(struct maker *m, struct session *s, bool reply)
{
	static const uint8_t types[2][6] = {{3, 11, 12, 4, 5, 3}, {1, 2, 3, 4, 137, 1}};
	struct tw_layer *icmp;

	add_eth(m, s);
	add_ip(m, s);
	icmp = tw_draft_add(&m->draft, s->v6 ? TW_L_ICMP6 : TW_L_ICMP);
	set_chance(m, icmp, TW_F_TYPE, types[s->v6][below(m, 6)], 1);
	set_chance(m, icmp, TW_F_CODE, below(m, 16), 1);
	add_ip(m, s);
	add_transport(m, s, !reply);
}

static void make_neighbour(struct maker *m, const struct session *s)
{
	static const uint8_t types[] = {133, 134, 135, 136, 137, 135, 136, 143, 131};
	const uint8_t odd[6] = {0x52, 0x54, 0, 0, 0, (uint8_t)(1 + below(m, 5))};
	struct tw_layer *layer;
	struct tw_addr addr;

	add_eth(m, s);
	if (!s->v6) {
		layer = tw_draft_add(&m->draft, TW_L_ARP);
		set_chance(m, layer, TW_F_OP, 1 + below(m, 3), 1);
		set_chance(m, layer, TW_F_HLEN, below(m, 8), 40);
		random_address(m, false, &addr);
		if (layer && one_in(m, 4))
			tw_layer_set_addr(layer, TW_F_A, &addr);
		if (layer && one_in(m, 6))
			tw_layer_set_mac(layer, TW_F_MAC_A, odd);
		return;
	}
	layer = tw_draft_add(&m->draft, TW_L_IP6);
	random_address(m, true, &addr);
	if (layer && one_in(m, 3))
		tw_layer_set_addr(layer, one_in(m, 2) ? TW_F_A : TW_F_B, &addr);
	set_chance(m, layer, TW_F_TTL, one_in(m, 2) ? 1 : 64, 8);
	layer = tw_draft_add(&m->draft, TW_L_ICMP6);
	set_chance(m, layer, TW_F_TYPE, types[below(m, COUNT(types))], 1);
	random_address(m, true, &addr);
	if (!layer)
		return;
	tw_layer_set_addr(layer, TW_F_A, &addr);
	if (one_in(m, 2))
		tw_layer_set_mac(layer, one_in(m, 2) ? TW_F_MAC_A : TW_F_MAC_B, odd);
	set_chance(m, layer, TW_F_OPTLEN, below(m, 4), 10);
}

static void make_dhcp(struct maker *m, struct session *s)
{
	static const uint16_t ports[2][2] = {{67, 68}, {547, 546}};
	struct session dhcp = *s;
	bool server = one_in(m, 2);
	struct tw_layer *layer;

	dhcp.foreign_a = one_in(m, 2);
	add_eth(m, &dhcp);
	add_ip(m, &dhcp);
	layer = tw_draft_add(&m->draft, TW_L_UDP);
	set_chance(m, layer, TW_F_SPORT, ports[s->v6][!server], 1);
	set_chance(m, layer, TW_F_DPORT, ports[s->v6][server], 1);
	layer = tw_draft_add(&m->draft, s->v6 ? TW_L_DHCP6 : TW_L_DHCP);
	set_chance(m, layer, TW_F_TYPE, 1 + below(m, 8), 1);
}

static void make_garbage(struct maker *m)
{
	struct tw_layer *layer = tw_draft_add(&m->draft, TW_L_DATA);
	uint8_t bytes[128];
	size_t n = 15 + below(m, 113);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)below(m, 256);
	if (layer)
		tw_layer_set_blob(&m->draft, layer, bytes, n);
}

/* Flips bits or truncates the frame. */
static void spoil(struct maker *m)
{
	if (one_in(m, 12))
		for (uint32_t n = 1 + below(m, 3); n && m->bytes.len; n--)
			m->bytes.data[below(m, (uint32_t)m->bytes.len)] ^= (char)(1 << below(m, 8));
	if (one_in(m, 25))
		m->bytes.len = 1 + below(m, (uint32_t)m->bytes.len);
}

static void new_session(struct maker *m, struct session *s)
{
	static const uint8_t protos[] = {6, 6, 6, 17, 17, 1, 58, 47};
	static const uint16_t ports[] = {80, 443, 22, 53, 8080, 1500, 5432, 9};

	*s = (struct session){
		.a = (int)below(m, N_PORTS),
		.v6 = one_in(m, 3),
		.proto = protos[below(m, COUNT(protos))],
		.sport = (uint16_t)(40000 + below(m, 4)),
		.dport = ports[below(m, COUNT(ports))],
		.vlan = one_in(m, 8) ? (uint16_t)(1 + below(m, 3)) : 0,
		.foreign_a = one_in(m, 8),
		.id = below(m, 1000),
	};
	s->b = (s->a + 1 + (int)below(m, N_PORTS - 1)) % N_PORTS;
	if (s->proto == 1 || s->proto == 58) {
		s->v6 = s->proto == 58;
		s->dport = 0;
	}
}

static void make_draft(struct maker *m, struct session *s, bool reply)
{
	m->draft.n_layers = 0;
	m->draft.blob_len = 0;
	m->draft.gso_size = one_in(m, 60) ? (uint16_t)(500 + below(m, 1000)) : 0;
	make_end(reply ? s->b : s->a, &m->draft.from);
	make_end(reply ? s->a : s->b, &m->draft.to);
	switch (below(m, 40)) {
	case 0:
		make_garbage(m);
		break;
	case 1:
	case 2:
		make_neighbour(m, s);
		break;
	case 3:
		make_dhcp(m, s);
		break;
	case 4:
	case 5:
	case 6:
		make_error(m, s, reply);
		break;
	default:
		make_session_frame(m, s, reply);
	}
}

static int make_frame(struct maker *m)
{
	struct session *s = &m->sessions[below(m, N_SESSIONS)];
	bool reply = one_in(m, 2);
	struct tw_seq_item item = {.policy = -1};

	if (one_in(m, 60))
		new_session(m, s);
	make_draft(m, s, reply);
	tw_buf_reset(&m->bytes);
	if (tw_draft_build(&m->draft, &m->bytes) || !m->bytes.len)
		return m->bytes.failed ? -ENOMEM : 0;
	spoil(m);
	item.from = reply ? s->b : s->a;
	item.to = reply ? s->a : s->b;
	if (one_in(m, 12))
		item.from = TW_SEQ_NOWHERE;
	else if (one_in(m, 12))
		item.to = TW_SEQ_NOWHERE;
	item.at_ns = m->now_ns;
	item.data = (uint8_t *)m->bytes.data;
	item.len = m->bytes.len;
	item.gso_size = m->draft.gso_size;
	return tw_seq_add(m->seq, &item);
}

static void pass_time(struct maker *m)
{
	static const uint32_t gaps[] = {9, 11, 31, 61, 121, 601};

	m->now_ns += 1000000ull * below(m, 50);
	if (one_in(m, 40))
		m->now_ns += 1000000000ull * gaps[below(m, COUNT(gaps))];
}

int tw_frames_make(
	uint64_t seed, size_t n, struct tw_buf text[TW_SEQ_POLICIES_MAX], struct tw_seq *ret)
{
	tw_autofree struct maker *m = tw_alloc(sizeof(*m));
	struct tw_seq_item change = {0};
	int failed = 0;

	if (!m)
		return -ENOMEM;
	m->random = tw_random_from(seed);
	m->seq = ret;
	for (ret->n_policies = 0; ret->n_policies < 2; ret->n_policies++) {
		make_policy(m, &text[ret->n_policies]);
		ret->policies[ret->n_policies] = text[ret->n_policies].data;
		if (text[ret->n_policies].failed)
			return -ENOMEM;
	}
	ret->adopt = one_in(m, 4);
	ret->cut_through = one_in(m, 2);
	for (size_t i = 0; i < N_SESSIONS; i++)
		new_session(m, &m->sessions[i]);
	for (size_t i = 0; i < n && !failed; i++) {
		pass_time(m);
		if (i && i % (n / 3 + 1) == 0) {
			change = (struct tw_seq_item){.policy = (int)(i / (n / 3 + 1)) % 2};
			failed = tw_seq_add(ret, &change);
		}
		if (!failed)
			failed = make_frame(m);
	}
	tw_buf_done(&m->bytes);
	return failed;
}
