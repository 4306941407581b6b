/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* record.c: installs answers for rules that ask, before any question is asked. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/observe/asks.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "base/alloc.h"
#include "base/clean.h"
#include "base/log.h"
#include "fastpath/abi/names.h"
#include "fastpath/abi/special.h"

#define RECORDS_MAX   64
#define ADDRESSES_MAX 16 /* single addresses of one end of a record */
#define TARGETS_MAX   2048

/* An answer to install. */
struct target {
	struct tw_ask_key key;
	uint32_t payer_id;
	struct tw_answer_given given;
};

/* The answers of a request, collected before the first is installed. */
struct targets {
	struct tw_answer_ctx *ctx;
	const struct tw_inforce *inforce;
	struct tw_err *err;
	struct target *at;
	size_t n;
};

struct addresses {
	struct tw_addr at[ADDRESSES_MAX];
	size_t n;
};

/* ---- one pair of addresses ---- */

/* Returns the port of this host that judges a workload's address; NULL: none. */
static const struct tw_agent_port *port_of(
	const struct targets *targets, const struct tw_addr *addr)
{
	const struct tw_vnic *vnic = tw_policy_find_owner(targets->inforce->policy, addr);
	uint32_t parity = targets->ctx->host->epoch & 1;

	if (!vnic)
		return NULL;
	tw_vec_foreach (&targets->ctx->host->ports->list, port)
		if ((*port)->vnic == vnic && (*port)->has_entry[parity])
			return *port;
	return NULL;
}

static void make_key(const struct targets *targets, const struct tw_agent_port *port,
	enum tw_dir end, const struct tw_first_packet *about, size_t rule, struct tw_ask_key *ret)
{
	const struct tw_port *entry = &port->entry[targets->ctx->host->epoch & 1];

	*ret = (struct tw_ask_key){
		.src = about->from,
		.dst = about->to,
		.sport = htons(about->sport),
		.dport = htons(about->detail),
		.network = entry->network,
		.owner = entry->flags & TW_PORT_FOREIGN ? entry->id : 0,
		.tags = tw_key_tags(entry->pvid, 0, about->proto),
		.rule = targets->inforce->slots[rule],
		.port_id = entry->id,
		.end = (uint8_t)end,
		.scope = TW_ASK_CONNECTION,
	};
}

static int refuse_denied(const struct targets *targets, const struct tw_rule_info *rule)
{
	return tw_err_set(targets->err, -EPERM, rule->name, "change the rule to action: ask",
		"the policy denies the connection, and a record allows only what a rule asks about");
}

/* Adds the answer for one end. Sets *ret_asks if the rule of that end asks. */
static int add_end(struct targets *targets, enum tw_dir end, const struct tw_agent_port *port,
	uint32_t payer_id, const struct tw_first_packet *about, const struct tw_answer_given *given,
	bool *ret_asks)
{
	size_t rule = tw_policy_match(targets->inforce->policy, port->vnic->space, end, about);
	const struct tw_rule_info *info = tw_policy_rule(targets->inforce->policy, rule);
	struct target *target = &targets->at[targets->n];

	if (info->action == TW_V_ALLOW)
		return 0;
	if (info->action != TW_V_ASK)
		return refuse_denied(targets, info);
	if (targets->n == TARGETS_MAX)
		return tw_err_set(targets->err, -E2BIG, "records", "send fewer at once",
			"the request needs more than %d answers", TARGETS_MAX);
	make_key(targets, port, end, about, rule, &target->key);
	target->payer_id = payer_id;
	target->given = *given;
	targets->n++;
	*ret_asks = true;
	return 0;
}

