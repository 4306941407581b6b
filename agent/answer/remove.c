/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* remove.c: ends connections and removes answers about them. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/observe/asks.h"
#include "agent/observe/describe.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "base/log.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/load.h"
#include "fastpath/kernel/walk.h"
#include "fastpath/path/conntrack/expiry.h"
#include "policy/policy.h"

/* Addresses that begin with the same bits. */
struct prefix_bits {
	struct tw_addr addr;
	uint32_t len;
	bool given; /* false: all addresses, of both families */
};

#define STEPS	      8 /* steps of the walk per turn */
#define EXPIRED_TICKS 2 /* an ended record looks as if it expired this many ticks ago */

/* A walk through the connection table that ends the connections that `wanted` matches. */
struct remove_stream {
	struct tw_responses base;
	struct tw_answer_ctx *ctx;
	Tapwall__V1__RemoveRequest wanted; /* its texts are below */
	char *texts[5];
	struct prefix_bits network; /* `wanted.network` */
	struct tw_walk walk;
	Tapwall__V1__Removed removed;
};

/* ---- what is wanted ---- */

/* Reads an address or a CIDR. An empty text matches everything. Returns 0 or -EINVAL. */
static int read_network(const char *text, struct prefix_bits *ret)
{
	char address[INET6_ADDRSTRLEN + 1];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char *end = NULL;
	unsigned long bits;
	bool v4;

	*ret = (struct prefix_bits){0};
	if (!text[0])
		return 0;
	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	if (tw_addr_parse(address, &ret->addr) < 0)
		return -EINVAL;
	v4 = !strchr(address, ':');
	bits = slash ? strtoul(slash + 1, &end, 10) : v4 ? 32u : 128u;
	if ((slash && (!end || end == slash + 1 || *end)) || bits > (v4 ? 32u : 128u))
		return -EINVAL;
	ret->len = (uint32_t)bits + (v4 ? 96u : 0);
	ret->given = true;
	return 0;
}

static bool is_within(const struct prefix_bits *network, const struct tw_addr *addr)
{
	uint32_t whole = network->len / 8, rest = network->len % 8;

	/* Short IPv6 prefixes include the mapped IPv4 addresses. */
	if (network->len < 96 && tw_addr_is_v4(addr))
		return false;
	return !memcmp(network->addr.b, addr->b, whole) &&
	       (!rest || !((network->addr.b[whole] ^ addr->b[whole]) >> (8 - rest)));
}

/* True if an end has the wanted address. */
static bool is_there(const struct remove_stream *stream, const Tapwall__V1__End *end)
{
	struct tw_addr addr;

	return !stream->network.given ||
	       (!tw_addr_parse(end->address, &addr) && is_within(&stream->network, &addr));
}

static bool is_decided(const Tapwall__V1__Gate *gate, const char *rule)
{
	return gate && !strcmp(gate->rule, rule);
}

static bool is_end(const Tapwall__V1__End *end, const char *name, uint32_t port)
{
	return (!name[0] || !strcmp(name, end->address) || !strcmp(name, end->workload)) &&
	       (!port || port == end->port);
}

static bool is_wanted(const struct remove_stream *stream, const Tapwall__V1__Flow *flow)
{
	const Tapwall__V1__RemoveRequest *wanted = &stream->wanted;

	return is_end(flow->from, wanted->from, wanted->from_port) &&
	       is_end(flow->to, wanted->to, wanted->to_port) &&
	       (!wanted->proto[0] || !strcmp(wanted->proto, flow->proto)) &&
	       (!wanted->port || wanted->port == flow->from->port ||
		       wanted->port == flow->to->port) &&
	       (!wanted->workload[0] || !strcmp(wanted->workload, flow->from->workload) ||
		       !strcmp(wanted->workload, flow->to->workload)) &&
	       (is_there(stream, flow->from) || is_there(stream, flow->to)) &&
	       (!wanted->rule[0] || is_decided(flow->out, wanted->rule) ||
		       is_decided(flow->in, wanted->rule));
}

static bool is_wanted_answer(void *arg, const struct tw_ask_key *about)
{
	const struct remove_stream *stream = arg;
	struct tw_described_flow described;

	/* An answer has no rule, so a request by rule does not remove it. */
	tw_describe_asked(stream->ctx->telemetry, about, &described);
	return is_wanted(stream, &described.flow);
}

/* True if a port of one of the workloads adopts TCP connections. */
static bool is_adopting(const struct tw_answer_ctx *ctx, const Tapwall__V1__Flow *flow)
{
	uint32_t parity = ctx->host->epoch & 1, now = tw_ticks_now();

	if (strcmp(flow->proto, "tcp") != 0)
		return false;
	tw_vec_foreach (&ctx->host->ports->list, at) {
		const struct tw_agent_port *port = *at;
		const struct tw_port *entry = &port->entry[parity];

		if (port->vnic && port->has_entry[parity] && entry->image &&
			(entry->flags & (TW_PORT_F_OBSERVED | TW_PORT_F_LIBERAL) ||
				(entry->adopt_until && (int32_t)(entry->adopt_until - now) > 0)) &&
			(!strcmp(port->vnic->workload, flow->from->workload) ||
				!strcmp(port->vnic->workload, flow->to->workload)))
			return true;
	}
	return false;
}

