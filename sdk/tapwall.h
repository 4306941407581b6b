/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall.h: the programming interface of tapwall, a firewall at the taps of virtual machines.
 *
 *	struct tapwall_error error;
 *	struct tapwall_handle *agent;
 *	struct tapwall_events *events;
 *	const struct tapwall_event *event;
 *
 *	if (tapwall_connect(NULL, &agent, &error) < 0 ||
 *		tapwall_events_open(agent, NULL, &events, &error) < 0)
 *		…
 *	while (tapwall_events_next(events, TAPWALL_FOREVER, &event, &error) > 0)
 *		puts(event->rule);
 *	tapwall_events_free(events);
 *	tapwall_free(agent);
 *
 * Errors:     if a function that returns int fails, it returns a negative errno and fills in the
 *             caller's `error` unless that is NULL. Otherwise it returns 0, or 1 for a row. Outputs
 *             are unchanged after an error. A function that differs says so.
 * Ownership:  the caller frees each object that a function returns through a pointer to a pointer,
 *             with the …_free() function of its type, which accepts NULL. Rows are `const` and
 *             belong to their list or stream: a row and its texts are valid until the next call on
 *             that list or stream. Texts are UTF-8, or bytes as the host's tools gave them. They
 *             are never NULL unless a field says so.
 * Threads:    a struct tapwall_handle may be used by several threads at once. Each other object
 *             belongs to one thread at a time.
 * Processes:  the library starts no thread, installs no signal handler, prints nothing and never
 *             ends the process. Writing to a closed connection raises no SIGPIPE. Descriptors are
 *             close-on-exec. After fork(), only one of the processes may use an object.
 * Waiting:    `wait_ms` is the longest time to wait, TAPWALL_FOREVER, or 0 to return at once. A
 *             signal that the process handles ends a wait with -EINTR.
 * Stability:  see docs/sdk.md for what stays compatible and for how long. Structs that the library
 *             returns may grow at their end; do not copy them by size or put them into arrays.
 *             Enumerations may grow: handle values that are not listed here.
 */
#ifndef TAPWALL_H
#define TAPWALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TAPWALL_PUBLIC __attribute__((visibility("default")))
#else
#define TAPWALL_PUBLIC
#endif

#define TAPWALL_FOREVER (-1)

/* ---- errors ---- */

/* An error, described for a person. It is all zero before the first error. This struct never
 * changes its size. */
struct tapwall_error {
	int code;	 /* negative errno; 0: none */
	char place[256]; /* subject: an address, a workload, line:column; may be empty */
	char text[512];	 /* what is wrong */
	char hint[256];	 /* what to do; may be empty */
};

/* Writes `place: text; hint` to `text`, which has `max` bytes, and returns `text`. Control
 * characters are replaced, so it is safe to print. */
TAPWALL_PUBLIC const char *tapwall_error_text(
	const struct tapwall_error *error, char *text, size_t max);

/* ---- connecting ---- */

/* A handle for one agent. */
struct tapwall_handle;

/* Returns the version of this library, as in "1.2.3". */
TAPWALL_PUBLIC const char *tapwall_library_version(void);

/* Finds the agent at `address` and checks that it answers. `address` is the path of a socket,
 * `unix:PATH`, or `agent:NAME` for another host's agent, through the socket of tapwall-slowd
 * ($TAPWALL_SLOW or the default one). NULL: $TAPWALL_SOCKET, or the default socket of this host's
 * agent. What a program may do depends on the socket: see docs/sdk.md.
 *
 * Each call on the handle, each list and each stream has a connection of its own, so the handle
 * outlives restarts of the agent. Errors: -ECONNREFUSED or -ENOENT if no agent runs, -EACCES,
 * -EPROTO if the agent speaks another version of the protocol, -ETIMEDOUT, -ENOMEM. */
TAPWALL_PUBLIC int tapwall_connect(
	const char *address, struct tapwall_handle **ret, struct tapwall_error *error);
TAPWALL_PUBLIC void tapwall_free(struct tapwall_handle *agent);

/* Limits how long each request waits for its answer: 60 seconds by default; 0: for ever. Call it
 * before other threads use the handle. */
TAPWALL_PUBLIC void tapwall_set_timeout(struct tapwall_handle *agent, unsigned int seconds);

