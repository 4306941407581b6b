/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/export/ipfix.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "fastpath/abi/types.h"
#include "slowpath/export/terms.h"

#define VERSION		 10
#define HEADER_BYTES	 16
#define SET_BYTES	 4
#define TEMPLATE_SET	 2
#define OPTIONS_SET	 3
#define OPTIONS_TEMPLATE 270
#define VARIABLE	 65535u
#define LONG_NAME	 255u	/* three bytes of length from here on */
#define REVERSE_PEN	 29305u /* RFC 5103 §6.1 */
#define ENTERPRISE	 0x8000u
#define EVENT_DELETED	 2
#define EVENT_DENIED	 3
#define EVENT_ALERT	 4 /* the frame passed only because its workload is observed */
#define ETHERNET_BYTES	 14
#define NS_PER_MS	 1000000u
#define WORKLOADS_MAX	 2   /* names of variable length in a record */
#define FIXED_MAX	 260 /* bytes of its other fields */
#define RECORD_MAX	 (FIXED_MAX + WORKLOADS_MAX * (1 + TW_IPFIX_NAME_MAX))
_Static_assert(HEADER_BYTES + SET_BYTES + RECORD_MAX <= TW_IPFIX_MESSAGE_MAX, "a record fits");
_Static_assert(TW_IPFIX_NAME_MAX < LONG_NAME, "one byte of length");

/* Sources of a field's value. */
enum value {
	FROM,
	TO,
	START,
	END,
	FROM_PORT,
	TO_PORT,
	PROTO,
	EVENT,
	FORWARDING,
	END_REASON,
	INITIATOR,
	PACKETS,
	OCTETS,
	REPLY_PACKETS,
	REPLY_OCTETS,
	TCP_FLAGS,
	DIRECTION,
	ETHERTYPE,
	VLAN,
	SRC_MAC,
	DST_MAC,
	ICMP,
	INGRESS,
	EGRESS,
	FROM_WORKLOAD,
	TO_WORKLOAD,
	RULE,
	OUT_RULE,
	IN_RULE,
	FIELD_END,
};

struct field {
	uint16_t element;
	uint16_t len; /* VARIABLE: a name */
	enum value value;
	bool reverse;
};

enum kind { CONNECTION_V4, CONNECTION_V6, DENIAL_V4, DENIAL_V6, DENIAL_ETHERNET, KIND__MAX };

/* If an element occurs twice, the first is the one on the source's side (RFC 7011 §8). The fields of variable length
 * come last, because nfacctd 1.7.7 finds no field of its custom primitives behind them. */
#define F(element, len, value)             \
	{                                  \
		element, len, value, false \
	}
#define R(element, len, value)            \
	{                                 \
		element, len, value, true \
	} /* a field of the reverse direction */
/* flowStartMilliseconds, flowEndMilliseconds */
#define TIMES F(152, 8, START), F(153, 8, END)
#define PORTS F(7, 2, FROM_PORT), F(11, 2, TO_PORT), F(4, 1, PROTO)
#define V4    F(8, 4, FROM), F(12, 4, TO), TIMES, PORTS, F(32, 2, ICMP)	    /* icmpTypeCodeIPv4 */
#define V6    F(27, 16, FROM), F(28, 16, TO), TIMES, PORTS, F(139, 2, ICMP) /* icmpTypeCodeIPv6 */
#define V0    F(256, 2, ETHERTYPE), TIMES
/* firewallEvent, forwardingStatus, packetDeltaCount, octetDeltaCount */
#define EVENT_FIELDS F(233, 1, EVENT), F(89, 1, FORWARDING), F(2, 8, PACKETS), F(1, 8, OCTETS)
/* sourceMacAddress, destinationMacAddress, vlanId, flowDirection */
#define FRAME F(56, 6, SRC_MAC), F(80, 6, DST_MAC), F(58, 2, VLAN), F(61, 1, DIRECTION)
/* selectorName, interfaceName, virtualStationName */
#define RULE_NAME(value) F(335, TW_IPFIX_RULE_BYTES, value)
#define PORT_NAMES	 F(82, TW_IPFIX_PORT_BYTES, INGRESS), F(82, TW_IPFIX_PORT_BYTES, EGRESS)
#define WORKLOADS	 F(350, VARIABLE, FROM_WORKLOAD), F(350, VARIABLE, TO_WORKLOAD)
#define NAMES		 PORT_NAMES, WORKLOADS, LAST
/* flowEndReason, biflowDirection */
#define CONNECTION                                                                          \
	EVENT_FIELDS, R(2, 8, REPLY_PACKETS), R(1, 8, REPLY_OCTETS), F(136, 1, END_REASON), \
		F(239, 1, INITIATOR), RULE_NAME(OUT_RULE), RULE_NAME(IN_RULE), NAMES
