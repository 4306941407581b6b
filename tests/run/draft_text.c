/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/draft_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/inet.h"
#include "fastpath/abi/names.h"

/* The arguments between a layer's name and its key=value settings. */
enum args {
	ARGS_NONE,
	ARGS_MACS,    /* A > B, each optional */
	ARGS_ADDRS,   /* A > B with addresses, each optional */
	ARGS_PORTS,   /* N > N */
	ARGS_ARP,     /* request|reply|N, then addresses */
	ARGS_ICMP,    /* TYPE[.CODE], by name or number */
	ARGS_TARGET,  /* one address */
	ARGS_MESSAGE, /* a DHCP message, by name or number */
	ARGS_NUMBER,  /* a number for the field `fill` */
	ARGS_HEX,
};

struct layer_word {
	const char *name;
	enum tw_layer_kind kind;
	enum args args;
	enum tw_field fill;
	enum tw_field preset; /* set to `value` if `has_preset` */
	uint32_t value;
	bool has_preset;
};

static const struct layer_word layer_words[] = {
	{.name = "eth", .kind = TW_L_ETH, .args = ARGS_MACS},
	{.name = "vlan", .kind = TW_L_VLAN, .args = ARGS_NUMBER, .fill = TW_F_ID},
	{"qinq", TW_L_VLAN, ARGS_NUMBER, TW_F_ID, TW_F_TPID, 0x88a8, true},
	{.name = "llc", .kind = TW_L_LLC},
	{.name = "snap", .kind = TW_L_SNAP},
	{.name = "arp", .kind = TW_L_ARP, .args = ARGS_ARP},
	{.name = "ip", .kind = TW_L_IP, .args = ARGS_ADDRS},
	{.name = "ip6", .kind = TW_L_IP6, .args = ARGS_ADDRS},
	{"hop", TW_L_EXT, ARGS_NONE, TW_F_ID, TW_F_KIND, 0, true},
	{"dst", TW_L_EXT, ARGS_NONE, TW_F_ID, TW_F_KIND, 60, true},
	{"routing", TW_L_EXT, ARGS_NONE, TW_F_ID, TW_F_KIND, 43, true},
	{.name = "ext", .kind = TW_L_EXT, .args = ARGS_NUMBER, .fill = TW_F_KIND},
	{.name = "frag", .kind = TW_L_FRAG},
	{.name = "ah", .kind = TW_L_AH},
	{.name = "tcp", .kind = TW_L_TCP, .args = ARGS_PORTS},
	{.name = "udp", .kind = TW_L_UDP, .args = ARGS_PORTS},
	{.name = "icmp", .kind = TW_L_ICMP, .args = ARGS_ICMP},
	{.name = "icmp6", .kind = TW_L_ICMP6, .args = ARGS_ICMP},
	{"rs", TW_L_ICMP6, ARGS_NONE, TW_F_ID, TW_F_TYPE, 133, true},
	{"ra", TW_L_ICMP6, ARGS_NONE, TW_F_ID, TW_F_TYPE, 134, true},
	{"ns", TW_L_ICMP6, ARGS_TARGET, TW_F_ID, TW_F_TYPE, 135, true},
	{"na", TW_L_ICMP6, ARGS_TARGET, TW_F_ID, TW_F_TYPE, 136, true},
	{"redirect6", TW_L_ICMP6, ARGS_TARGET, TW_F_ID, TW_F_TYPE, 137, true},
	{.name = "dhcp", .kind = TW_L_DHCP, .args = ARGS_MESSAGE},
	{.name = "dhcp6", .kind = TW_L_DHCP6, .args = ARGS_MESSAGE},
	{.name = "data", .kind = TW_L_DATA, .args = ARGS_NUMBER, .fill = TW_F_SIZE},
	{.name = "hex", .kind = TW_L_DATA, .args = ARGS_HEX},
};

