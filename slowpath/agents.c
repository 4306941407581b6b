/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/agents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/clock.h"
#include "base/log.h"
#include "link/address.h"
#include "link/identity.h"
#include "link/reply.h"
#include "slowpath/enroll.h"

#define REFUSED_TOLD 16 /* refusals logged individually between two ticks */
#define TEXT(text)   ((char *)(uintptr_t)(text))

/* A connection that was accepted. */
struct connection {
	struct tw_agents *agents;
	struct connection *next;
	struct tw_peer *peer;
	struct tw_agents_row *row; /* NULL: in its handshake, or not an agent's connection */
	bool decides;		   /* true for a decider's connection */
	uint64_t hello_ns;	   /* time of the last HelloRequest to a decider */
	uint64_t enroll_ns;	   /* time when a host that enrolls connected; 0: an agent */
	uint64_t renewed_ns;	   /* time of the last RenewRequest; 0: none */
	bool enrolled;		   /* the host's one request was answered */
};

struct tw_agents {
	struct tw_agents_setup setup;
	struct tw_stream *listener;
	struct tw_watch watch;
	struct tw_peer_memory memory;
	struct tw_agents_row *rows;
	unsigned int n_rows;
	struct connection *connections; /* newest first */
	unsigned int n_pending;
	unsigned int n_refused; /* since the last tick; limits the log */
};

/* ---- rows ---- */

struct tw_agents_row *tw_agents_first(const struct tw_agents *agents)
{
	return agents->rows;
}

struct tw_agents_row *tw_agents_find(const struct tw_agents *agents, const char *name)
{
	struct tw_agents_row *row = agents->rows;

	while (row && strcmp(row->name, name) != 0)
		row = row->next;
	return row;
}

static int find_or_add(struct tw_agents *agents, const char *name, struct tw_agents_row **ret)
{
	struct tw_agents_row *row = tw_agents_find(agents, name);
	struct tw_agents_row **at = &agents->rows;

	if (!row && agents->n_rows >= TW_AGENTS_MAX)
		return -ENOSPC;
	if (!row) {
		row = tw_alloc(sizeof(*row));
		if (!row)
			return -ENOMEM;
		snprintf(row->name, sizeof(row->name), "%s", name);
		while (*at && strcmp((*at)->name, name) < 0)
			at = &(*at)->next;
		row->next = *at;
		*at = row;
		agents->n_rows++;
	}
	*ret = row;
	return 0;
}

static void set_away(struct tw_agents_row *row, const char *why)
{
	row->contact_ns = tw_peer_heard_ns(row->peer);
	row->since_ns = tw_clock_ns();
	row->peer = NULL;
	row->said = false;
	snprintf(row->why, sizeof(row->why), "%s", why);
}

/* ---- greeting ---- */

static void keep_text(char *to, size_t max, const char *from)
{
	snprintf(to, max, "%s", from);
	tw_clean(to, strlen(to));
}

static void on_hello(void *arg, Tapwall__V1__Response *response)
{
	struct tw_agents_row *row = arg;

	row->greeting = false;
	if (!response || response->body_case != TAPWALL__V1__RESPONSE__BODY_HELLO)
		return;
	keep_text(row->host, sizeof(row->host), response->hello->host);
	keep_text(row->version, sizeof(row->version), response->hello->version);
	keep_text(row->source, sizeof(row->source), response->hello->policy_source);
	row->generation = response->hello->policy_generation;
	row->quarantines_ended = response->hello->quarantines_ended;
	row->has_sha256 = response->hello->policy_sha256.len == sizeof(row->sha256);
	if (row->has_sha256)
		memcpy(row->sha256, response->hello->policy_sha256.data, sizeof(row->sha256));
	row->said = true;
}

static int send_hello(struct tw_peer *peer, tw_peer_answer *answer, void *arg)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__HelloRequest hello = TAPWALL__V1__HELLO_REQUEST__INIT;

	hello.version = TEXT(TW_VERSION);
	hello.protocol = TW_LINK_PROTOCOL;
	request.body_case = TAPWALL__V1__REQUEST__BODY_HELLO;
	request.hello = &hello;
	return tw_peer_ask(peer, &request, answer, arg, NULL);
}

