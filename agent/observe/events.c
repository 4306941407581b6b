/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/observe/describe.h"
#include "agent/observe/journal.h"
#include "agent/observe/ring.h"
#include "agent/observe/spool.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/bind.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/counts.h"
#include "fastpath/kernel/load.h"

#define LOOK_NS	    1000000000u
#define WAITING_MAX 2048
/* Longest time between two events of one frame, which may pass a bridge between them. */
#define FRAME_NS       10000000u
#define FRAME_DISTANCE 256

/* An event that waits to be reported, in order of arrival. */
struct waiting {
	struct tw_event event;
	bool met; /* the other end's event describes the connection */
};

struct tw_events {
	uint64_t looked_ns;
	struct tw_telemetry *telemetry;
	struct tw_ring *ring;
	struct tw_watch watch;
	struct tw_watch poll_watch;
	int64_t unix_ns;	 /* Unix time minus monotonic time, in this turn */
	struct waiting *waiting; /* a ring of WAITING_MAX */
	size_t first;		 /* number of the oldest waiting event; never wraps */
	size_t next;
	uint64_t lost; /* losses of all ports, as last read */
	uint64_t limited;
};

/* Adds an entry of the journal to the spool, unless it opens a connection. */
static void keep(const struct tw_telemetry *telemetry, uint64_t number)
{
	const struct tw_journal_record *record = tw_journal_at(telemetry->journal, number);
	struct tw_event_row row;

	if (record->event.kind == TW_EVENT_OPEN) {
		if (record->lost_before)
			tw_spool_lose(telemetry->spool, record->lost_before);
		return;
	}
	tw_describe_row(telemetry, number, &row);
	tw_spool_add(telemetry->spool, &row);
}

static void tell(struct tw_events *events, const struct tw_event *event)
{
	struct tw_telemetry *telemetry = events->telemetry;

	tw_journal_add(telemetry->journal, event, events->unix_ns,
		tw_describe_is_notable(telemetry, event));
	if (telemetry->spool)
		keep(telemetry, telemetry->journal->next - 1);
	events->telemetry->told = true;
}

void tw_events_settle(struct tw_telemetry *telemetry)
{
	uint64_t number;

	while ((number = tw_journal_unsettled(telemetry->journal)))
		tw_describe_names_of(telemetry, number);
	if (telemetry->spool && telemetry->journal->names.n > TW_JOURNAL_NAMES)
		tw_spool_seal(telemetry->spool);
	tw_journal_tidy(telemetry->journal, TW_JOURNAL_NAMES);
}

/* ---- both ends of a connection as one entry ---- */

/* Turns an event that describes both ends of a connection into an event of the receiving end, whose
 * rule decided. */
static void turn_to_far(struct tw_event *event)
{
	event->port_id = event->frame.far_port_id;
	event->ifindex = event->frame.far_ifindex;
	event->outcome.dir = TW_DIR_IN;
	event->outcome.decision = event->frame.far_decision;
	event->outcome.spared = 0;
}

static struct waiting *waiting_at(const struct tw_events *events, size_t number)
{
	return &events->waiting[number % WAITING_MAX];
}

static bool leaves(const struct tw_event *event)
{
	return event->kind == TW_EVENT_OPEN && event->outcome.dir == TW_DIR_OUT;
}

/* Marks the source port's waiting event if the destination's port now reports the same connection.
 * The latter event has both decisions. */
static void meet(struct tw_events *events, const struct tw_event *event)
{
	size_t n = events->next - events->first;

	if (event->outcome.dir != TW_DIR_IN ||
		(event->kind != TW_EVENT_OPEN && event->kind != TW_EVENT_DENY))
		return;
	for (size_t back = 1; back <= n && back <= FRAME_DISTANCE; back++) {
		struct waiting *other = waiting_at(events, events->next - back);

		if (!leaves(&other->event) || other->met ||
			event->time_ns - other->event.time_ns > FRAME_NS ||
			memcmp(&other->event.key, &event->key, sizeof(event->key)))
			continue;
		other->met = true;
		return;
	}
}