static const struct {
	const char *name;
	enum tw_field field;
} keys[] = {
	{"type", TW_F_TYPE},
	{"code", TW_F_CODE},
	{"id", TW_F_ID},
	{"pcp", TW_F_PCP},
	{"tpid", TW_F_TPID},
	{"dsap", TW_F_DSAP},
	{"ssap", TW_F_SSAP},
	{"ctl", TW_F_CTL},
	{"oui", TW_F_OUI},
	{"version", TW_F_VERSION},
	{"ihl", TW_F_IHL},
	{"tos", TW_F_TOS},
	{"flow", TW_F_FLOW},
	{"len", TW_F_LEN},
	{"off", TW_F_OFF},
	{"ttl", TW_F_TTL},
	{"proto", TW_F_PROTO},
	{"next", TW_F_PROTO},
	{"sum", TW_F_SUM},
	{"seq", TW_F_SEQ},
	{"ack", TW_F_ACK},
	{"doff", TW_F_DOFF},
	{"flags", TW_F_FLAGS},
	{"win", TW_F_WIN},
	{"urg", TW_F_URG},
	{"rest", TW_F_REST},
	{"mtu", TW_F_REST},
	{"size", TW_F_SIZE},
	{"left", TW_F_LEFT},
	{"htype", TW_F_HTYPE},
	{"ptype", TW_F_PTYPE},
	{"hlen", TW_F_HLEN},
	{"plen", TW_F_PLEN},
	{"optlen", TW_F_OPTLEN},
	{"xid", TW_F_XID},
	{"op", TW_F_OP},
	{"to", TW_F_B},
	{"yiaddr", TW_F_B},
	{"ciaddr", TW_F_A},
	{"lease", TW_F_LEASE},
	{"sha", TW_F_MAC_A},
	{"sll", TW_F_MAC_A},
	{"chaddr", TW_F_MAC_A},
	{"tha", TW_F_MAC_B},
	{"tll", TW_F_MAC_B},
	{"options", TW_F_BLOB},
};

struct named_number {
	const char *name;
	uint32_t value;
};

static const struct named_number icmp_types[] = {{"echo", 8}, {"reply", 0}, {"unreachable", 3},
	{"redirect", 5}, {"time-exceeded", 11}, {"parameter", 12}, {NULL, 0}};
static const struct named_number icmp6_types[] = {{"echo", 128}, {"reply", 129}, {"unreachable", 1},
	{"too-big", 2}, {"time-exceeded", 3}, {"parameter", 4}, {NULL, 0}};
static const struct named_number dhcp_types[] = {{"discover", 1}, {"offer", 2}, {"request", 3},
	{"decline", 4}, {"ack", 5}, {"nak", 6}, {"release", 7}, {"inform", 8}, {NULL, 0}};
static const struct named_number dhcp6_types[] = {{"solicit", 1}, {"advertise", 2}, {"request", 3},
	{"confirm", 4}, {"renew", 5}, {"rebind", 6}, {"reply", 7}, {"release", 8}, {"decline", 9},
	{"reconfigure", 10}, {"information", 11}, {"relay-forward", 12}, {"relay-reply", 13},
	{NULL, 0}};
static const struct named_number arp_ops[] = {{"request", 1}, {"reply", 2}, {NULL, 0}};
static const struct named_number protocols[] = {{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"icmp6", 58},
	{"frag", 44}, {"hop", 0}, {"dst", 60}, {"routing", 43}, {"none", 59}, {"esp", 50},
	{"gre", 47}, {"sctp", 132}, {NULL, 0}};

struct reader {
	const struct tw_draft_names *names;
	struct tw_draft *draft;
	struct tw_err *err;
	bool raw; /* the first layer is the whole frame */
};

static int wrong(const struct reader *r, const char *what, const char *word)
{
	return tw_err_set(r->err, -EINVAL, NULL, "see tests/case/README.md", "%s: '%s'", what,
		word ? word : "");
}

/* ---- small readers ---- */

char *tw_word_next(char **at)
{
	char *word;

	while (isspace((unsigned char)**at))
		(*at)++;
	if (!**at)
		return NULL;
	word = *at;
	while (**at && !isspace((unsigned char)**at))
		(*at)++;
	if (**at)
		*(*at)++ = '\0';
	return word;
}

