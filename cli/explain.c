/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/file.h"
#include "base/vec.h"
#include "cli/agent.h"
#include "cli/batch.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "cli/style.h"
#include "fastpath/abi/names.h"

/* A tuple is judged by itself. Transit workloads at both ends keep one record each. */
#define CONNS_MAX 16

/* ---- the policy ---- */

struct policy_text {
	struct tw_buf text;
	char source[256];
	TW_VEC(struct tw_learned) learned;
};

static int on_policy(void *arg, const Tapwall__V1__Response *response)
{
	const Tapwall__V1__PolicyText *policy = response->policy;
	struct policy_text *text = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_POLICY)
		return TW_EXIT_OK;
	tw_buf_add(&text->text, policy->text.data, policy->text.len);
	for (size_t i = 0; i < policy->n_learned; i++) {
		struct tw_learned learned = {.vnic = policy->learned[i]->vnic};

		if (!tw_addr_parse(policy->learned[i]->address, &learned.addr) &&
			tw_vec_push(&text->learned, learned) < 0)
			return tw_report_memory();
	}
	if (policy->source[0])
		snprintf(text->source, sizeof(text->source), "%s", policy->source);
	return text->text.failed ? tw_report_memory() : TW_EXIT_OK;
}

static int fetch_policy(const char *socket, struct policy_text *text)
{
	Tapwall__V1__PolicyRequest body = TAPWALL__V1__POLICY_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = socket, .answer = on_policy, .arg = text};

	snprintf(text->source, sizeof(text->source), "policy in force");
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY;
	request.policy = &body;
	return tw_agent_ask(&call, &request);
}

static int read_live(const char *socket, struct policy_text *text, struct tw_policy **ret)
{
	struct tw_diags diags = {0};
	int code = fetch_policy(socket, text);

	if (code)
		return code;
	if (!text->text.len)
		return tw_report_error(
			TW_EXIT_NO, socket, "apply one first", "no policy is in force");
	code = tw_policy_read_unchecked(
		text->text.data, text->text.len, text->learned.at, text->learned.n, ret, &diags);
	if (!code)
		tw_policy_expire(*ret, time(NULL));
	if (code < 0)
		tw_report_diags(
			&(struct tw_report_source){text->source, text->text.data, text->text.len},
			&diags);
	tw_diags_done(&diags);
	if (code == -ENOMEM)
		return tw_report_memory();
	return code < 0 ? TW_EXIT_NO : TW_EXIT_OK;
}

/* ---- matching live connections ---- */

static bool same_end(
	const Tapwall__V1__End *end, const struct tw_addr *addr, bool any_port, uint16_t port)
{
	struct tw_addr other;

	if (!end || tw_addr_parse(end->address, &other) < 0)
		return false;
	return !memcmp(&other, addr, sizeof(other)) && (any_port || end->port == port);
}

static bool same_flow(const struct tw_query *tuple, const Tapwall__V1__Flow *flow)
{
	bool ports = tw_tuple_has_ports(tuple->proto);
	char number[4];

	return !strcmp(flow->proto, tw_tuple_proto_name(tuple->proto, number)) &&
	       same_end(flow->from, &tuple->addr[TW_DIR_OUT], !ports || tuple->sport_chosen,
		       tuple->sport) &&
	       same_end(flow->to, &tuple->addr[TW_DIR_IN], !ports, tuple->dport);
}

/* Copies a response by packing and unpacking it. */
static Tapwall__V1__Response *copy_response(const Tapwall__V1__Response *response)
{
	size_t len = tapwall__v1__response__get_packed_size(response);
	tw_autofree uint8_t *bytes = tw_alloc(len);

	if (!bytes)
		return NULL;
	tapwall__v1__response__pack(response, bytes);
	return tapwall__v1__response__unpack(NULL, len, bytes);
}

static int on_flow(void *arg, const Tapwall__V1__Response *response)
{
	struct tw_explained *explained = arg;
	Tapwall__V1__Response *copy;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_FLOW ||
		!same_flow(&explained->tuple, response->flow))
		return TW_EXIT_OK;
	if (explained->n_flows < TW_EXPLAIN_FLOWS_MAX) {
		copy = copy_response(response);
		if (!copy)
			return tw_report_memory();
		explained->flows[explained->n_flows] = copy;
	}
	explained->n_flows++;
	return TW_EXIT_OK;
}