static void tell_first(struct tw_events *events)
{
	const struct waiting *first = waiting_at(events, events->first++);

	if (!first->met)
		tell(events, &first->event);
}

/* Reports waiting events, up to an opening whose other end may still be reported. All events from before
 * `read_ns` have been read. */
static void tell_waiting(struct tw_events *events, uint64_t read_ns)
{
	while (events->first != events->next) {
		const struct waiting *first = waiting_at(events, events->first);

		if (leaves(&first->event) && !first->met &&
			(int64_t)(read_ns - first->event.time_ns) < FRAME_NS)
			return;
		tell_first(events);
	}
}

static void add_waiting(struct tw_events *events, const struct tw_event *event)
{
	struct waiting *place;

	if (events->next - events->first == WAITING_MAX)
		tell_first(events);
	place = waiting_at(events, events->next++);
	place->event = *event;
	place->met = false;
}

/* Reports an event at once, unless it has to wait or earlier ones wait. */
static void take(struct tw_events *events, const struct tw_event *event)
{
	struct tw_event far;

	if (event->kind == TW_EVENT_OPEN && event->frame.far_port_id) {
		far = *event;
		turn_to_far(&far);
		event = &far;
	}
	meet(events, event);
	if (events->first != events->next || leaves(event))
		add_waiting(events, event);
	else
		tell(events, event);
}

/* ---- the ring buffer ---- */

/* Counts the events that were not sent: *ret_lost because the ring buffer was full, *ret_limited because of a port's
 * rate limit. */
static int sum_losses(const struct tw_host *host, uint64_t *ret_lost, uint64_t *ret_limited)
{
	struct tw_port_count count;
	uint64_t lost = 0, limited = 0;
	int ret = tw_counts_closes_lost(host->kernel, &lost);

	if (ret < 0)
		return ret;

	tw_vec_foreach (&host->ports->list, port) {
		ret = tw_counts_port(host->kernel, (*port)->id, &count);
		if (ret < 0)
			return ret;
		lost += count.events_lost;
		limited += count.events_limited;
	}
	*ret_lost = lost;
	*ret_limited = limited;
	return 0;
}

/* Handles a watched port that sent from the MAC of a workload without a port. */
static void claim(struct tw_events *events, const struct tw_event *event)
{
	struct tw_agent_port *port = tw_ports_by_id(events->telemetry->host->ports, event->port_id);

	if (!port || port->ifindex != event->ifindex || port->state != TW_PORT_UNCLAIMED ||
		!events->telemetry->enforcement->inforce ||
		tw_policy_bind(events->telemetry->enforcement->inforce->policy) !=
			TW_BIND_FIRST_SENDER)
		return;
	memcpy(port->learned_mac, event->frame.src_mac, sizeof(port->learned_mac));
	port->learned = true;
	events->telemetry->claimed = true;
}

/* Records the MAC that a shut port without a workload sends from. Its frames never reach the
 * bridge, so netlink does not report it. */
static void hear(struct tw_events *events, const struct tw_event *event)
{
	struct tw_agent_port *port = tw_ports_by_id(events->telemetry->host->ports, event->port_id);

	if (port && port->ifindex == event->ifindex && event->outcome.dir == TW_DIR_OUT)
		tw_bind_hear(events->telemetry->enforcement->inforce, port, event->frame.src_mac);
}

/* Returns the workload at a port, or the port's name; NULL if the port is gone. */
static const char *member(const struct tw_events *events, uint32_t id)
{
	const struct tw_agent_port *port = tw_ports_by_id(events->telemetry->host->ports, id);

	return !port ? NULL : port->vnic ? port->vnic->workload : port->name;
}