int tw_word_number(const char *word, uint32_t *ret)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)word[0]))
		return -EINVAL;
	errno = 0;
	value = strtoul(word, &end, 0);
	if (*end || errno || value > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

int tw_word_mac(const char *word, uint8_t ret[6])
{
	unsigned int mac[6];
	int end = 0;

	if (!strcmp(word, "broadcast")) {
		memset(ret, 0xff, 6);
		return 0;
	}
	if (sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
		    &mac[5], &end) != 6 ||
		word[end])
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		ret[i] = (uint8_t)mac[i];
	return 0;
}

int tw_word_seconds(const char *word, uint64_t *ret_ns)
{
	uint64_t whole = 0, part = 0, unit = 1000000000;

	if (!isdigit((unsigned char)*word))
		return -EINVAL;
	for (; isdigit((unsigned char)*word); word++) {
		whole = whole * 10 + (uint64_t)(*word - '0');
		if (whole > 1000000000)
			return -EINVAL;
	}
	if (*word == '.') {
		for (word++; isdigit((unsigned char)*word) && unit > 1; word++) {
			unit /= 10;
			part += (uint64_t)(*word - '0') * unit;
		}
	}
	if (*word)
		return -EINVAL;
	*ret_ns = whole * 1000000000 + part;
	return 0;
}

static int named(const struct named_number *list, const char *word, uint32_t *ret)
{
	for (; list->name; list++) {
		if (!strcmp(list->name, word)) {
			*ret = list->value;
			return 0;
		}
	}
	return tw_word_number(word, ret);
}

static int read_mac(const struct reader *r, const char *word, uint8_t ret[6])
{
	struct tw_draft_end end;

	if (!tw_word_mac(word, ret))
		return 0;
	if (!r->names->find || r->names->find(r->names->arg, word, &end) || !end.has_mac)
		return wrong(r, "neither a MAC nor the name of an end with a MAC", word);
	memcpy(ret, end.mac, 6);
	return 0;
}

static int read_addr(const struct reader *r, const char *word, bool v6, struct tw_addr *ret)
{
	struct tw_draft_end end;

	/* With `v6`, an IPv4 literal is also accepted in an IPv6 header, as an IPv4-mapped
	 * address. */
	if (!tw_addr_parse(word, ret))
		return v6 || tw_inet_is_v4(ret->b)
			       ? 0
			       : wrong(r, "an IPv6 address is not allowed here", word);
	if (!r->names->find || r->names->find(r->names->arg, word, &end) ||
		!(v6 ? end.has_v6 : end.has_v4))
		return wrong(r, "neither an address nor the name of an end with an address", word);
	*ret = v6 ? end.v6 : end.v4;
	return 0;
}