static int find_flows(const char *socket, struct tw_explained *explained)
{
	const struct tw_query *tuple = &explained->tuple;
	const struct tw_vnic *vnic = tuple->vnic[TW_DIR_OUT] ? tuple->vnic[TW_DIR_OUT]
							     : tuple->vnic[TW_DIR_IN];
	Tapwall__V1__FlowsRequest body = TAPWALL__V1__FLOWS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = socket, .answer = on_flow, .arg = explained};

	if (!vnic)
		return TW_EXIT_OK;
	body.workload = (char *)vnic->workload;
	request.body_case = TAPWALL__V1__REQUEST__BODY_FLOWS;
	request.flows = &body;
	return tw_agent_ask(&call, &request);
}

static void free_flows(struct tw_explained *explained)
{
	for (size_t i = 0; i < TW_EXPLAIN_FLOWS_MAX; i++)
		if (explained->flows[i])
			tapwall__v1__response__free_unpacked(explained->flows[i], NULL);
}

/* ---- the ports as they are on this host ---- */

struct live_ports {
	const struct tw_policy *policy;
	struct tw_explained_port *ports; /* by vNIC */
	enum tw_real *real;		 /* by vNIC */
};

static void live_ports_done(struct live_ports *live)
{
	free(live->ports);
	free(live->real);
}

static enum tw_real real_of(const Tapwall__V1__Port *port)
{
	if (!strcmp(port->state, "protected") || !strcmp(port->state, "observed"))
		return TW_REAL_JUDGED;
	return port->open || !strcmp(port->state, "unfiltered") ? TW_REAL_OPEN : TW_REAL_SHUT;
}

/* True if the agent has bound the port to this vNIC. Another port may have the vNIC's port name. */
static bool is_bound(const struct tw_vnic *vnic, const Tapwall__V1__Port *port)
{
	char mac[24];

	if (strcmp(vnic->workload, port->workload) != 0)
		return false;
	if (!vnic->has_mac)
		return !port->mac[0] && vnic->port && !strcmp(vnic->port, port->name);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", vnic->mac[0], vnic->mac[1],
		vnic->mac[2], vnic->mac[3], vnic->mac[4], vnic->mac[5]);
	return !strcasecmp(mac, port->mac);
}

static void note_port(struct live_ports *live, const struct tw_vnic *vnic,
	const Tapwall__V1__Port *port, bool bound)
{
	struct tw_explained_port *found = &live->ports[vnic->index];

	snprintf(found->name, sizeof(found->name), "%s", port->name);
	snprintf(found->state, sizeof(found->state), "%s", tw_style_state(port->state, port->open));
	snprintf(found->why, sizeof(found->why), "%s",
		port->why[0]	   ? port->why
		: port->trouble[0] ? port->trouble
		: port->open	   ? "no workload of the policy has it"
		: port->latched	   ? "the latch keeps it shut until programs are attached"
				   : "");
	found->proof_age_s = port->proof_age_s;
	found->bound = bound;
	live->real[vnic->index] = real_of(port);
}

static int on_port(void *arg, const Tapwall__V1__Response *response)
{
	const Tapwall__V1__Port *port = response->port;
	struct live_ports *live = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_PORT)
		return TW_EXIT_OK;
	for (size_t i = 0; i < tw_policy_n_vnics(live->policy); i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(live->policy, i);
		bool bound = is_bound(vnic, port);

		/* A port with the vNIC's port name does not count if it is bound to another
		 * workload. */
		if (bound || (!port->workload[0] && !live->ports[i].bound && vnic->port &&
				     !strcmp(vnic->port, port->name)))
			note_port(live, vnic, port, bound);
	}
	return TW_EXIT_OK;
}

static int find_ports(const char *socket, const struct tw_policy *policy, struct live_ports *live)
{
	Tapwall__V1__PortsRequest body = TAPWALL__V1__PORTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = socket, .answer = on_port, .arg = live};
	size_t n = tw_policy_n_vnics(policy);

	live->policy = policy;
	live->ports = tw_alloc_array(n, sizeof(*live->ports));
	live->real = tw_alloc_array(n, sizeof(*live->real));
	if (!live->ports || !live->real)
		return tw_report_memory();
	for (size_t i = 0; i < n; i++) {
		live->real[i] = TW_REAL_ABSENT;
		live->ports[i].proof_age_s = -1;
	}
	body.prove = true;
	request.body_case = TAPWALL__V1__REQUEST__BODY_PORTS;
	request.ports = &body;
	return tw_agent_ask(&call, &request);
}

/* ---- the verb ---- */

static int answer_one(const struct tw_explain_options *options, struct tw_explained *explained)
{
	int code;

	if (options->json) {
		code = tw_explain_json(explained);
		if (code)
			return code;
	} else {
		tw_explain_text(explained);
	}
	return strcmp(tw_judgement_verdict(&explained->judgement), "allow") &&
			       explained->judgement.decider >= 0
		       ? TW_EXIT_NO
		       : TW_EXIT_OK;
}