#define DENIAL EVENT_FIELDS, F(6, 2, TCP_FLAGS), FRAME, RULE_NAME(RULE), NAMES /* tcpControlBits */
#define LAST   F(0, 0, FIELD_END)

static const struct field kinds[KIND__MAX][32] = {
	[CONNECTION_V4] = {V4, CONNECTION},
	[CONNECTION_V6] = {V6, CONNECTION},
	[DENIAL_V4] = {V4, DENIAL},
	[DENIAL_V6] = {V6, DENIAL},
	[DENIAL_ETHERNET] = {V0, EVENT_FIELDS, FRAME, RULE_NAME(RULE), NAMES},
};

static uint16_t template_of(enum kind kind)
{
	return (uint16_t)(256 + kind);
}

/* The observation domain of an agent. */
struct domain {
	char name[TW_STREAM_PEER_MAX];
	uint32_t id;
	/* Only for the sender's thread. */
	uint32_t sequence;    /* data records sent, modulo 2^32 */
	uint64_t connection;  /* connection to which the templates were sent; 0: none */
	uint64_t template_ns; /* time when they were last sent */
};

/* A message that is being made. */
struct draft {
	unsigned char bytes[TW_IPFIX_MESSAGE_MAX];
	size_t len;	   /* 0: none was begun */
	size_t set;	   /* where its last set begins; 0: none */
	uint16_t template; /* of that set */
	uint32_t n_records;
};

struct tw_ipfix {
	tw_ipfix_put *put;
	void *arg;
	unsigned int n_domains;
	unsigned int domain; /* index of the domain of `draft` */
	struct draft draft;
	struct domain domains[TW_IPFIX_DOMAINS_MAX];
};

/* ---- writing ---- */

static void put(struct draft *draft, uint64_t value, size_t bytes)
{
	for (size_t i = bytes; i--;)
		draft->bytes[draft->len++] = i < sizeof(value) ? (unsigned char)(value >> 8 * i)
							       : 0;
}

static void set_at(unsigned char *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> 8 * (bytes - 1 - i));
}

static void put_bytes(struct draft *draft, const void *bytes, size_t len)
{
	memcpy(draft->bytes + draft->len, bytes, len);
	draft->len += len;
}

/* Writes a name. `bytes` is the field's length, and zeros fill it up (RFC 7011 §6.1.6 and §7). */
static void put_name(struct draft *draft, const char *name, size_t bytes)
{
	bool variable = bytes == VARIABLE;
	size_t len = tw_clean_cut(name, variable ? TW_IPFIX_NAME_MAX : bytes);

	if (variable)
		put(draft, len, 1);
	put_bytes(draft, name, len);
	tw_clean((char *)draft->bytes + draft->len - len, len);
	if (!variable)
		put(draft, 0, bytes - len);
}

static void begin_message(struct draft *draft)
{
	draft->len = draft->set = draft->n_records = 0;
	draft->template = 0;
	put(draft, VERSION, 2);
	put(draft, 0, HEADER_BYTES - 2);
}

