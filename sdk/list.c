/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* list.c: answers of many rows, each a response of its own. */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "sdk/sdk.h"

/* `row` points into `response`, the last one received. */
struct tapwall_list {
	struct tw_link_client *client;
	Tapwall__V1__Response *response;
	Tapwall__V1__Response__BodyCase body; /* of the rows */
	int wait_ms;
	bool ended;
	union {
		struct tapwall_port port;
		struct tapwall_flow flow;
		struct tapwall_rule rule;
		struct tapwall_workload workload;
		struct tapwall_counter counter;
		struct tapwall_agent agent;
	} row;
};

/* ---- beginning and end ---- */

static int begin(struct tapwall_handle *agent, Tapwall__V1__Request *request,
	Tapwall__V1__Response__BodyCase body, struct tapwall_list **ret,
	struct tapwall_error *error)
{
	struct tapwall_list *list = tw_alloc(sizeof(*list));
	int code;

	if (!list)
		return tw_sdk_error(error, -ENOMEM, NULL, NULL, "out of memory");
	list->body = body;
	list->wait_ms = tw_sdk_wait_ms(agent);
	code = tw_sdk_ask(agent, request, &list->client, error);
	if (code < 0) {
		tapwall_list_free(list);
		return code;
	}
	*ret = list;
	return 0;
}

static void drop_response(struct tapwall_list *list)
{
	if (list->response)
		tapwall__v1__response__free_unpacked(list->response, NULL);
	list->response = NULL;
}

void tapwall_list_free(struct tapwall_list *list)
{
	if (!list)
		return;
	drop_response(list);
	tw_link_client_free(list->client);
	free(list);
}

int tapwall_list_ports(
	struct tapwall_handle *agent, struct tapwall_list **ret, struct tapwall_error *error)
{
	Tapwall__V1__PortsRequest body = TAPWALL__V1__PORTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_PORTS;
	request.ports = &body;
	return begin(agent, &request, TAPWALL__V1__RESPONSE__BODY_PORT, ret, error);
}

int tapwall_list_flows(struct tapwall_handle *agent, const char *workload, uint32_t limit,
	struct tapwall_list **ret, struct tapwall_error *error)
{
	Tapwall__V1__FlowsRequest body = TAPWALL__V1__FLOWS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	body.workload = tw_sdk_borrow(workload);
	body.limit = limit;
	request.body_case = TAPWALL__V1__REQUEST__BODY_FLOWS;
	request.flows = &body;
	return begin(agent, &request, TAPWALL__V1__RESPONSE__BODY_FLOW, ret, error);
}

int tapwall_list_rules(
	struct tapwall_handle *agent, struct tapwall_list **ret, struct tapwall_error *error)
{
	Tapwall__V1__RulesRequest body = TAPWALL__V1__RULES_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_RULES;
	request.rules = &body;
	return begin(agent, &request, TAPWALL__V1__RESPONSE__BODY_RULE, ret, error);
}

int tapwall_list_workloads(
	struct tapwall_handle *agent, struct tapwall_list **ret, struct tapwall_error *error)
{
	Tapwall__V1__WorkloadsRequest body = TAPWALL__V1__WORKLOADS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_WORKLOADS;
	request.workloads = &body;
	return begin(agent, &request, TAPWALL__V1__RESPONSE__BODY_WORKLOAD, ret, error);
}

int tapwall_list_counters(
	struct tapwall_handle *agent, struct tapwall_list **ret, struct tapwall_error *error)
{
	Tapwall__V1__CountersRequest body = TAPWALL__V1__COUNTERS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_COUNTERS;
	request.counters = &body;
	return begin(agent, &request, TAPWALL__V1__RESPONSE__BODY_COUNTER, ret, error);
}

int tapwall_list_agents(
	struct tapwall_handle *slow, struct tapwall_list **ret, struct tapwall_error *error)
{
	Tapwall__V1__AgentsRequest body = TAPWALL__V1__AGENTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_AGENTS;
	request.agents = &body;
	return begin(slow, &request, TAPWALL__V1__RESPONSE__BODY_AGENT, ret, error);
}

/* ---- rows ---- */

/* Receives the next row into list->response. Returns as tapwall_list_next_port() does. */
static int next_row(struct tapwall_list *list, Tapwall__V1__Response__BodyCase body,
	struct tapwall_error *error)
{
	int code;

	if (list->body != body)
		return tw_sdk_error(error, -EINVAL, NULL, "use the function of the list's type",
			"the rows of this list are of another type");
	drop_response(list);
	while (!list->ended) {
		code = tw_sdk_receive(list->client, list->wait_ms, &list->response, error);
		if (code == -EAGAIN)
			return tw_sdk_error(error, -ETIMEDOUT, NULL, "see what the agent logs",
				"the agent does not answer");
		if (code == -EINTR)
			return code;
		list->ended = code < 0 || list->response->last;
		if (code < 0)
			return code;
		if (list->response->body_case == body)
			return 1;
		drop_response(list);
	}
	return 0;
}