static int add_pair(struct targets *targets, const struct tw_first_packet *about,
	const struct tw_answer_given *given)
{
	const struct tw_agent_port *from = port_of(targets, &about->from),
				   *to = port_of(targets, &about->to);
	bool asks = false;
	int ret = 0;

	if (!from && !to)
		return tw_err_set(targets->err, -ENOENT, "record", "ask the agent of the host",
			"no port of this host judges the connection");
	if (from)
		ret = add_end(targets, TW_DIR_OUT, from, from->id, about, given, &asks);
	if (!ret && to)
		ret = add_end(
			targets, TW_DIR_IN, to, from ? from->id : to->id, about, given, &asks);
	if (!ret && !asks)
		ret = tw_err_set(targets->err, -EEXIST, "record", "no record is needed",
			"the policy allows the connection");
	return ret;
}

/* ---- one record ---- */

static int refuse_word(const struct targets *targets, const char *what, const char *hint)
{
	return tw_err_set(targets->err, -EINVAL, what, hint, "the record is invalid");
}

/* Reads an address, or the single addresses of a workload. */
static int read_end(
	const struct targets *targets, const char *place, const char *text, struct addresses *ret)
{
	const struct tw_policy *policy = targets->inforce->policy;

	ret->n = 0;
	if (!tw_addr_parse(text, &ret->at[0])) {
		ret->n = 1;
		return 0;
	}
	for (size_t i = 0; text[0] && i < tw_policy_n_vnics(policy); i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(policy, i);

		if (strcmp(vnic->workload, text) != 0)
			continue;
		for (size_t k = 0; k < vnic->n_prefixes && ret->n < ADDRESSES_MAX; k++)
			if (vnic->prefixes[k].len == 128)
				ret->at[ret->n++] = vnic->prefixes[k].addr;
	}
	if (ret->n)
		return 0;
	return tw_err_set(targets->err, -ENOENT, place, "tapwall workloads lists workloads",
		"%s is no address, and no workload with an address of its own",
		tw_cleaned(text).text);
}

static int read_proto(const char *text, uint8_t *ret)
{
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmp", IPPROTO_ICMP},
		{"icmp6", IPPROTO_ICMPV6}};
	unsigned long number;
	char *end;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].name, text)) {
			*ret = names[i].number;
			return 0;
		}
	number = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || number > 255)
		return -EINVAL;
	*ret = (uint8_t)number;
	return 0;
}

static int read_given(const struct targets *targets, const Tapwall__V1__Record *record,
	struct tw_answer_given *ret)
{
	if (!strcmp(record->verdict, "allow"))
		ret->verdict = TW_V_ALLOW;
	else if (!strcmp(record->verdict, "deny"))
		ret->verdict = TW_V_DENY;
	else
		return refuse_word(targets, "verdict", "write allow or deny");
	if (record->until_policy && record->from_port)
		return refuse_word(targets, "until_policy", "leave out from_port");
	ret->scope = record->from_port	    ? TW_ASK_CONNECTION
		     : record->until_policy ? TW_ASK_POLICY
					    : TW_ASK_PAIR;
	/* The negated comparison also refuses NaN. */
	if (!(record->ttl_s >= 0))
		return refuse_word(targets, "ttl_s", "write 0 for the default");
	ret->ttl_s = record->ttl_s < TW_ANSWERS_TTL_MAX ? (uint32_t)record->ttl_s
							: TW_ANSWERS_TTL_MAX;
	if (record->ttl_s > 0 && !ret->ttl_s)
		ret->ttl_s = 1;
	if (!ret->ttl_s)
		ret->ttl_s = TW_ANSWERS_TTL_PAIR;
	return 0;
}

static int read_about(const struct targets *targets, const Tapwall__V1__Record *record,
	struct tw_first_packet *ret)
{
	bool icmp, ports;

	if (read_proto(record->proto, &ret->proto) < 0)
		return refuse_word(targets, "proto", "write tcp, udp, icmp, icmp6 or a number");
	icmp = ret->proto == IPPROTO_ICMP || ret->proto == IPPROTO_ICMPV6;
	ports = ret->proto == IPPROTO_TCP || ret->proto == IPPROTO_UDP;
	if (record->from_port > 65535 || record->to_port > 65535 || record->icmp_type > 65535)
		return refuse_word(targets, "port", "write at most 65535");
	if (ports != (record->to_port != 0) || (record->from_port && !ports) ||
		(record->icmp_type && !icmp))
		return refuse_word(
			targets, "to_port", "tcp and udp have ports, icmp and icmp6 a type");
	ret->sport = (uint16_t)record->from_port;
	ret->detail = (uint16_t)(icmp ? record->icmp_type : record->to_port);
	return 0;
}