/* ---- the stream ---- */

static void remove_done(struct tw_responses *base)
{
	struct remove_stream *stream = (struct remove_stream *)base;

	tw_walk_done(&stream->walk);
	for (size_t i = 0; i < sizeof(stream->texts) / sizeof(stream->texts[0]); i++)
		free(stream->texts[i]);
	free(stream);
}

/* Ends a record. The programs' sweep reports it and corrects the charges. */
static void end_record(struct remove_stream *stream, const struct tw_config *config,
	uint32_t bucket, size_t i, uint32_t now)
{
	const struct tw_conn *conn = &stream->walk.conns[i];
	struct tw_described_flow described;
	uint32_t seen;

	if (tw_conn_expired(config, conn, now, 0))
		return;
	tw_describe_flow(stream->ctx->telemetry, &stream->walk.keys[i], conn, now, &described);
	if (!is_wanted(stream, &described.flow))
		return;
	seen = now - config->timeout[conn->progress.state] - EXPIRED_TICKS;
	if (tw_conns_expire(&stream->walk.table, bucket, stream->walk.bucket, conn, seen)) {
		stream->removed.connections++;
		stream->removed.adopting += is_adopting(stream->ctx, &described.flow);
	} else {
		stream->removed.missed++;
	}
}

static int send_removed(struct remove_stream *stream, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	int ret;

	stream->removed.answers = tw_asks_remove(
		stream->ctx->telemetry->asks, is_wanted_answer, stream);
	tw_log(TW_LOG_INFO, "removed on request: %llu connections, %llu answers",
		(unsigned long long)stream->removed.connections,
		(unsigned long long)stream->removed.answers);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_REMOVED;
	response.removed = &stream->removed;
	ret = tw_answer_send(out, stream->base.id, &response, true);
	return ret < 0 ? ret : TW_RESPONSES_END;
}

static int remove_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct remove_stream *stream = (struct remove_stream *)base;
	uint32_t now = tw_ticks_now();
	struct tw_config config;
	int ret = tw_kernel_get_config(stream->ctx->host->kernel, &config);

	for (int steps = 0; !ret && steps < STEPS && !stream->walk.ended; steps++) {
		uint32_t bucket = stream->walk.bucket;
		size_t n = tw_walk_step(&stream->walk);

		for (size_t i = 0; i < n; i++)
			end_record(stream, &config, bucket, i, now);
	}
	if (ret < 0)
		return ret;
	return stream->walk.ended ? send_removed(stream, out) : TW_RESPONSES_MORE;
}

/* Copies the request. Addresses are rewritten in the form in which they are compared. */
static int copy_wanted(struct remove_stream *stream, const Tapwall__V1__RemoveRequest *request)
{
	const char *given[] = {
		request->proto, request->from, request->to, request->workload, request->rule};

	stream->wanted = *request;
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		char text[INET6_ADDRSTRLEN];
		struct tw_addr addr;
		bool address = !tw_addr_parse(given[i], &addr);

		stream->texts[i] = tw_strdup(address ? tw_addr_format(&addr, text) : given[i]);
		if (!stream->texts[i])
			return -ENOMEM;
	}
	stream->wanted.proto = stream->texts[0];
	stream->wanted.from = stream->texts[1];
	stream->wanted.to = stream->texts[2];
	stream->wanted.workload = stream->texts[3];
	stream->wanted.rule = stream->texts[4];
	return 0;
}

static bool is_narrow(const Tapwall__V1__RemoveRequest *request)
{
	return request->proto[0] || request->from[0] || request->to[0] || request->from_port ||
	       request->to_port || request->workload[0] || request->rule[0] ||
	       request->network[0] || request->port;
}

int tw_answer_remove(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct remove_stream *stream;
	struct prefix_bits network;
	struct tw_err err;

	if (read_network(request->remove->network, &network) < 0) {
		tw_err_set(&err, -EINVAL, "remove", "write 10.0.0.1, fd00::1 or 10.0.0.0/8",
			"invalid network");
		return tw_answer_error(out, request->id, &response, &err);
	}
	if (!is_narrow(request->remove) && !request->remove->all) {
		tw_err_set(&err, -EINVAL, "remove", "name an end, or set all",
			"the request matches every connection");
		return tw_answer_error(out, request->id, &response, &err);
	}
	stream = tw_alloc(sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	stream->base = (struct tw_responses){
		.next = remove_next, .done = remove_done, .id = request->id};
	stream->ctx = ctx;
	stream->network = network;
	tapwall__v1__removed__init(&stream->removed);
	if (copy_wanted(stream, request->remove) < 0 ||
		tw_walk_init(&stream->walk, ctx->host->kernel) < 0) {
		remove_done(&stream->base);
		return -ENOMEM;
	}
	*ret_stream = &stream->base;
	return 0;
}