static int greet(struct tw_agents_row *row)
{
	int code = send_hello(row->peer, on_hello, row);

	row->greeting = !code;
	row->hello_ns = tw_clock_ns();
	return code;
}

/* ---- connections ---- */

/* True for a connection in its handshake, or of a host that enrolls. */
static bool is_pending(const struct connection *connection)
{
	return !connection->row && !connection->decides;
}

static void connection_free(struct connection *connection)
{
	struct tw_agents *agents = connection->agents;
	struct connection **at = &agents->connections;

	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	agents->n_pending -= is_pending(connection);
	free(connection);
}

static struct connection *connection_of(const struct tw_agents *agents, const struct tw_peer *peer)
{
	struct connection *connection = agents->connections;

	while (connection && connection->peer != peer)
		connection = connection->next;
	return connection;
}

/* Refused connections must not flood the log. */
static void tell_refused(struct tw_agents *agents, const struct tw_peer *peer, const char *why)
{
	if (agents->n_refused++ < REFUSED_TOLD)
		tw_log(TW_LOG_WARNING, "%s: refused: %s", tw_peer_stream(peer)->where, why);
}

static int refuse(struct tw_buf *out, uint64_t id, int code, const char *hint, const char *text)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct tw_err err;

	tw_err_set(&err, code, "request", hint, "%s", text);
	return tw_reply_error(out, id, &response, &err);
}

/* Answers the one request of a host that enrolls. A second one ends the connection. */
static int start_enrollment(
	struct connection *connection, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	struct tw_agents *agents = connection->agents;
	time_t until;

	if (connection->enrolled)
		return -EPROTO;
	connection->enrolled = true;
	if (request->body_case != TAPWALL__V1__REQUEST__BODY_ENROLL)
		return refuse(out, request->id, -EACCES, "enroll first",
			"not allowed without a certificate");
	return tw_enroll_answer(
		agents->setup.enroll, tw_peer_stream(connection->peer), request, out, &until);
}

static int start_renewal(
	struct connection *connection, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	struct tw_agents_row *row = connection->row;
	uint64_t now = tw_clock_ns();
	time_t until = 0;
	int code;

	if (connection->renewed_ns && now - connection->renewed_ns < TW_AGENTS_RENEW_NS)
		return refuse(out, request->id, -EBUSY, "try again in 10 s",
			"a certificate was requested a moment ago");
	connection->renewed_ns = now;
	code = tw_enroll_answer(connection->agents->setup.enroll, tw_peer_stream(connection->peer),
		request, out, &until);
	if (until)
		row->expires = until;
	return code;
}

static int start(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	struct connection *connection = context;

	if (connection->decides)
		return connection->agents->setup.answer(
			connection->agents->setup.arg, TW_ROLE_FAR_DECIDER, request, out, ret);
	if (!connection->row)
		return start_enrollment(connection, request, out);
	if (request->body_case == TAPWALL__V1__REQUEST__BODY_RENEW)
		return start_renewal(connection, request, out);
	return refuse(out, request->id, -EACCES, "ask at tapwall-slowd's own socket",
		"not allowed to an agent");
}

/* Closes the connection of an agent. Must not be called from a callback of that connection. */
static void drop(struct tw_agents *agents, struct tw_agents_row *row, const char *why)
{
	struct tw_peer *peer = row->peer;
	struct connection *connection = connection_of(agents, peer);

	set_away(row, why);
	if (connection)
		connection_free(connection);
	tw_peer_free(peer);
	agents->setup.told(agents->setup.arg);
}

/* ---- deciders ---- */

static unsigned int count_deciders(const struct tw_agents *agents, const char *name)
{
	unsigned int n = 0;

	for (const struct connection *at = agents->connections; at; at = at->next)
		n += at->decides && (!name || !strcmp(tw_peer_stream(at->peer)->peer, name));
	return n;
}

/* A decider answers a greeting, which shows that it is there. The answer is of no interest. */
static void on_decider_hello(void *arg, Tapwall__V1__Response *response)
{
}