static void end_set(struct draft *draft)
{
	if (draft->set)
		set_at(draft->bytes + draft->set + 2, draft->len - draft->set, 2);
	draft->set = 0;
	draft->template = 0;
}

static void begin_set(struct draft *draft, uint16_t id)
{
	end_set(draft);
	draft->set = draft->len;
	draft->template = id;
	put(draft, id, 2);
	put(draft, 0, 2);
}

static void end_message(struct draft *draft)
{
	end_set(draft);
	set_at(draft->bytes + 2, draft->len, 2);
}

/* ---- records ---- */

static bool is_v4(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(addr, mapped, sizeof(mapped));
}

/* Returns the id of the name of the port where a frame entered, left or would have left the host. */
static uint32_t port_of(const struct tw_event_row *row, bool ingress)
{
	if (row->kind != TW_EVENT_ROW_DENY)
		return ingress ? row->out_port : row->in_port;
	if (row->direction == TW_DIR_OUT)
		return ingress ? row->port : 0;
	return ingress ? row->entered_by : row->port;
}

/* Returns the workload at one end. For a frame without addresses, the port that denied it still knows its own. */
static uint32_t workload_of(const struct tw_event_row *row, enum tw_dir end)
{
	uint32_t workload = end == TW_DIR_OUT ? row->from_workload : row->to_workload;

	return workload || row->kind != TW_EVENT_ROW_DENY || row->direction != end ? workload
										   : row->workload;
}

static uint32_t name_of(const struct tw_event_row *row, enum value value)
{
	switch (value) {
	case INGRESS:
	case EGRESS:
		return port_of(row, value == INGRESS);
	case FROM_WORKLOAD:
		return workload_of(row, TW_DIR_OUT);
	case TO_WORKLOAD:
		return workload_of(row, TW_DIR_IN);
	case OUT_RULE:
		return row->out_rule;
	case IN_RULE:
		return row->in_rule;
	default:
		return row->rule;
	}
}

/* IANA's registry counts octets from the IP header on; tapwall counts those of whole frames. */
static uint64_t octets(uint64_t bytes, uint64_t packets)
{
	return bytes > packets * ETHERNET_BYTES ? bytes - packets * ETHERNET_BYTES : 0;
}

static uint64_t number_of(
	const struct tw_event_reader *reader, const struct tw_event_row *row, enum value value)
{
	const char *reason = tw_dictionary_text(&reader->dictionary, row->reason);
	bool denied = row->kind == TW_EVENT_ROW_DENY;
	bool icmp = row->proto == IPPROTO_ICMP || row->proto == IPPROTO_ICMPV6;

	switch (value) {
	case START:
		return (denied ? row->time_ns : row->first_ns) / NS_PER_MS;
	case END:
		return (denied ? row->time_ns : row->last_ns) / NS_PER_MS;
	case FROM_PORT:
		return icmp ? 0 : row->from_port;
	case TO_PORT:
		return icmp ? 0 : row->to_port;
	case PROTO:
		return row->proto;
	case EVENT:
		if (denied && row->verdict == TW_V_WOULD_DENY)
			return EVENT_ALERT;
		return denied ? EVENT_DENIED : EVENT_DELETED;
	case FORWARDING:
		return tw_terms_forwarding(row, reason);
	case END_REASON:
		return tw_terms_end(reason, tw_dictionary_text(&reader->dictionary, row->state));
	case INITIATOR:
		return 1; /* biflowDirection: the source is the initiator */
	case PACKETS:
		return denied ? 1 : row->packets_out;
	case OCTETS:
		return denied ? octets(row->len, 1) : octets(row->bytes_out, row->packets_out);
	case REPLY_PACKETS:
		return row->packets_in;
	case REPLY_OCTETS:
		return octets(row->bytes_in, row->packets_in);
	case TCP_FLAGS:
		return row->tcp_flags;
	case DIRECTION:
		/* flowDirection is seen from the host: a frame that leaves a workload enters the host. */
		return row->direction == TW_DIR_OUT ? 0 : 1;
	case ETHERTYPE:
		return row->ethertype;
	case VLAN:
		return row->vlan & 0xfff;
	case ICMP:
		return icmp ? row->icmp_type : 0;
	default:
		return 0;
	}
}