static void fill_port(const Tapwall__V1__Port *p, struct tapwall_port *ret)
{
	*ret = (struct tapwall_port){
		.name = p->name,
		.ifindex = p->ifindex,
		.workload = p->workload,
		.state = p->state,
		.mac = p->mac,
		.addresses = (const char *const *)p->addresses,
		.n_addresses = p->n_addresses,
		.bridge = p->bridge,
		.packets_out = p->packets_out,
		.packets_in = p->packets_in,
		.bytes_out = p->bytes_out,
		.bytes_in = p->bytes_in,
		.denied_out = p->denied_out,
		.denied_in = p->denied_in,
		.half_open = p->half_open,
		.established = p->established,
		.open = p->open,
		.why = p->why,
		.trouble = p->trouble,
	};
}

int tapwall_list_next_port(
	struct tapwall_list *list, const struct tapwall_port **ret, struct tapwall_error *error)
{
	int got = next_row(list, TAPWALL__V1__RESPONSE__BODY_PORT, error);

	if (got <= 0)
		return got;
	fill_port(list->response->port, &list->row.port);
	*ret = &list->row.port;
	return 1;
}

static void fill_flow(const Tapwall__V1__Flow *f, struct tapwall_flow *ret)
{
	*ret = (struct tapwall_flow){
		.proto = f->proto,
		.state = f->state,
		.packets_out = f->packets_out,
		.packets_in = f->packets_in,
		.bytes_out = f->bytes_out,
		.bytes_in = f->bytes_in,
		.age_s = f->age_s,
		.idle_s = f->idle_s,
		.network = f->network,
		.icmp_type = (uint16_t)f->icmp_type,
	};
	tw_sdk_end(f->from, &ret->from);
	tw_sdk_end(f->to, &ret->to);
	tw_sdk_gate(f->out, &ret->out);
	tw_sdk_gate(f->in, &ret->in);
}

int tapwall_list_next_flow(
	struct tapwall_list *list, const struct tapwall_flow **ret, struct tapwall_error *error)
{
	int got = next_row(list, TAPWALL__V1__RESPONSE__BODY_FLOW, error);

	if (got <= 0)
		return got;
	fill_flow(list->response->flow, &list->row.flow);
	*ret = &list->row.flow;
	return 1;
}

int tapwall_list_next_rule(
	struct tapwall_list *list, const struct tapwall_rule **ret, struct tapwall_error *error)
{
	int got = next_row(list, TAPWALL__V1__RESPONSE__BODY_RULE, error);
	const Tapwall__V1__Rule *r;

	if (got <= 0)
		return got;
	r = list->response->rule;
	list->row.rule = (struct tapwall_rule){
		.name = r->name,
		.action = r->action,
		.hits = r->hits,
		.packets = r->packets,
		.bytes = r->bytes,
		.last_hit_s = r->last_hit_s,
		.line = r->line,
		.text = r->text,
	};
	*ret = &list->row.rule;
	return 1;
}

int tapwall_list_next_workload(
	struct tapwall_list *list, const struct tapwall_workload **ret, struct tapwall_error *error)
{
	int got = next_row(list, TAPWALL__V1__RESPONSE__BODY_WORKLOAD, error);
	const Tapwall__V1__Workload *w;

	if (got <= 0)
		return got;
	w = list->response->workload;
	list->row.workload = (struct tapwall_workload){
		.name = w->name,
		.port = w->port,
		.state = w->state,
		.mac = w->mac,
		.addresses = (const char *const *)w->addresses,
		.n_addresses = w->n_addresses,
	};
	*ret = &list->row.workload;
	return 1;
}

int tapwall_list_next_counter(
	struct tapwall_list *list, const struct tapwall_counter **ret, struct tapwall_error *error)
{
	int got = next_row(list, TAPWALL__V1__RESPONSE__BODY_COUNTER, error);
	const Tapwall__V1__Counter *c;

	if (got <= 0)
		return got;
	c = list->response->counter;
	list->row.counter = (struct tapwall_counter){
		.reason = c->reason, .text = c->text, .out = c->out, .in = c->in};
	*ret = &list->row.counter;
	return 1;
}

int tapwall_list_next_agent(
	struct tapwall_list *list, const struct tapwall_agent **ret, struct tapwall_error *error)
{
	int got = next_row(list, TAPWALL__V1__RESPONSE__BODY_AGENT, error);
	const Tapwall__V1__Agent *a;

	if (got <= 0)
		return got;
	a = list->response->agent;
	list->row.agent = (struct tapwall_agent){
		.name = a->name,
		.host = a->host,
		.version = a->version,
		.connected = a->connected,
		.address = a->address,
		.since_s = a->since_s,
		.contact_s = a->contact_s,
		.policy_generation = a->policy_generation,
		.policy_source = a->policy_source,
		.why = a->why,
	};
	*ret = &list->row.agent;
	return 1;
}