static int open_decider(struct connection *connection, struct tw_peer *peer, struct tw_err *err)
{
	struct tw_agents *agents = connection->agents;
	const struct tw_stream *stream = tw_peer_stream(peer);

	if (count_deciders(agents, NULL) >= TW_AGENTS_DECIDERS ||
		count_deciders(agents, stream->peer) >= TW_AGENTS_DECIDERS_NAME)
		return tw_err_set(err, -EUSERS, stream->where, NULL,
			"decider %s: too many deciders are connected", stream->peer);
	connection->decides = true;
	agents->n_pending--;
	tw_peer_set_in_max(peer, TW_AGENTS_DECIDER_MAX);
	tw_peer_set_patient(peer);
	tw_log(TW_LOG_INFO, "decider %s: connected from %s", stream->peer, stream->where);
	connection->hello_ns = tw_clock_ns();
	return send_hello(peer, on_decider_hello, NULL);
}

/* Closes the connection of a decider. Must not be called from a callback of that connection. */
static void drop_decider(struct connection *connection, const char *why)
{
	struct tw_peer *peer = connection->peer;

	tw_log(TW_LOG_WARNING, "decider %s: gone: %s", tw_peer_stream(peer)->peer, why);
	connection_free(connection);
	tw_peer_free(peer);
}

/* Greets a decider, or closes its connection if its certificate has expired. True if the connection was
 * closed. */
static bool tend_decider(struct connection *connection, uint64_t now)
{
	struct tw_peer *peer = connection->peer;

	if (time(NULL) > tw_peer_stream(peer)->peer_until) {
		drop_decider(connection, "its certificate expired");
		return true;
	}
	if (now - connection->hello_ns > TW_AGENTS_HELLO_NS) {
		connection->hello_ns = now;
		send_hello(peer, on_decider_hello, NULL);
	}
	return false;
}

/* ---- the ends of a connection ---- */

static int opened(void *arg, struct tw_peer *peer, struct tw_err *err)
{
	struct connection *connection = arg;
	struct tw_agents *agents = connection->agents;
	const struct tw_stream *stream = tw_peer_stream(peer);
	struct tw_agents_row *row;
	int code;

	if (!stream->peer[0]) {
		connection->enroll_ns = tw_clock_ns();
		tw_peer_set_in_max(peer, TW_AGENTS_ENROLL_MAX);
		return 0;
	}
	if (stream->peer_decides)
		return open_decider(connection, peer, err);
	code = find_or_add(agents, stream->peer, &row);
	if (code < 0)
		return tw_err_set(err, code, stream->where, NULL,
			code == -ENOSPC ? "%d agents are known already" : "out of memory",
			TW_AGENTS_MAX);
	/* The agent may have connected again before this end noticed that the old connection is
	 * dead. */
	if (row->peer) {
		tw_log(TW_LOG_WARNING,
			"agent %s: connected again from %s; the connection from %s is closed",
			row->name, stream->where, row->address);
		drop(agents, row, "it connected again");
	}
	connection->row = row;
	agents->n_pending--;
	row->peer = peer;
	row->since_ns = tw_clock_ns();
	row->connects++;
	row->expires = stream->peer_until;
	snprintf(row->address, sizeof(row->address), "%s", stream->where);
	tw_log(TW_LOG_INFO, "agent %s: connected from %s", row->name, row->address);
	return greet(row);
}

static void closed(void *arg, struct tw_peer *peer, const struct tw_err *err)
{
	struct connection *connection = arg;
	struct tw_agents *agents = connection->agents;

	if (connection->row) {
		tw_log(TW_LOG_WARNING, "agent %s: gone: %s", connection->row->name, err->text);
		set_away(connection->row, err->text);
	} else if (connection->decides) {
		tw_log(TW_LOG_WARNING, "decider %s: gone: %s", tw_peer_stream(peer)->peer,
			err->text);
	} else if (!connection->enrolled) {
		tell_refused(agents, peer, err->text);
	}
	connection_free(connection);
	agents->setup.told(agents->setup.arg);
}