/* Returns the version that the agent had when the handle was made. The text is valid as long as the
 * handle. */
TAPWALL_PUBLIC const char *tapwall_agent_version(const struct tapwall_handle *agent);

/* ---- words ---- */

enum tapwall_verdict {
	TAPWALL_NO_VERDICT = 0,
	TAPWALL_ALLOW = 1,
	TAPWALL_DENY = 2,   /* silently */
	TAPWALL_REJECT = 3, /* with an answer to the sender */
	TAPWALL_ASK = 4,
	TAPWALL_WOULD_DENY = 5, /* passes, but only because its workload is observed */
};

/* Directions are seen from the workload. */
enum tapwall_direction {
	TAPWALL_OUT = 0,
	TAPWALL_IN = 1,
};

/* Return "allow", …; "out" or "in"; "?" for unknown values. */
TAPWALL_PUBLIC const char *tapwall_verdict_name(enum tapwall_verdict verdict);
TAPWALL_PUBLIC const char *tapwall_direction_name(enum tapwall_direction direction);

/* One end of a connection. */
struct tapwall_end {
	const char *address;  /* "10.0.0.11", "fd00::11"; empty: the frame has none */
	const char *workload; /* empty: the address belongs to none */
	uint16_t port;	      /* 0: the protocol has none */
	uint8_t bytes[16];    /* the address; IPv4 as ::ffff:a.b.c.d. Only in events */
};

/* The decision at one end of a connection. */
struct tapwall_gate {
	enum tapwall_verdict verdict; /* TAPWALL_NO_VERDICT: this end does not decide */
	const char *rule;
};

/* ---- status ---- */

struct tapwall_status {
	const char *version;
	uint32_t pid;
	double uptime_s;
	const char *policy_source;  /* name that came with the policy; empty: none is in force */
	uint64_t policy_generation; /* grows with each change; 0: none */
	double policy_age_s;
	uint32_t rules;
	uint32_t workloads;
	uint32_t ports_protected;
	uint32_t ports_shut;	   /* nothing passes */
	uint32_t ports_unclaimed;  /* belong to no workload */
	uint32_t ports_open;	   /* unclaimed, and not filtered */
	uint32_t ports_unfiltered; /* frames pass them unjudged */
	uint64_t connections;
	uint64_t connections_max;
	uint64_t events_lost;
	uint64_t events_limited; /* suppressed by ports' rate limits */
	const char *forwarding;	 /* "cut-through" or "vswitch" */
	const char *default_action;
	const char *const *degraded; /* functions that do not work at present */
	size_t n_degraded;
	uint32_t deciders;
	uint32_t questions_open;
	uint64_t questions;
	uint64_t questions_answered;
	uint64_t questions_overdue;
	uint32_t ports_observed; /* rules and default deny nothing; not in ports_protected */
};

TAPWALL_PUBLIC int tapwall_status_get(
	struct tapwall_handle *agent, struct tapwall_status **ret, struct tapwall_error *error);
TAPWALL_PUBLIC void tapwall_status_free(struct tapwall_status *status);

/* ---- tables ---- */

struct tapwall_port {
	const char *name; /* of the interface */
	uint32_t ifindex;
	const char *workload; /* empty: unclaimed */
	const char *state;    /* protected, observed, unclaimed, shut, quarantined, unfiltered */
	const char *mac;
	const char *const *addresses;
	size_t n_addresses;
	const char *bridge;
	uint64_t packets_out;
	uint64_t packets_in;
	uint64_t bytes_out;
	uint64_t bytes_in;
	uint64_t denied_out; /* frames */
	uint64_t denied_in;
	uint64_t half_open; /* connections that its guest opened */
	uint64_t established;
	bool open;	     /* nothing is filtered here */
	const char *why;     /* why it is shut; empty: not shut, or there is no policy */
	const char *trouble; /* empty: none */
};

struct tapwall_flow {
	const char *proto; /* tcp, udp, icmp, icmp6, or a number */
	struct tapwall_end from;
	struct tapwall_end to;
	const char *state;
	uint64_t packets_out; /* in the original direction */
	uint64_t packets_in;  /* replies */
	uint64_t bytes_out;
	uint64_t bytes_in;
	double age_s;
	double idle_s;
	struct tapwall_gate out; /* at the end of `from` */
	struct tapwall_gate in;	 /* at the end of `to` */
	const char *network;
	uint16_t icmp_type; /* type << 8 | code of the first packet */
};