/* Logs which workload has a shared address now. */
static void log_holder(const struct tw_events *events, const struct tw_event *event)
{
	const char *now = member(events, event->port_id);
	const char *before = member(events, event->frame.far_port_id);
	char addr[INET6_ADDRSTRLEN];

	if (!now)
		return;
	tw_addr_format(&event->key.lo, addr);
	if (event->frame.window && before)
		tw_log(TW_LOG_WARNING, "shared address %s: %s and %s both claim it (split brain)",
			addr, before, now);
	else if (before)
		tw_log(TW_LOG_INFO, "shared address %s: moved from %s to %s", addr, before, now);
	else
		tw_log(TW_LOG_INFO, "shared address %s: %s has it", addr, now);
}

static void on_event(void *arg, const struct tw_event *event)
{
	struct tw_events *events = arg;

	if (event->kind == TW_EVENT_CLAIM) {
		claim(events, event);
	} else if (event->kind == TW_EVENT_LEASE) {
		events->telemetry->leased = true;
	} else if (event->kind == TW_EVENT_HOLDER) {
		log_holder(events, event);
	} else if (event->kind < TW_EVENT__MAX) {
		take(events, event);
		if (event->kind == TW_EVENT_DENY)
			hear(events, event);
	}
}

static void on_ready(void *arg, uint32_t ready)
{
	struct tw_events *events = arg;
	uint64_t began_ns = tw_clock_ns();

	events->unix_ns = (int64_t)tw_clock_unix_ns(0);
	if (tw_ring_take(events->ring, TW_EVENTS_TURN))
		tell_waiting(events, began_ns);
	else
		tell_waiting(events, 0);
}

int tw_events_new(struct tw_telemetry *telemetry, struct tw_events **ret, struct tw_err *err)
{
	struct tw_events *events = tw_alloc(sizeof(*events));
	int result = -ENOMEM;

	if (!events)
		return tw_err_set(err, result, "events", NULL, "out of memory");
	events->telemetry = telemetry;
	events->waiting = tw_alloc_array(WAITING_MAX, sizeof(*events->waiting));
	events->watch.fd = -1;
	events->poll_watch.fd = -1;
	if (events->waiting)
		result = tw_ring_new(tw_kernel_map_fd(telemetry->host->kernel, TW_MAP_events),
			on_event, events, &events->ring);
	if (!result)
		result = tw_loop_add(telemetry->loop, &events->watch,
			tw_ring_buffer_fd(events->ring), EPOLLIN, on_ready, events);
	if (!result)
		result = tw_loop_add(telemetry->loop, &events->poll_watch,
			tw_ring_poll_fd(events->ring), EPOLLIN, on_ready, events);
	if (result < 0) {
		tw_events_free(events);
		return tw_err_set(err, result, "events", NULL, "cannot read the ring buffer: %s",
			strerror(-result));
	}
	sum_losses(telemetry->host, &events->lost, &events->limited);
	*ret = events;
	return 0;
}

void tw_events_free(struct tw_events *events)
{
	if (!events)
		return;
	tw_loop_remove(events->telemetry->loop, &events->poll_watch);
	tw_loop_remove(events->telemetry->loop, &events->watch);
	tw_ring_free(events->ring);
	free(events->waiting);
	free(events);
}

void tw_events_look(struct tw_events *events)
{
	uint64_t lost = events->lost, limited = events->limited, new_lost, new_limited;

	if (sum_losses(events->telemetry->host, &new_lost, &new_limited) < 0)
		return;
	events->looked_ns = tw_clock_ns();
	events->lost = new_lost;
	events->limited = new_limited;
	/* The sum falls if a port is removed with its counts. */
	tw_journal_lose(events->telemetry->journal,
		(new_lost > lost ? new_lost - lost : 0) +
			(new_limited > limited ? new_limited - limited : 0));
}

void tw_events_tick(struct tw_events *events)
{
	if (tw_clock_ns() - events->looked_ns >= LOOK_NS)
		tw_events_look(events);
}

uint64_t tw_events_lost(const struct tw_events *events)
{
	return events->lost;
}

uint64_t tw_events_limited(const struct tw_events *events)
{
	return events->limited;
}