static unsigned int count_pending(const struct tw_agents *agents, uint64_t source)
{
	unsigned int n = 0;

	for (const struct connection *at = agents->connections; at; at = at->next)
		n += is_pending(at) && tw_peer_stream(at->peer)->source == source;
	return n;
}

/* Closes the oldest connection in its handshake from a source. */
static void close_oldest(struct tw_agents *agents, uint64_t source)
{
	struct connection *oldest = NULL;
	struct tw_peer *peer;

	for (struct connection *at = agents->connections; at; at = at->next)
		if (is_pending(at) && tw_peer_stream(at->peer)->source == source)
			oldest = at;
	if (!oldest)
		return;
	peer = oldest->peer;
	tell_refused(agents, peer, "too many other connections are in their handshake");
	connection_free(oldest);
	tw_peer_free(peer);
}

/* Makes room for a connection from a source. At a limit, closes the oldest connection in its
 * handshake from the source with the most of them. */
static void make_place(struct tw_agents *agents, uint64_t source)
{
	unsigned int most = count_pending(agents, source);

	if (most < TW_AGENTS_PENDING_SOURCE && agents->n_pending < TW_AGENTS_PENDING)
		return;
	for (const struct connection *at = agents->connections; at; at = at->next) {
		uint64_t other = tw_peer_stream(at->peer)->source;
		unsigned int n = is_pending(at) ? count_pending(agents, other) : 0;

		if (most >= TW_AGENTS_PENDING_SOURCE || n <= most)
			continue;
		most = n;
		source = other;
	}
	close_oldest(agents, source);
}

/* If incomplete messages take too much memory, closes the connection whose message began first. */
static void free_memory(struct tw_agents *agents)
{
	struct connection *first = NULL;
	struct tw_peer *peer;
	uint64_t first_ns = UINT64_MAX;

	if (agents->memory.used <= agents->memory.max)
		return;
	for (struct connection *at = agents->connections; at; at = at->next) {
		uint64_t ns = tw_peer_holds_ns(at->peer);

		if (!ns || ns >= first_ns)
			continue;
		first_ns = ns;
		first = at;
	}
	if (!first)
		return;
	if (first->row) {
		tw_log(TW_LOG_WARNING,
			"agent %s: gone: incomplete messages exceed %u MiB, its began first",
			first->row->name, TW_AGENTS_IN_MAX >> 20);
		drop(agents, first->row, "incomplete messages took too much memory");
		return;
	}
	peer = first->peer;
	connection_free(first);
	tw_peer_free(peer);
}

struct tw_agents_load tw_agents_load(const struct tw_agents *agents)
{
	return (struct tw_agents_load){
		agents->n_pending, count_deciders(agents, NULL), agents->memory.used};
}

/* Closes the connection of a host that has not enrolled in time. */
static bool end_late(struct connection *connection, uint64_t now)
{
	struct tw_peer *peer = connection->peer;

	if (!connection->enroll_ns || now - connection->enroll_ns < TW_AGENTS_ENROLL_NS)
		return false;
	if (!connection->enrolled)
		tell_refused(connection->agents, peer, "it did not enroll within 10 s");
	connection_free(connection);
	tw_peer_free(peer);
	return true;
}

static void on_listen(void *arg, uint32_t events)
{
	struct tw_agents *agents = arg;
	struct tw_peer_options options = {.memory = &agents->memory,
		.loop = agents->setup.loop,
		.role = TW_ROLE_VIEWER,
		.start = start,
		.opened = opened,
		.closed = closed};
	struct connection *connection;
	struct tw_stream *stream;

	if (tw_stream_accept(agents->listener, &stream) < 0)
		return;
	make_place(agents, stream->source);
	connection = tw_alloc(sizeof(*connection));
	if (!connection) {
		tw_stream_close(stream);
		return;
	}
	connection->agents = agents;
	options.context = options.arg = connection;
	if (tw_peer_new(&options, stream, &connection->peer) < 0) {
		free(connection);
		return;
	}
	connection->next = agents->connections;
	agents->connections = connection;
	agents->n_pending++;
}

/* ---- for the daemon ---- */