static void put_field(struct draft *draft, const struct tw_event_reader *reader,
	const struct tw_event_row *row, const struct field *field)
{
	const struct tw_dictionary *dictionary = &reader->dictionary;

	switch (field->value) {
	case FROM:
		put_bytes(draft, row->from + 16 - field->len, field->len);
		return;
	case TO:
		put_bytes(draft, row->to + 16 - field->len, field->len);
		return;
	case SRC_MAC:
		put_bytes(draft, row->src_mac, 6);
		return;
	case DST_MAC:
		put_bytes(draft, row->dst_mac, 6);
		return;
	case INGRESS:
	case EGRESS:
	case FROM_WORKLOAD:
	case TO_WORKLOAD:
	case RULE:
	case OUT_RULE:
	case IN_RULE:
		put_name(draft, tw_dictionary_text(dictionary, name_of(row, field->value)),
			field->len);
		return;
	default:
		put(draft, number_of(reader, row, field->value), field->len);
	}
}

static bool find_kind(const struct tw_event_row *row, enum kind *ret)
{
	bool denied = row->kind == TW_EVENT_ROW_DENY;
	bool v4 = is_v4(row->from) && is_v4(row->to);

	if (!denied && (row->kind != TW_EVENT_ROW_CLOSE || !row->has_ends))
		return false;
	*ret = !row->has_ends ? DENIAL_ETHERNET
	       : denied	      ? v4 ? DENIAL_V4 : DENIAL_V6
	       : v4	      ? CONNECTION_V4
			      : CONNECTION_V6;
	return true;
}

static void flush(struct tw_ipfix *ipfix)
{
	struct draft *draft = &ipfix->draft;

	if (!draft->len)
		return;
	end_message(draft);
	/* The domain's index for now; tw_ipfix_stamp() replaces it by the domain's number. */
	set_at(draft->bytes + 12, ipfix->domain, 4);
	ipfix->put(ipfix->arg, draft->bytes, draft->len, draft->n_records);
	draft->len = 0;
}

static void take_row(struct tw_ipfix *ipfix, const struct tw_event_reader *reader,
	const struct tw_event_row *row)
{
	struct draft *draft = &ipfix->draft;
	enum kind kind;

	if (!find_kind(row, &kind))
		return;
	if (draft->len + SET_BYTES + RECORD_MAX > TW_IPFIX_MESSAGE_MAX)
		flush(ipfix);
	if (!draft->len)
		begin_message(draft);
	if (draft->template != template_of(kind))
		begin_set(draft, template_of(kind));
	for (const struct field *field = kinds[kind]; field->value != FIELD_END; field++)
		put_field(draft, reader, row, field);
	draft->n_records++;
}

/* ---- domains ---- */

/* FNV-1a. 0 stands for no particular domain, and is not used. */
static uint32_t hash_of(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash ? hash : 1;
}

static bool is_used(const struct tw_ipfix *ipfix, uint32_t id)
{
	for (unsigned int i = 0; i < ipfix->n_domains; i++)
		if (ipfix->domains[i].id == id)
			return true;
	return !id;
}

/* Sets the domain of the next messages. False if there is no room for it. */
static bool find_domain(struct tw_ipfix *ipfix, const char *agent)
{
	struct domain *domain;
	unsigned int i = 0;

	while (i < ipfix->n_domains && strcmp(ipfix->domains[i].name, agent) != 0)
		i++;
	ipfix->domain = i;
	if (i < ipfix->n_domains)
		return true;
	if (i == TW_IPFIX_DOMAINS_MAX || strlen(agent) >= TW_STREAM_PEER_MAX)
		return false;
	domain = &ipfix->domains[i];
	strcpy(domain->name, agent);
	domain->id = hash_of(agent);
	while (is_used(ipfix, domain->id))
		domain->id++;
	ipfix->n_domains++;
	return true;
}

