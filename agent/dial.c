/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/dial.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/clock.h"
#include "base/log.h"
#include "link/address.h"
#include "link/stream.h"

#define MS_NS	   1000000u
#define STEADY_NS  10000000000u /* after a connection this long, the next attempt comes soon */
#define SCHEME	   "tls:"
#define WHERE_MAX  400
#define TEXT(text) ((char *)(uintptr_t)(text))

/* A look-up of a name by a thread of the C library. */
struct tw_lookup {
	struct gaicb request;
	struct addrinfo hints;
	char host[256];
	char port[8];
};

/* ---- states ---- */

static void set_state(struct tw_dial *dial, enum tw_dial_state state)
{
	dial->state = state;
	dial->since_ns = tw_clock_ns();
}

/* Returns a random time between half of `ms` and `ms`. */
static uint32_t jittered(uint32_t ms)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)tw_clock_ns();
	return ms - random % (ms / 2 + 1);
}

/* Logs why there is no connection, and waits before the next attempt. */
static void wait_after(struct tw_dial *dial, const char *why)
{
	uint64_t now = tw_clock_ns();
	bool was_good = dial->state == TW_DIAL_CONNECTED && now - dial->since_ns > STEADY_NS;
	uint32_t max_ms = dial->has_cert ? TW_DIAL_MAX_MS : TW_DIAL_FILE_MS;

	/* A repeated failure is logged once. */
	if (dial->state == TW_DIAL_CONNECTED || strcmp(why, dial->why) != 0)
		tw_log(TW_LOG_WARNING, "slow path %s: %s; trying again; packets are not affected",
			dial->setup.address, why);
	snprintf(dial->why, sizeof(dial->why), "%s", why);
	dial->why_ns = now;
	dial->version[0] = dial->name[0] = '\0';
	dial->backoff_ms = was_good || !dial->backoff_ms ? TW_DIAL_MIN_MS : dial->backoff_ms * 2;
	if (dial->backoff_ms > max_ms)
		dial->backoff_ms = max_ms;
	set_state(dial, TW_DIAL_WAITING);
	dial->retry_ns = now + (uint64_t)jittered(dial->backoff_ms) * MS_NS;
}

/* Ends an attempt with the error and the file that caused it. */
static void fail_attempt(struct tw_dial *dial, const struct tw_err *err)
{
	char why[TW_ERR_TEXT_MAX];

	snprintf(why, sizeof(why), "%.200s%s%.300s", err->place, err->place[0] ? ": " : "",
		err->text);
	wait_after(dial, why);
}

/* ---- the connection ---- */

/* The slow path sends its greeting after it has accepted this agent. */
static void greeted(void *arg, const Tapwall__V1__HelloRequest *hello)
{
	struct tw_dial *dial = arg;

	if (dial->state == TW_DIAL_CONNECTED)
		return;
	snprintf(dial->version, sizeof(dial->version), "%s", hello->version);
	tw_clean(dial->version, strlen(dial->version));
	snprintf(dial->name, sizeof(dial->name), "%s", tw_peer_stream(dial->peer)->peer);
	set_state(dial, TW_DIAL_CONNECTED);
	dial->attempts = 0;
	tw_log(TW_LOG_INFO, "slow path %s: connected to %s, version %s", dial->setup.address,
		dial->name, dial->version);
}

static int opened(void *arg, struct tw_peer *peer, struct tw_err *err)
{
	return 0;
}

static void closed(void *arg, struct tw_peer *peer, const struct tw_err *err)
{
	struct tw_dial *dial = arg;

	dial->peer = NULL;
	wait_after(dial, err->text);
}

/* Dials an address that needs no look-up. */
static int dial_at(struct tw_dial *dial, const char *address, struct tw_err *err)
{
	const struct tw_peer_options options = {.loop = dial->setup.loop,
		.role = TW_ROLE_SLOW_PATH,
		.start = dial->setup.start,
		.context = dial->setup.context,
		.greeted = greeted,
		.opened = opened,
		.closed = closed,
		.arg = dial};
	tw_auto(tw_identity) struct tw_identity *identity = NULL;
	char why[TW_STREAM_WHY_MAX] = "";
	struct tw_dial_options to = {.address = address, .why = why};
	struct tw_stream *stream;
	int code = tw_identity_load(&dial->setup.files, TW_IDENTITY_AGENT, &identity, err);

	dial->has_cert = !code;
	if (code < 0)
		return code;
	tw_renewal_set(&dial->renewal, identity);
	snprintf(dial->renewal.name, sizeof(dial->renewal.name), "%s", identity->name);
	to.identity = identity;
	code = tw_stream_dial(&to, &stream);
	if (!code)
		code = tw_peer_new(&options, stream, &dial->peer);
	return code < 0 ? tw_err_set(err, code, NULL, NULL, "%s", why[0] ? why : strerror(-code))
			: 0;
}

/* ---- names ---- */

static int begin_lookup(struct tw_dial *dial, struct tw_err *err)
{
	const char *colon = strrchr(dial->setup.address, ':');
	struct tw_lookup *lookup = tw_alloc(sizeof(*lookup));
	struct gaicb *list[1];

	if (!lookup)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "out of memory");
	snprintf(lookup->host, sizeof(lookup->host), "%.*s", (int)(colon - dial->setup.address),
		dial->setup.address);
	snprintf(lookup->port, sizeof(lookup->port), "%s", colon + 1);
	lookup->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	lookup->request = (struct gaicb){
		.ar_name = lookup->host, .ar_service = lookup->port, .ar_request = &lookup->hints};
	list[0] = &lookup->request;
	if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL)) {
		free(lookup);
		return tw_err_set(err, -EAGAIN, NULL, NULL, "cannot look up the name");
	}
	dial->lookup = lookup;
	return 0;
}