int tw_agents_new(const struct tw_agents_setup *setup, struct tw_agents **ret, struct tw_err *err)
{
	struct tw_agents *agents = tw_alloc(sizeof(*agents));
	struct tw_listen_options at = {.identity = setup->identity};
	char address[300];
	int code;

	if (!agents)
		return tw_err_set(err, -ENOMEM, "start", NULL, "out of memory");
	agents->setup = *setup;
	agents->memory.max = TW_AGENTS_IN_MAX;
	agents->watch.fd = -1;
	at.address = address;
	code = tw_address_with_scheme(setup->listen, address, sizeof(address));
	if (!code)
		code = tw_stream_listen(&at, &agents->listener);
	if (!code)
		code = tw_loop_add(setup->loop, &agents->watch, agents->listener->fd, EPOLLIN,
			on_listen, agents);
	if (code < 0) {
		tw_agents_free(agents);
		return tw_err_set(err, code, "--listen", TW_ADDRESS_LISTEN_HINT,
			"cannot listen at %s: %s", setup->listen, strerror(-code));
	}
	*ret = agents;
	return 0;
}

void tw_agents_free(struct tw_agents *agents)
{
	if (!agents)
		return;
	while (agents->connections) {
		struct tw_peer *peer = agents->connections->peer;

		connection_free(agents->connections);
		tw_peer_free(peer);
	}
	while (agents->rows) {
		struct tw_agents_row *row = agents->rows;

		agents->rows = row->next;
		free(row);
	}
	tw_loop_remove(agents->setup.loop, &agents->watch);
	tw_stream_close(agents->listener);
	free(agents);
}

void tw_agents_tick(struct tw_agents *agents)
{
	struct connection *connection, *next;
	uint64_t now = tw_clock_ns();

	if (agents->n_refused > REFUSED_TOLD)
		tw_log(TW_LOG_WARNING, "refused %u more connections",
			agents->n_refused - REFUSED_TOLD);
	agents->n_refused = 0;
	for (struct tw_agents_row *row = agents->rows; row; row = row->next) {
		if (row->peer && time(NULL) > tw_peer_stream(row->peer)->peer_until) {
			tw_log(TW_LOG_WARNING, "agent %s: gone: its certificate expired",
				row->name);
			drop(agents, row, "its certificate expired");
		}
		if (row->peer && !row->greeting && now - row->hello_ns > TW_AGENTS_HELLO_NS)
			greet(row);
	}
	free_memory(agents);
	/* The tick of a connection closes no other one, so `next` stays valid. */
	for (connection = agents->connections; connection; connection = next) {
		next = connection->next;
		if (connection->decides ? !tend_decider(connection, now)
					: !end_late(connection, now))
			tw_peer_tick(connection->peer);
	}
}

void tw_agents_set_identity(struct tw_agents *agents, struct tw_identity *identity)
{
	agents->setup.identity = identity;
	tw_stream_set_identity(agents->listener, identity);
}

void tw_agents_pump(struct tw_agents *agents)
{
	struct connection *connection, *next;

	for (connection = agents->connections; connection; connection = next) {
		next = connection->next;
		if (connection->decides)
			tw_peer_pump(connection->peer);
	}
}

static void revoke_deciders(struct tw_agents *agents)
{
	const struct tw_identity *identity = agents->setup.identity;
	struct connection *connection, *next;

	for (connection = agents->connections; connection; connection = next) {
		const struct tw_stream *stream = tw_peer_stream(connection->peer);

		next = connection->next;
		if (connection->decides && identity->is_revoked &&
			identity->is_revoked(identity->arg, stream->peer, stream->peer_from))
			drop_decider(connection, "its certificate was revoked");
	}
}

void tw_agents_revoke(struct tw_agents *agents)
{
	const struct tw_identity *identity = agents->setup.identity;

	for (struct tw_agents_row *row = agents->rows; row; row = row->next) {
		if (!row->peer || !identity->is_revoked ||
			!identity->is_revoked(
				identity->arg, row->name, tw_peer_stream(row->peer)->peer_from))
			continue;
		tw_log(TW_LOG_WARNING, "agent %s: gone: its certificate was revoked", row->name);
		drop(agents, row, "its certificate was revoked");
	}
	revoke_deciders(agents);
}