static int explain_one(const struct tw_explain_options *options, struct tw_judge *judge,
	const char *file, const struct tw_explained_port *ports)
{
	struct tw_tuple_words words = {
		.end = {[TW_DIR_OUT] = options->from, [TW_DIR_IN] = options->to},
		.proto = options->proto,
		.sport = options->sport,
		.dport = options->dport,
		.type = options->type,
		.code = options->code,
	};
	struct tw_explained explained = {
		.judge = judge, .file = file, .live = options->live, .ports = ports};
	struct tw_err err = {0};
	int code = TW_EXIT_OK;

	if (tw_tuple_read(judge->policy, &words, &explained.tuple, &err) < 0) {
		char option[sizeof(err.place) + 2];

		snprintf(option, sizeof(option), "--%s", err.place);
		return tw_report_error(TW_EXIT_USAGE, option, err.hint, "%s", err.text);
	}
	tw_judge_tuple(judge, &explained.tuple, &explained.judgement);
	if (options->live)
		code = find_flows(options->socket, &explained);
	if (!code)
		code = answer_one(options, &explained);
	free_flows(&explained);
	return code;
}

/* The words of a service, and the options that they stand for. */
struct service_words {
	char text[64];
	char *proto, *dport, *type, *code;
};

/* Cuts a service at its first / and . */
static bool cut_service(const char *service, struct service_words *ret)
{
	char *rest;

	if ((size_t)snprintf(ret->text, sizeof(ret->text), "%s", service) >= sizeof(ret->text))
		return false;
	rest = strchr(ret->text, '/');
	if (rest)
		*rest++ = '\0';
	ret->proto = ret->text;
	if (!strcmp(ret->proto, "proto")) {
		ret->proto = rest;
		return rest != NULL;
	}
	if (strncmp(ret->proto, "icmp", strlen("icmp")) != 0) {
		ret->dport = rest;
		return true;
	}
	ret->type = rest;
	ret->code = rest ? strchr(rest, '.') : NULL;
	if (ret->code)
		*ret->code++ = '\0';
	return true;
}

static bool put_word(const char **option, const char *word)
{
	if (*option && word)
		return false;
	*option = word ? word : *option;
	return true;
}

/* Puts the words without options into the options that they stand for. */
static int take_words(struct tw_explain_options *options, struct service_words *service)
{
	const char *const *words = options->words;

	if (words[2] && !cut_service(words[2], service))
		return tw_report_error(TW_EXIT_USAGE, "SERVICE", "write tcp/5432, icmp or proto/47",
			"invalid service '%s'", tw_cleaned(words[2]).text);
	if (!put_word(&options->from, words[0]) || !put_word(&options->to, words[1]) ||
		!put_word(&options->proto, service->proto) ||
		!put_word(&options->dport, service->dport) ||
		!put_word(&options->type, service->type) ||
		!put_word(&options->code, service->code))
		return tw_report_error(TW_EXIT_USAGE, "explain", "give it once",
			"an argument and an option give the same value");
	return TW_EXIT_OK;
}

static int check_options(struct tw_explain_options *options, struct service_words *service)
{
	int code = take_words(options, service);

	if (code)
		return code;
	if (options->policy && options->live)
		return tw_report_error(
			TW_EXIT_USAGE, "explain", "see --help", "give either --policy or --live");
	options->live = !options->policy;
	if (options->batch && (options->from || options->to || options->proto || options->sport ||
				      options->dport || options->type || options->code))
		return tw_report_error(TW_EXIT_USAGE, "--batch", "see --help",
			"takes the connections from stdin, not from options");
	return TW_EXIT_OK;
}

int tw_explain_run(const void *values)
{
	struct tw_explain_options copy = *(const struct tw_explain_options *)values;
	const struct tw_explain_options *options = &copy;
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct service_words service = {0};
	struct policy_text text = {0};
	struct live_ports live = {0};
	struct tw_judge judge = {0};
	const char *file = options->policy;
	int code = check_options(&copy, &service);

	if (!code && options->live) {
		code = read_live(options->socket, &text, &policy);
		file = text.source;
	} else if (!code) {
		code = tw_report_policy(options->policy, false, &policy);
	}
	if (!code)
		code = tw_report_judge(&judge, policy, CONNS_MAX, tw_file_label(file));
	if (!code && options->live) {
		code = find_ports(options->socket, policy, &live);
		judge.real = live.real;
	}
	if (!code && options->batch)
		code = tw_batch_run(&judge, STDIN_FILENO);
	else if (!code)
		code = explain_one(options, &judge, tw_file_label(file), live.ports);
	live_ports_done(&live);
	tw_judge_done(&judge);
	tw_buf_done(&text.text);
	tw_vec_done(&text.learned);
	return code;
}