static int read_hex(const struct reader *r, struct tw_layer *layer, const char *word)
{
	uint8_t bytes[TW_DRAFT_BLOB_MAX];
	size_t n = strlen(word);

	if (n % 2 || n / 2 > sizeof(bytes) || word[strspn(word, "0123456789abcdefABCDEF")])
		return wrong(r, "not hexadecimal bytes", word);
	for (size_t i = 0; i < n / 2; i++) {
		const char pair[3] = {word[2 * i], word[2 * i + 1], '\0'};

		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return tw_layer_set_blob(r->draft, layer, bytes, n / 2) ? 0 : wrong(r, "too long", word);
}

/* ---- layers ---- */

static bool is_v6(const struct tw_layer *layer)
{
	return layer->kind != TW_L_IP && layer->kind != TW_L_ARP && layer->kind != TW_L_DHCP;
}

static int set_value(
	const struct reader *r, struct tw_layer *layer, enum tw_field field, const char *word)
{
	struct tw_addr addr;
	uint8_t mac[6];
	uint32_t number;
	int err;

	switch (field) {
	case TW_F_A:
	case TW_F_B:
		err = read_addr(r, word, is_v6(layer), &addr);
		if (!err)
			tw_layer_set_addr(layer, field, &addr);
		return err;
	case TW_F_MAC_A:
	case TW_F_MAC_B:
		err = read_mac(r, word, mac);
		if (!err)
			tw_layer_set_mac(layer, field, mac);
		return err;
	case TW_F_BLOB:
		return read_hex(r, layer, word);
	case TW_F_PROTO:
		err = named(protocols, word, &number);
		break;
	default:
		err = tw_word_number(word, &number);
	}
	if (err)
		return wrong(r, "no number", word);
	tw_layer_set(layer, field, number);
	return 0;
}

/* Reads "A > B", "> B", "A >" or nothing; leaves *at at the first word after that. */
static int read_pair(
	const struct reader *r, struct tw_layer *layer, char **at, enum tw_field a, enum tw_field b)
{
	char *rest = *at + strspn(*at, " \t");
	char *arrow = strchr(rest, '>');
	char *word;
	int err;

	if (!arrow)
		return 0;
	if (arrow != rest) {
		word = tw_word_next(at);
		err = set_value(r, layer, a, word);
		if (err)
			return err;
	}
	word = tw_word_next(at);
	if (!word || strcmp(word, ">"))
		return wrong(r, "expected '>' with blanks around it", word);
	rest = *at + strspn(*at, " \t");
	/* If a setting or a flag word follows immediately, there is no B. */
	if (!*rest || strcspn(rest, "=") < strcspn(rest, " \t"))
		return 0;
	word = tw_word_next(at);
	return set_value(r, layer, b, word);
}

static int read_icmp(const struct reader *r, struct tw_layer *layer, char *word)
{
	char *dot = word ? strchr(word, '.') : NULL;
	uint32_t type, code = 0;

	if (dot)
		*dot++ = '\0';
	if (!word || named(layer->kind == TW_L_ICMP ? icmp_types : icmp6_types, word, &type) ||
		(dot && tw_word_number(dot, &code)))
		return wrong(r, "no ICMP type[.code]", word);
	tw_layer_set(layer, TW_F_TYPE, type);
	tw_layer_set(layer, TW_F_CODE, code);
	return 0;
}

static int read_args(
	const struct reader *r, const struct layer_word *w, struct tw_layer *layer, char **at)
{
	uint32_t number;
	char *word;

	switch (w->args) {
	case ARGS_NONE:
		return 0;
	case ARGS_MACS:
		return read_pair(r, layer, at, TW_F_MAC_A, TW_F_MAC_B);
	case ARGS_ADDRS:
		return read_pair(r, layer, at, TW_F_A, TW_F_B);
	case ARGS_PORTS:
		return read_pair(r, layer, at, TW_F_SPORT, TW_F_DPORT);
	default:
		break;
	}
	word = tw_word_next(at);
	if (!word)
		return wrong(r, "an argument is missing after", w->name);
	switch (w->args) {
	case ARGS_ARP:
		if (named(arp_ops, word, &number))
			return wrong(r, "not an ARP operation", word);
		tw_layer_set(layer, TW_F_OP, number);
		return read_pair(r, layer, at, TW_F_A, TW_F_B);
	case ARGS_ICMP:
		return read_icmp(r, layer, word);
	case ARGS_TARGET:
		return set_value(r, layer, TW_F_A, word);
	case ARGS_MESSAGE:
		if (named(layer->kind == TW_L_DHCP ? dhcp_types : dhcp6_types, word, &number))
			return wrong(r, "not a DHCP message", word);
		tw_layer_set(layer, TW_F_TYPE, number);
		return 0;
	case ARGS_HEX:
		return read_hex(r, layer, word);
	default:
		return set_value(r, layer, w->fill, word);
	}
}

static int read_tcp_flags(const struct reader *r, struct tw_layer *layer, const char *word)
{
	static const char letters[] = "FSRPAUEC";
	uint32_t flags = 0;

	if (!strcmp(word, "none")) {
		tw_layer_set(layer, TW_F_FLAGS, 0);
		return 0;
	}
	for (const char *c = word; *c; c++) {
		const char *bit = strchr(letters, *c);

		if (!bit)
			return wrong(r, "neither a setting nor TCP flags", word);
		flags |= 1u << (bit - letters);
	}
	tw_layer_set(layer, TW_F_FLAGS, flags);
	return 0;
}

static int read_setting(const struct reader *r, struct tw_layer *layer, char *word)
{
	static const struct {
		const char *name;
		enum tw_field field;
	} flags[] = {{"df", TW_F_DF}, {"mf", TW_F_MF}, {"rf", TW_F_RF}, {"dei", TW_F_DEI}};
	char *value = strchr(word, '=');

	if (!value) {
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			if (!strcmp(flags[i].name, word)) {
				tw_layer_set(layer, flags[i].field, 1);
				return 0;
			}
		}
		if (layer->kind == TW_L_TCP)
			return read_tcp_flags(r, layer, word);
		return wrong(r, "no setting", word);
	}
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i].name, word))
			return set_value(r, layer, keys[i].field, value);
	return wrong(r, "unknown setting", word);
}

