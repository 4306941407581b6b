/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/events.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/bind.h"
#include "agent/clock.h"
#include "agent/counts.h"
#include "agent/describe.h"
#include "base/alloc.h"

#define LOOK_NS 1000000000u

struct tw_events {
	uint64_t looked_ns;
	struct tw_agent *agent;
	struct ring_buffer *ring;
	struct tw_watch watch;
	struct tw_watch poll_watch;
	int poll_fd;	   /* fires every TW_EVENTS_POLL_MS: most events wake nobody */
	unsigned int turn; /* events taken in this turn */
	bool told;	   /* something was added to the journal in this turn */
	bool claimed;
	bool leased;
	uint64_t lost; /* of all ports, as last read */
	uint64_t limited;
};

void tw_events_tell(struct tw_agent *agent, const struct tw_event *event)
{
	struct tw_described_entry entry;

	tw_describe_event(agent, event, &entry);
	tw_journal_add(&agent->journal, &entry.entry, tw_event_is_notable(event));
}

/* One event tells of both ends where a connection opens at both: the other one's half of it. */
static void tell_far(struct tw_agent *agent, const struct tw_event *event)
{
	struct tw_event far = *event;

	far.port_id = event->frame.far_port_id;
	far.ifindex = event->frame.far_ifindex;
	far.outcome.dir = TW_DIR_IN;
	far.outcome.decision = event->frame.far_decision;
	tw_events_tell(agent, &far);
}

/* A watched port sent from a MAC that a workload is looked for by. */
static void claim(struct tw_events *events, const struct tw_event *event)
{
	struct tw_agent_port *port = tw_ports_by_id(&events->agent->ports, event->port_id);

	if (!port || port->ifindex != event->ifindex || port->state != TW_PORT_UNCLAIMED ||
		!events->agent->inforce ||
		tw_policy_bind(events->agent->inforce->policy) != TW_BIND_FIRST_SENDER)
		return;
	memcpy(port->learned_mac, event->frame.src_mac, sizeof(port->learned_mac));
	port->learned = true;
	events->claimed = true;
}

/* What an unprotected port that is shut sends never reaches its bridge, which would learn of it. */
static void hear(struct tw_events *events, const struct tw_event *event)
{
	struct tw_agent_port *port = tw_ports_by_id(&events->agent->ports, event->port_id);

	if (port && port->ifindex == event->ifindex && event->outcome.dir == TW_DIR_OUT)
		tw_bind_hear(events->agent->inforce, port, event->frame.src_mac);
}

static int on_event(void *arg, void *data, size_t len)
{
	struct tw_events *events = arg;
	const struct tw_event *event = data;

	if (len < sizeof(*event))
		return 0;
	if (event->kind == TW_EVENT_CLAIM) {
		claim(events, event);
	} else if (event->kind == TW_EVENT_LEASE) {
		events->leased = true;
	} else if (event->kind < TW_EVENT__MAX) {
		tw_events_tell(events->agent, event);
		if (event->kind == TW_EVENT_DENY)
			hear(events, event);
		if (event->kind == TW_EVENT_OPEN && event->frame.far_port_id) {
			tell_far(events->agent, event);
			events->turn++;
		}
		events->told = true;
	}
	/* An error ends the reading for this turn; the record itself is taken. */
	return ++events->turn < TW_EVENTS_TURN ? 0 : -EAGAIN;
}

static void on_ready(void *arg, uint32_t ready)
{
	struct tw_events *events = arg;

	events->turn = 0;
	events->told = events->claimed = events->leased = false;
	ring_buffer__consume(events->ring);
	if (events->claimed)
		tw_agent_ports_changed(events->agent);
	if (events->leased)
		tw_leases_sync(events->agent);
	if (events->told)
		tw_server_pump(events->agent->server);
}

static void on_poll(void *arg, uint32_t ready)
{
	struct tw_events *events = arg;
	uint64_t count;

	if (read(events->poll_fd, &count, sizeof(count)) == sizeof(count))
		on_ready(events, ready);
}

static int open_poll(struct tw_events *events)
{
	const struct timespec period = {0, TW_EVENTS_POLL_MS * 1000000L};
	const struct itimerspec every = {period, period};

	events->poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (events->poll_fd < 0 || timerfd_settime(events->poll_fd, 0, &every, NULL) < 0)
		return -errno;
	return tw_loop_add(&events->agent->loop, &events->poll_watch, events->poll_fd, EPOLLIN,
		on_poll, events);
}

int tw_events_new(struct tw_agent *agent, struct tw_events **ret, struct tw_err *err)
{
	struct tw_events *events = tw_alloc(sizeof(*events));
	int result = -ENOMEM;

	if (!events)
		return tw_err_set(err, result, "events", NULL, "out of memory");
	events->agent = agent;
	events->watch.fd = -1;
	events->poll_watch.fd = -1;
	events->poll_fd = -1;
	events->ring = ring_buffer__new(
		tw_kernel_map_fd(agent->kernel, TW_MAP_events), on_event, events, NULL);
	result = events->ring
			 ? tw_loop_add(&agent->loop, &events->watch,
				   ring_buffer__epoll_fd(events->ring), EPOLLIN, on_ready, events)
			 : -errno;
	if (result >= 0)
		result = open_poll(events);
	if (result < 0) {
		tw_events_free(events);
		return tw_err_set(err, result, "events", NULL, "cannot read the ring buffer: %s",
			strerror(-result));
	}
	tw_counts_losses(agent, &events->lost, &events->limited);
	*ret = events;
	return 0;
}

void tw_events_free(struct tw_events *events)
{
	if (!events)
		return;
	tw_loop_remove(&events->agent->loop, &events->poll_watch);
	if (events->poll_fd >= 0)
		close(events->poll_fd);
	tw_loop_remove(&events->agent->loop, &events->watch);
	ring_buffer__free(events->ring);
	free(events);
}

void tw_events_look(struct tw_events *events)
{
	uint64_t lost = events->lost, limited = events->limited, new_lost, new_limited;

	if (tw_counts_losses(events->agent, &new_lost, &new_limited) < 0)
		return;
	events->looked_ns = tw_clock_ns();
	events->lost = new_lost;
	events->limited = new_limited;
	/* A port that went takes its counts along. */
	tw_journal_lose(&events->agent->journal,
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