static bool is_v4(const struct tw_addr *addr)
{
	return !addr->d[0] && addr->w[2] == htonl(0xffff);
}

static int add_record(struct targets *targets, const Tapwall__V1__Record *record)
{
	struct addresses from, to;
	struct tw_answer_given given = {0};
	struct tw_first_packet about = {0};
	size_t before = targets->n;
	int ret = read_given(targets, record, &given);

	if (!ret)
		ret = read_about(targets, record, &about);
	if (!ret)
		ret = read_end(targets, "from", record->from, &from);
	if (!ret)
		ret = read_end(targets, "to", record->to, &to);
	for (size_t i = 0; !ret && i < from.n; i++)
		for (size_t k = 0; !ret && k < to.n; k++) {
			about.from = from.at[i];
			about.to = to.at[k];
			if (is_v4(&about.from) == is_v4(&about.to))
				ret = add_pair(targets, &about, &given);
		}
	if (!ret && targets->n == before)
		ret = refuse_word(targets, "to", "name two addresses of one family");
	return ret;
}

/* ---- the request ---- */

static void log_target(const struct targets *targets, const struct target *target)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	uint32_t rule = 0;

	while (targets->inforce->slots[rule] != target->key.rule)
		rule++;
	tw_log(TW_LOG_INFO, "record: %s %s to %s port %u for %u s%s, by rule %s",
		tw_verdict_name(target->given.verdict), tw_addr_format(&target->key.src, from),
		tw_addr_format(&target->key.dst, to), ntohs(target->key.dport), target->given.ttl_s,
		target->given.scope == TW_ASK_POLICY ? " or until the policy changes" : "",
		tw_policy_rule(targets->inforce->policy, rule)->name);
}

static int install_all(struct targets *targets, Tapwall__V1__Installed *installed)
{
	for (size_t i = 0; i < targets->n; i++) {
		const struct target *target = &targets->at[i];
		int ret = tw_asks_install(targets->ctx->telemetry->asks, &target->key,
			target->payer_id, &target->given);

		if (ret < 0)
			return tw_err_set(targets->err, ret, "record",
				"remove others, or wait until they end",
				"cannot install answer %zu of %zu: %s", i + 1, targets->n,
				strerror(-ret));
		installed->answers++;
		log_target(targets, target);
	}
	return 0;
}

static int collect(struct targets *targets, const Tapwall__V1__InstallRequest *request)
{
	int ret = 0;

	if (!targets->inforce)
		return tw_err_set(
			targets->err, -ENOENT, "policy", "apply one", "no policy is in force");
	if (!request->n_records || request->n_records > RECORDS_MAX)
		return tw_err_set(targets->err, -EINVAL, "records", "send 1 to 64 at once",
			"the request has %zu records", request->n_records);
	targets->at = tw_alloc_array(TARGETS_MAX + 1, sizeof(*targets->at));
	if (!targets->at)
		return tw_err_set(targets->err, -ENOMEM, "records", NULL, "out of memory");
	for (size_t i = 0; !ret && i < request->n_records; i++)
		ret = add_record(targets, request->records[i]);
	return ret;
}

int tw_answer_install(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Installed installed = TAPWALL__V1__INSTALLED__INIT;
	struct tw_err err = {0};
	struct targets targets = {.ctx = ctx, .inforce = ctx->enforcement->inforce, .err = &err};
	int ret = collect(&targets, request->install);

	if (!ret)
		ret = install_all(&targets, &installed);
	free(targets.at);
	if (ret < 0)
		return tw_answer_error(out, request->id, &response, &err);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_INSTALLED;
	response.installed = &installed;
	return tw_answer_send(out, request->id, &response, true);
}