struct tapwall_rule {
	const char *name;
	const char *action;
	uint64_t hits; /* connections, and denied frames */
	uint64_t packets;
	uint64_t bytes;
	double last_hit_s; /* seconds ago; negative: never */
	uint32_t line;
	const char *text;
};

/* A virtual interface that the policy in force names. */
struct tapwall_workload {
	const char *name;
	const char *port;  /* empty: none on this host */
	const char *state; /* of the port */
	const char *mac;
	const char *const *addresses;
	size_t n_addresses;
};

struct tapwall_counter {
	const char *reason;
	const char *text; /* the reason in words */
	uint64_t out;	  /* frames */
	uint64_t in;
};

/* An agent that tapwall-slowd knows. */
struct tapwall_agent {
	const char *name; /* for `agent:NAME` */
	const char *host;
	const char *version;
	bool connected;
	const char *address;
	double since_s;	  /* since it connected, or was lost */
	double contact_s; /* since it last sent something */
	uint64_t policy_generation;
	const char *policy_source;
	const char *why; /* why its last connection ended; empty: none has ended */
};

/* An answer of many rows, read one by one; its memory does not grow with their number. */
struct tapwall_list;

/* Begin a list. `workload` NULL: all. `limit` 0: no limit. tapwall_list_agents() needs a handle for
 * the socket of tapwall-slowd. */