static int read_layer(struct reader *r, char *text)
{
	const struct layer_word *w = NULL;
	struct tw_layer *layer;
	uint32_t repeat = 1;
	char *name = tw_word_next(&text);
	char *star = name ? strchr(name, '*') : NULL;
	char *word;
	int err;

	if (!name)
		return wrong(r, "an empty layer", "/");
	if (star) {
		*star++ = '\0';
		if (tw_word_number(star, &repeat) || repeat == 0)
			return wrong(r, "not a repeat count", star);
	}
	if (!strcmp(name, "raw") && r->draft->n_layers == 0) {
		r->raw = true;
		name = (char *)"hex";
	}
	for (size_t i = 0; i < sizeof(layer_words) / sizeof(layer_words[0]); i++)
		if (!strcmp(layer_words[i].name, name))
			w = &layer_words[i];
	if (!w)
		return wrong(r, "unknown layer", name);
	layer = tw_draft_add(r->draft, w->kind);
	if (!layer)
		return wrong(r, "too many layers", name);
	if (w->has_preset)
		tw_layer_set(layer, w->preset, w->value);
	err = read_args(r, w, layer, &text);
	while (!err && (word = tw_word_next(&text)))
		err = read_setting(r, layer, word);
	for (; !err && repeat > 1; repeat--) {
		struct tw_layer *copy = tw_draft_add(r->draft, w->kind);

		if (!copy)
			return wrong(r, "too many layers", name);
		*copy = *layer;
	}
	return err;
}

/* Reads a word of "sum-from 34 sum-at 6", an offload that is still to be done; false if it is not
 * such a word. */
static bool read_offload(struct tw_offload *offload, const char *word, uint32_t number)
{
	if (!strcmp(word, "sum-from") || !strcmp(word, "sum-at"))
		offload->summed = TW_SUMMED_PARTIAL;
	if (!strcmp(word, "sum-from"))
		offload->csum_start = (uint16_t)number;
	else if (!strcmp(word, "sum-at"))
		offload->csum_offset = (uint16_t)number;
	else if (!strcmp(word, "summed"))
		offload->summed = (uint8_t)number;
	else if (!strcmp(word, "gso-type"))
		offload->gso_type = number;
	else if (!strcmp(word, "inner"))
		offload->inner = (uint16_t)number;
	else
		return false;
	return true;
}

/* Reads properties of the frame, such as "cut 40 gso 1448". */
static int read_about(const struct reader *r, char *text)
{
	struct tw_draft *draft = r->draft;
	char *word, *value;
	uint32_t number;

	while ((word = tw_word_next(&text))) {
		value = tw_word_next(&text);
		if (value && !strcmp(word, "via")) {
			snprintf(draft->via, sizeof(draft->via), "%s", value);
			draft->goes_on = !strcmp(value, "last");
			continue;
		}
		if (!value || tw_word_number(value, &number))
			return wrong(r, "expected a number", word);
		if (!strcmp(word, "cut")) {
			draft->cut = number;
		} else if (!strcmp(word, "pad")) {
			draft->pad = number;
		} else if (!strcmp(word, "wire")) {
			draft->wire_len = number;
		} else if (!strcmp(word, "gso")) {
			draft->gso_size = (uint16_t)number;
		} else if (!strcmp(word, "mark")) {
			draft->mark = number;
		} else if (!strcmp(word, "tag")) {
			draft->has_outside_tag = true;
			draft->outside_tag = (uint16_t)number;
		} else if (!read_offload(&draft->offload, word, number)) {
			return wrong(r, "unknown property after '|'", word);
		}
	}
	return 0;
}