size_t tw_ipfix_take(
	struct tw_ipfix *ipfix, const char *agent, const struct tw_event_reader *reader)
{
	if (!find_domain(ipfix, agent))
		return reader->n;
	for (size_t i = 0; i < reader->n; i++)
		take_row(ipfix, reader, &reader->rows[i]);
	flush(ipfix);
	return 0;
}

/* ---- sending ---- */

static void put_template(struct draft *draft, enum kind kind)
{
	size_t n = 0;

	while (kinds[kind][n].value != FIELD_END)
		n++;
	put(draft, template_of(kind), 2);
	put(draft, n, 2);
	for (size_t i = 0; i < n; i++) {
		const struct field *field = &kinds[kind][i];

		put(draft, field->element | (field->reverse ? ENTERPRISE : 0), 2);
		put(draft, field->len, 2);
		if (field->reverse)
			put(draft, REVERSE_PEN, 4);
	}
}

/* Writes the templates, and the record with the domain's name. */
static void put_templates(struct draft *draft, const struct domain *domain)
{
	begin_message(draft);
	begin_set(draft, TEMPLATE_SET);
	for (unsigned int kind = 0; kind < KIND__MAX; kind++)
		put_template(draft, kind);
	begin_set(draft, OPTIONS_SET);
	put(draft, OPTIONS_TEMPLATE, 2);
	put(draft, 2, 2);   /* fields */
	put(draft, 1, 2);   /* number of scope fields among them */
	put(draft, 149, 2); /* observationDomainId */
	put(draft, 4, 2);
	put(draft, 300, 2); /* observationDomainName */
	put(draft, VARIABLE, 2);
	begin_set(draft, OPTIONS_TEMPLATE);
	put(draft, domain->id, 4);
	put_name(draft, domain->name, VARIABLE);
	draft->n_records = 1;
	end_message(draft);
}

static void stamp_header(
	struct domain *domain, uint32_t unix_s, unsigned char *message, uint32_t n_records)
{
	set_at(message + 4, unix_s, 4);
	set_at(message + 8, domain->sequence, 4);
	set_at(message + 12, domain->id, 4);
	domain->sequence += n_records;
}

size_t tw_ipfix_stamp(struct tw_ipfix *ipfix, const struct tw_ipfix_stamp *stamp,
	unsigned char *message, uint32_t n_records, unsigned char templates[TW_IPFIX_TEMPLATES_MAX])
{
	uint32_t place = (uint32_t)message[12] << 24 | (uint32_t)message[13] << 16 |
			 (uint32_t)message[14] << 8 | message[15];
	struct domain *domain = &ipfix->domains[place];
	bool is_new = domain->connection != stamp->connection;
	struct draft draft = {0};

	if (is_new && stamp->is_stream)
		domain->sequence = 0;
	if (is_new || (!stamp->is_stream &&
			      stamp->now_ns - domain->template_ns >= TW_IPFIX_TEMPLATE_NS)) {
		put_templates(&draft, domain);
		stamp_header(domain, stamp->unix_s, draft.bytes, draft.n_records);
		memcpy(templates, draft.bytes, draft.len);
		domain->connection = stamp->connection;
		domain->template_ns = stamp->now_ns;
	}
	stamp_header(domain, stamp->unix_s, message, n_records);
	return draft.len;
}

/* ---- life ---- */

int tw_ipfix_new(tw_ipfix_put *put_message, void *arg, struct tw_ipfix **ret)
{
	struct tw_ipfix *ipfix = tw_alloc(sizeof(*ipfix));

	if (!ipfix)
		return -ENOMEM;
	ipfix->put = put_message;
	ipfix->arg = arg;
	*ret = ipfix;
	return 0;
}

void tw_ipfix_free(struct tw_ipfix *ipfix)
{
	free(ipfix);
}