TAPWALL_PUBLIC int tapwall_list_ports(
	struct tapwall_handle *agent, struct tapwall_list **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_flows(struct tapwall_handle *agent, const char *workload,
	uint32_t limit, struct tapwall_list **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_rules(
	struct tapwall_handle *agent, struct tapwall_list **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_workloads(
	struct tapwall_handle *agent, struct tapwall_list **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_counters(
	struct tapwall_handle *agent, struct tapwall_list **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_agents(
	struct tapwall_handle *slow, struct tapwall_list **ret, struct tapwall_error *error);

/* Return 1 and the next row, or 0 at the end. -EINVAL if the list has rows of another type. */
TAPWALL_PUBLIC int tapwall_list_next_port(
	struct tapwall_list *list, const struct tapwall_port **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_next_flow(
	struct tapwall_list *list, const struct tapwall_flow **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_next_rule(
	struct tapwall_list *list, const struct tapwall_rule **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_next_workload(struct tapwall_list *list,
	const struct tapwall_workload **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_next_counter(
	struct tapwall_list *list, const struct tapwall_counter **ret, struct tapwall_error *error);
TAPWALL_PUBLIC int tapwall_list_next_agent(
	struct tapwall_list *list, const struct tapwall_agent **ret, struct tapwall_error *error);
TAPWALL_PUBLIC void tapwall_list_free(struct tapwall_list *list);

/* ---- events ---- */

enum tapwall_kind {
	TAPWALL_OPEN = 1,   /* a connection opened: its first packet passed */
	TAPWALL_CLOSE = 2,  /* a connection ended */
	TAPWALL_DENIAL = 3, /* a frame was denied or rejected */
	TAPWALL_LIVE = 4 /* a connection goes on: its state and counts until now; only on request */
};

/* Returns open, close, deny or live; "?" for unknown values. */
TAPWALL_PUBLIC const char *tapwall_kind_name(enum tapwall_kind kind);

/* A field that does not apply to the kind is 0 or empty. */
struct tapwall_event {
	uint64_t number;      /* in the agent's journal; grows */
	uint64_t lost_before; /* events lost between the previous one and this one */
	uint64_t time_ns;     /* Unix time */
	enum tapwall_kind kind;
	enum tapwall_verdict verdict;
	enum tapwall_direction direction;
	bool notable; /* a denial, or of a rule with log: true */
	const char *reason;
	const char *rule;     /* rule that decided; empty: none did */
	const char *workload; /* at whose port it happened; empty: none */
	const char *port;     /* name of the interface */

	bool has_ends;		/* false: the frame has no addresses, or they were not parsed */
	uint8_t proto;		/* IPPROTO_… */
	const char *proto_name; /* tcp, udp, icmp, icmp6, or the number */
	struct tapwall_end from;
	struct tapwall_end to;
	uint16_t icmp_type; /* type << 8 | code */
	uint16_t ethertype;
	uint16_t vlan;
	const char *state; /* of the connection */
	struct tapwall_gate out;
	struct tapwall_gate in;

	/* The frame; only in opens and denials. */
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
	uint32_t len; /* bytes */

	/* The connection; only in closes and live events. `out` is from its originator. */
	uint64_t packets_out;
	uint64_t packets_in;
	uint64_t bytes_out;
	uint64_t bytes_in;
	uint64_t age_ns;      /* from its first packet to its end, or until now */
	uint64_t first_ns;    /* Unix time of its first packet; 0: the agent does not say */
	uint64_t last_ns;     /* Unix time of its last packet */
	const char *out_port; /* interface at the end of `from`; empty: none on this host */
	const char *in_port;  /* interface at the end of `to` */

	/* Only in denials. */
	const char *entered_by; /* interface where an inbound frame entered the host */
	uint8_t tcp_flags;	/* 0: not TCP */
	uint16_t tcp_window;
	uint32_t tcp_seq;
	uint32_t tcp_ack;
};

/* Set `size` to sizeof(struct tapwall_events_options). If all other fields are zero, the stream
 * begins with the oldest event that the agent keeps, and has the notable events only. */
struct tapwall_events_options {
	size_t size;
	bool once;	      /* end after the latest event instead of following */
	bool all;	      /* all events, not only the notable ones */
	const char *workload; /* only events about it; NULL: all */
	uint32_t latest;      /* begin this many events before the end; 0: with the oldest */
	uint32_t kinds;	      /* set of 1 << enum tapwall_kind; 0: all but TAPWALL_LIVE */
	/* From tapwall_events_place(), to continue after a disconnection; 0: see `latest`. */
	uint64_t journal;
	uint64_t next;
};

/* A stream of events. */
struct tapwall_events;

/* Subscribes. `options` NULL: as if all zero. -ENOENT if there is no such workload. */
TAPWALL_PUBLIC int tapwall_events_open(struct tapwall_handle *agent,
	const struct tapwall_events_options *options, struct tapwall_events **ret,
	struct tapwall_error *error);
/* Returns 1 and the next event, 0 at the end of the stream, -EAGAIN if no event came in time, or
 * -EINTR. After another error the stream is over: -EPIPE if the agent closed the connection. */
TAPWALL_PUBLIC int tapwall_events_next(struct tapwall_events *events, int wait_ms,
	const struct tapwall_event **ret, struct tapwall_error *error);
/* Returns the descriptor for the caller's poll(), readable when there may be new events. Events
 * come in batches: before polling again, call tapwall_events_next() with wait_ms 0 until it returns
 * -EAGAIN. Do not read from the descriptor itself. */
TAPWALL_PUBLIC int tapwall_events_fd(const struct tapwall_events *events);
/* Returns values for the options `journal` and `next`, with which a new subscription continues
 * after the last event that was returned. Before the first event, these are the values that
 * tapwall_events_open() got. If the agent has restarted meanwhile, the new subscription begins with
 * the oldest event of the new journal. */
TAPWALL_PUBLIC void tapwall_events_place(
	const struct tapwall_events *events, uint64_t *ret_journal, uint64_t *ret_next);
/* Returns the number of events lost after the last one that was returned. `lost_before` of the next
 * event includes them. */
TAPWALL_PUBLIC uint64_t tapwall_events_lost(const struct tapwall_events *events);
TAPWALL_PUBLIC void tapwall_events_free(struct tapwall_events *events);

/* ---- deciding ---- */

/* A connection that a rule with `action: ask` leaves to deciders. */
struct tapwall_question {
	uint64_t id;
	const char *rule;
	const char *proto;	 /* tcp, udp, icmp, icmp6, or a number */
	struct tapwall_end from; /* opens the connection */
	struct tapwall_end to;
	uint16_t icmp_type; /* type << 8 | code */
	const char *network;
	const char *workload; /* at whose port the rule asks */
	const char *port;
	enum tapwall_direction direction; /* of the connection, as that workload sees it */
	double age_s;			  /* since the packet came */
	double left_s;			  /* until the policy's on-timeout decides */
	bool held;	     /* the first packet waits; false: its sender must repeat it */
	const uint8_t *data; /* first packet, from the Ethernet header; NULL: not asked for */
	size_t data_len;
};

/* What an answer covers. TAPWALL_CONNECTION: these addresses and ports. TAPWALL_PAIR: these
 * addresses and this service, from any source port. TAPWALL_UNTIL_POLICY: as TAPWALL_PAIR, but only
 * until the policy changes. */
enum tapwall_scope {
	TAPWALL_CONNECTION = 0,
	TAPWALL_PAIR = 1,
	TAPWALL_UNTIL_POLICY = 2,
};

/* Set `size` to sizeof(struct tapwall_decider_options). */
struct tapwall_decider_options {
	size_t size;
	uint32_t window; /* questions given to this decider and not answered, up to 1024; 0: 64 */
	bool data;	 /* questions come with the first packet */
};

/* A stream of questions, and the way back for answers. */
struct tapwall_decider;

/* Subscribes to questions. `options` NULL: as if all zero. Several deciders share the questions. If
 * a decider leaves or dies, its unanswered questions go to the other deciders. If the socket is not
 * for deciders, tapwall_decider_next() returns -EACCES. */
TAPWALL_PUBLIC int tapwall_decider_open(struct tapwall_handle *agent,
	const struct tapwall_decider_options *options, struct tapwall_decider **ret,
	struct tapwall_error *error);
/* Returns 1 and the next question. The other results are those of tapwall_events_next(). */
TAPWALL_PUBLIC int tapwall_decider_next(struct tapwall_decider *decider, int wait_ms,
	const struct tapwall_question **ret, struct tapwall_error *error);
/* Answers the question `id` with TAPWALL_ALLOW or TAPWALL_DENY. The answer counts for connections
 * that open within `ttl_s` seconds; 0: 10 seconds for TAPWALL_CONNECTION, else an hour. The
 * function does not wait for the agent's reply: tapwall_decider_refused() counts answers that came
 * too late. Questions may be answered in any order, or not at all. */
TAPWALL_PUBLIC int tapwall_decider_answer(struct tapwall_decider *decider, uint64_t id,
	enum tapwall_verdict verdict, enum tapwall_scope scope, double ttl_s,
	struct tapwall_error *error);
/* Returns the number of answers that the agent refused because their question was unknown, answered
 * or overdue. tapwall_decider_next() reads the agent's replies: refusals that it has not read yet
 * do not count. */
TAPWALL_PUBLIC uint64_t tapwall_decider_refused(const struct tapwall_decider *decider);
/* As tapwall_events_fd(). */
TAPWALL_PUBLIC int tapwall_decider_fd(const struct tapwall_decider *decider);
TAPWALL_PUBLIC void tapwall_decider_free(struct tapwall_decider *decider);

/* ---- connection records ---- */

/* An answer that is given before a rule asks. It allows nothing that the policy denies: only a rule
 * with `action: ask` heeds it, at the ends of the connection that ask. Set `size` to
 * sizeof(struct tapwall_record). */
struct tapwall_record {
	size_t size;
	const char *proto; /* tcp, udp, icmp, icmp6, or a number */
	const char *from;  /* an address, or a workload: all its single addresses */
	const char *to;
	uint16_t from_port; /* 0: any */
	uint16_t to_port;
	uint16_t icmp_type;	      /* type << 8 | code, for icmp and icmp6 */
	enum tapwall_verdict verdict; /* TAPWALL_ALLOW or TAPWALL_DENY */
	double ttl_s;		      /* how long it counts for new connections; 0: an hour */
	bool until_policy; /* end with the next policy, if that is earlier; only without from_port */
};

/* Installs a record. It also ends when a change of the policy removes the rule that asks. Returns
 * the number of answers that are now in force: one for each pair of addresses and end that asks.
 * -EPERM if a rule denies the connection, -EEXIST if the policy allows it without a record, -ENOENT
 * if no port of the host judges it or there is no such workload, -EACCES, -EINVAL, -ENOSPC. After
 * an error nothing is installed, except after -ENOSPC. */
TAPWALL_PUBLIC int tapwall_record_install(struct tapwall_handle *agent,
	const struct tapwall_record *record, struct tapwall_error *error);

/* Selects connections and answers to remove. They match every field that is not NULL or 0.
 * Set `size` to sizeof(struct tapwall_filter). */
struct tapwall_filter {
	size_t size;
	const char *proto;
	const char *from; /* an address, or a workload */
	const char *to;
	const char *workload; /* at either end */
	uint16_t from_port;
	uint16_t to_port;
	bool all; /* with no other field: every connection */
};

/* This struct never changes its size. */
struct tapwall_removed {
	uint64_t connections;
	uint64_t missed;  /* connections that had a packet at that moment: try again */
	uint64_t answers; /* of deciders, and installed ones */
};

/* Ends connections, and removes answers about them. The next packet of such a connection is judged
 * as that of a new one: a TCP connection that was open does not go on. `ret` may be NULL. -EINVAL
 * if the filter matches everything and `all` is false, -EACCES. */
TAPWALL_PUBLIC int tapwall_record_remove(struct tapwall_handle *agent,
	const struct tapwall_filter *filter, struct tapwall_removed *ret,
	struct tapwall_error *error);

/* ---- the policy ---- */

struct tapwall_policy {
	const char *text; /* as it was applied; NUL-terminated */
	size_t len;
	const char *source; /* name that came with it */
	uint64_t generation;
};

/* Reads the policy in force. -ENOENT if there is none. */
TAPWALL_PUBLIC int tapwall_policy_get(
	struct tapwall_handle *agent, struct tapwall_policy **ret, struct tapwall_error *error);
TAPWALL_PUBLIC void tapwall_policy_free(struct tapwall_policy *policy);

struct tapwall_diagnostic {
	bool warning; /* false: an error */
	uint32_t line;
	uint32_t column;
	const char *text;
	const char *hint;
	const char *file;   /* file of a policy in several files; NULL: the policy is one file */
	uint32_t file_line; /* line in that file; 0: the policy is one file */
};

/* What a policy changed or, if it was only tried, would change. The lists name rules, workloads and
 * ports. */
struct tapwall_applied {
	bool in_force;	/* false: it was only tried, or was refused */
	bool unchanged; /* the policy in force says the same */
	uint64_t generation;
	double compile_ms;
	double publish_ms;
	size_t n_diagnostics; /* tapwall_applied_diagnostic() */
	size_t n_rules_added;
	size_t n_rules_removed;
	size_t n_rules_changed;
	size_t n_workloads_added;
	size_t n_workloads_removed;
	size_t n_workloads_changed;
	size_t n_ports_changed;
	size_t n_unprotected;
	size_t n_dangers;
	const char *const *rules_added;
	const char *const *rules_removed;
	const char *const *rules_changed;
	const char *const *workloads_added;
	const char *const *workloads_removed;
	const char *const *workloads_changed;
	const char *const *ports_changed;
	const char *const *unprotected; /* ports that the policy leaves unfiltered */
	const char *const *dangers;	/* other changes that weaken protection, as sentences */
};

/* Flags of tapwall_policy_set(). */
#define TAPWALL_DRY_RUN		1u /* check the policy and report what it would change */
#define TAPWALL_ALLOW_UNPROTECT 2u /* even if it leaves a protected port unfiltered */

/* Puts a policy in force, whole or not at all. `source` names it in status and log; NULL: "api".
 * `ret` may be NULL. *ret is set if the agent read the policy, even if it refused the policy; the
 * diagnostics in *ret then say where and why. Otherwise *ret becomes NULL. -EINVAL if the policy is
 * invalid, -EACCES if the socket may not change the policy, -EMSGSIZE if the request is larger than
 * 72 MiB. */
TAPWALL_PUBLIC int tapwall_policy_set(struct tapwall_handle *agent, const char *text, size_t len,
	const char *source, unsigned int flags, struct tapwall_applied **ret,
	struct tapwall_error *error);
/* Returns the diagnostic number `index`, in the order of the text. NULL if there is no such
 * diagnostic. */
TAPWALL_PUBLIC const struct tapwall_diagnostic *tapwall_applied_diagnostic(
	const struct tapwall_applied *applied, size_t index);
TAPWALL_PUBLIC void tapwall_applied_free(struct tapwall_applied *applied);

#ifdef __cplusplus
}
#endif

#endif