/* Picks one of the addresses found, a different one at each attempt. */
static int pick_address(const struct tw_dial *dial, const struct addrinfo *found, char *address)
{
	const struct addrinfo *at = found;
	char host[NI_MAXHOST], port[NI_MAXSERV];
	uint64_t n = 0;

	for (; at; at = at->ai_next)
		n++;
	at = found;
	for (uint64_t i = n ? dial->attempts % n : 0; i; i--)
		at = at->ai_next;
	if (!at || getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof(host), port, sizeof(port),
			   NI_NUMERICHOST | NI_NUMERICSERV))
		return -EADDRNOTAVAIL;
	snprintf(address, WHERE_MAX,
		strchr(host, ':') ? SCHEME "[%.300s]:%.8s" : SCHEME "%.300s:%.8s", host, port);
	return 0;
}

static void end_lookup(struct tw_dial *dial)
{
	struct tw_lookup *lookup = dial->lookup;
	int result = gai_error(&lookup->request);
	struct tw_err err = {0};
	char address[WHERE_MAX];
	int code;

	if (result == EAI_INPROGRESS)
		return;
	dial->lookup = NULL;
	if (result)
		code = tw_err_set(&err, -EADDRNOTAVAIL, NULL, NULL, "cannot look up the name: %s",
			gai_strerror(result));
	else
		code = pick_address(dial, lookup->request.ar_result, address);
	if (!result)
		freeaddrinfo(lookup->request.ar_result);
	free(lookup);
	if (!code)
		code = dial_at(dial, address, &err);
	if (code < 0)
		fail_attempt(dial, &err);
}

/* ---- for the daemon ---- */

static void try_now(struct tw_dial *dial)
{
	struct tw_err err = {0};
	char address[WHERE_MAX];
	int code;

	tw_address_with_scheme(dial->setup.address, address, sizeof(address));
	set_state(dial, TW_DIAL_CONNECTING);
	dial->attempts++;
	code = dial_at(dial, address, &err);
	if (code == -EADDRNOTAVAIL) {
		err = (struct tw_err){0};
		code = begin_lookup(dial, &err);
	}
	if (code < 0)
		fail_attempt(dial, &err);
}

int tw_dial_init(struct tw_dial *dial, const struct tw_dial_setup *setup, struct tw_err *err)
{
	struct tw_stream *stream;
	char address[WHERE_MAX];

	*dial = (struct tw_dial){.setup = *setup};
	if (!setup->address)
		return 0;
	if (strlen(setup->address) > WHERE_MAX / 2)
		return tw_err_set(err, -EINVAL, "--slow-path", TW_ADDRESS_DIAL_HINT, "is too long");
	tw_address_with_scheme(setup->address, address, sizeof(address));
	/* Only the syntax is checked: without an identity, nothing is dialled. */
	if (tw_stream_dial(&(struct tw_dial_options){.address = address}, &stream) == -EINVAL)
		return tw_err_set(err, -EINVAL, "--slow-path", TW_ADDRESS_DIAL_HINT,
			"%s is not an address", setup->address);
	tw_renewal_init(&dial->renewal, &setup->files);
	set_state(dial, TW_DIAL_WAITING);
	return 0;
}

void tw_dial_done(struct tw_dial *dial)
{
	tw_peer_free(dial->peer);
	tw_renewal_done(&dial->renewal);
	/* The memory of a look-up that cannot be cancelled stays in use until the process ends. */
	if (dial->lookup && gai_cancel(&dial->lookup->request) == EAI_CANCELED)
		free(dial->lookup);
	*dial = (struct tw_dial){0};
}

void tw_dial_tick(struct tw_dial *dial)
{
	if (dial->state != TW_DIAL_OFF)
		tw_renewal_tick(
			&dial->renewal, dial->state == TW_DIAL_CONNECTED ? dial->peer : NULL);
	if (dial->peer)
		tw_peer_tick(dial->peer);
	else if (dial->lookup)
		end_lookup(dial);
	else if (dial->state == TW_DIAL_WAITING && tw_clock_ns() >= dial->retry_ns)
		try_now(dial);
}

void tw_dial_pump(struct tw_dial *dial)
{
	if (dial->peer)
		tw_peer_pump(dial->peer);
}

static const char *const state_names[] = {
	[TW_DIAL_OFF] = "off",
	[TW_DIAL_WAITING] = "waiting",
	[TW_DIAL_CONNECTING] = "connecting",
	[TW_DIAL_CONNECTED] = "connected",
};
_Static_assert(
	sizeof(state_names) / sizeof(state_names[0]) == TW_DIAL__MAX, "a name for each state");

bool tw_dial_describe(const struct tw_dial *dial, Tapwall__V1__SlowPath *message)
{
	uint64_t now = tw_clock_ns();

	if (dial->state == TW_DIAL_OFF)
		return false;
	tapwall__v1__slow_path__init(message);
	message->address = TEXT(dial->setup.address);
	message->state = TEXT(state_names[dial->state]);
	message->state_age_s = (double)(now - dial->since_ns) / 1e9;
	message->version = TEXT(dial->version);
	message->name = TEXT(dial->name);
	message->why = TEXT(dial->why);
	message->why_age_s = dial->why[0] ? (double)(now - dial->why_ns) / 1e9 : 0;
	message->attempts = dial->attempts;
	if (dial->state == TW_DIAL_WAITING && dial->retry_ns > now)
		message->retry_s = (double)(dial->retry_ns - now) / 1e9;
	if (dial->has_cert)
		message->certificate_left_s = difftime(dial->renewal.until, time(NULL));
	message->own_name = TEXT(dial->renewal.name);
	message->renewal_failed = TEXT(dial->renewal.why);
	return true;
}