/* ---- omitted layers ---- */

static void insert_layer(struct tw_draft *draft, size_t at, enum tw_layer_kind kind)
{
	memmove(&draft->layer[at + 1], &draft->layer[at],
		(draft->n_layers - at) * sizeof(draft->layer[0]));
	draft->layer[at] = (struct tw_layer){.kind = kind};
	draft->n_layers++;
}

static bool wants_ip(enum tw_layer_kind kind)
{
	return kind == TW_L_TCP || kind == TW_L_UDP || kind == TW_L_ICMP || kind == TW_L_ICMP6;
}

static void imply_layers(const struct reader *r)
{
	struct tw_draft *draft = r->draft;
	enum tw_layer_kind first = draft->layer[0].kind;

	if (wants_ip(first)) {
		bool v6 = first == TW_L_ICMP6 ||
			  (first != TW_L_ICMP && !draft->from.has_v4 && draft->from.has_v6);

		insert_layer(draft, 0, v6 ? TW_L_IP6 : TW_L_IP);
	}
	if (draft->layer[0].kind != TW_L_ETH)
		insert_layer(draft, 0, TW_L_ETH);
}

/* RFC 4861: solicitations go to the target's solicited-node address, router messages to all nodes
 * or all routers. */
static void imply_nd_destination(struct tw_draft *draft)
{
	struct tw_addr dst = {.b = {0xff, 0x02, [15] = 1}};

	for (size_t i = 0; i + 1 < draft->n_layers; i++) {
		struct tw_layer *ip6 = &draft->layer[i];
		const struct tw_layer *nd = &draft->layer[i + 1];

		if (ip6->kind != TW_L_IP6 || nd->kind != TW_L_ICMP6 || tw_layer_has(ip6, TW_F_B))
			continue;
		switch (tw_layer_get(nd, TW_F_TYPE, 0)) {
		case 133:
			dst.b[15] = 2;
			break;
		case 134:
			break;
		case 135:
			dst.b[11] = 1;
			dst.b[12] = 0xff;
			memcpy(dst.b + 13, nd->a.b + 13, 3);
			break;
		default:
			continue;
		}
		tw_layer_set_addr(ip6, TW_F_B, &dst);
	}
}

static int read_layers(struct reader *r, char *text)
{
	char *about = strchr(text, '|');
	char *next;
	int err;

	if (about) {
		*about++ = '\0';
		err = read_about(r, about);
		if (err)
			return err;
	}
	do {
		next = strstr(text, " / ");
		if (next) {
			*next = '\0';
			next += 3;
		}
		err = read_layer(r, text);
		if (err)
			return err;
		text = next;
	} while (text);
	if (r->draft->n_layers + 2 > TW_DRAFT_LAYERS_MAX)
		return wrong(r, "too many layers", "");
	if (!r->raw) {
		imply_layers(r);
		imply_nd_destination(r->draft);
	}
	return 0;
}

int tw_draft_read(const char *text, const struct tw_draft_names *names, struct tw_draft *ret,
	struct tw_err *err)
{
	tw_autofree struct tw_draft *draft = tw_alloc(sizeof(*draft));
	tw_autofree char *copy = tw_strdup(text);
	struct reader reader = {.names = names, .draft = draft, .err = err};
	int failed;

	if (!draft || !copy)
		return -ENOMEM;
	draft->from = names->from;
	draft->to = names->to;
	failed = read_layers(&reader, copy);
	if (!failed)
		*ret = *draft;
	return failed;
}
