/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/style.h"
#include "link/json_message.h"

#define PAUSE_S 1.0 /* cut-through is not renewed, and lapses after 2 s */

static void print_line(const char *label, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void print_line(const char *label, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("  %s%-12s%s %s\n", tw_style_on(TW_STYLE_DIM), label, tw_style_off(), text);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Prints how the agent's policy file differs from the policy in force. */
static void print_file(const Tapwall__V1__Status *s)
{
	if (!s->file[0] || !strcmp(s->file_state, "same"))
		return;
	if (!strcmp(s->file_state, "differs"))
		print_line("file",
			"%s DIFFERS from the policy in force; run tapwall reload, or restore the file",
			s->file);
	else
		print_line("file", "%s cannot be read", s->file);
}

static void print_policy(const Tapwall__V1__Status *s)
{
	if (!s->policy_generation) {
		print_line("policy",
			"none in force: filtered ports stay filtered, unfiltered ones stay NOT FILTERED, new ports are shut");
		print_file(s);
		return;
	}
	print_line("policy", "%s, generation %llu, in force for %s", s->policy_source,
		(unsigned long long)s->policy_generation, tw_human_span(s->policy_age_s).text);
	print_line("", "%s rule%s, %s workload%s", tw_human_count(s->rules).text, plural(s->rules),
		tw_human_count(s->workloads).text, plural(s->workloads));
	if (!strcmp(s->mode, "observe"))
		print_line("", "mode: observe, WHAT RULES AND DEFAULT WOULD DENY PASSES");
	print_line("", "default: %s%s; ports without a workload are %s (unclaimed: %s)",
		s->default_, !strcmp(s->default_, "allow") ? ", WHAT MATCHES NO RULE PASSES" : "",
		!strcmp(s->unclaimed, "deny") ? "shut" : "NOT FILTERED", s->unclaimed);
	print_file(s);
}

/* Prints a line: the formatted text, then `n` names, then how many of `all` names are left out. */
static void print_gap(size_t n, char **names, uint32_t all, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void print_gap(size_t n, char **names, uint32_t all, const char *format, ...)
{
	va_list args;

	fputs(tw_style_on(TW_STYLE_BAD), stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(":%s", tw_style_off());
	for (size_t i = 0; i < n; i++)
		printf("%s %s", i ? "," : "", names[i]);
	if (all > n)
		printf(", and %zu more", all - n);
	putchar('\n');
}

static void print_quarantine(const Tapwall__V1__Quarantine *q)
{
	if (q->ended > 0)
		printf("%sLIFTED HERE:%s %s, by %s; the slow path still wants it in quarantine: %s\n",
			tw_style_on(TW_STYLE_WARN), tw_style_off(), q->workload, q->ended_by,
			q->reason);
	else
		printf("%sQUARANTINED:%s %s, by %s%s until %s: %s\n", tw_style_on(TW_STYLE_BAD),
			tw_style_off(), q->workload, q->who,
			q->change ? " through the slow path" : "",
			q->until > 0 ? tw_human_time(q->until).text : "it is lifted", q->reason);
}

static void print_split(const Tapwall__V1__SplitBrain *split)
{
	printf("%sSPLIT BRAIN:%s %s and %s both claim the shared address %s, last %s ago; it is now at %s\n",
		tw_style_on(TW_STYLE_BAD), tw_style_off(), split->rival, split->holder,
		split->address, tw_human_span(split->age_s).text, split->holder);
}

static void print_confirmation(const Tapwall__V1__Confirmation *c)
{
	const char *on = tw_style_on(TW_STYLE_WARN), *off = tw_style_off();

	if (c && c->previous[0])
		printf("%sNOT CONFIRMED:%s in %s, %s is put in force again; run tapwall confirm to keep the new policy\n",
			on, off, tw_human_span(c->left_s).text, c->previous);
	if (c && c->previous[0] && c->tripwire)
		printf("  %llu connections that passed before are denied; above %u, the earlier policy returns at once\n",
			(unsigned long long)c->cut, c->tripwire - 1);
	if (c && c->returned_from[0])
		printf("%sRETURNED:%s the policy before %s is in force again since %s: %s\n", on,
			off, c->returned_from, tw_human_span(c->returned_age_s).text,
			c->returned_why);
}

/* Prints the ports that are not protected, before anything else. */
static void print_gaps(const Tapwall__V1__Status *s)
{
	if (s->n_unfiltered)
		print_gap(s->n_unfiltered, s->unfiltered, s->ports_unfiltered,
			"NOT FILTERED, %u port%s where frames pass unjudged", s->ports_unfiltered,
			plural(s->ports_unfiltered));
	if (s->ports_open)
		print_gap(s->n_open, s->open, s->ports_open,
			"NOT FILTERED, %u port%s without a workload", s->ports_open,
			plural(s->ports_open));
	if (s->ports_observed)
		print_gap(s->n_observed, s->observed, s->ports_observed,
			"OBSERVED: not enforced, rules and default deny nothing at %u port%s",
			s->ports_observed, plural(s->ports_observed));
	for (size_t i = 0; i < s->n_conflicts; i++)
		printf("%sSHUT:%s %s: %s\n", tw_style_on(TW_STYLE_BAD), tw_style_off(),
			s->conflicts[i]->port, s->conflicts[i]->text);
	if (s->refused_source[0])
		printf("%sREFUSED:%s %s, %s ago: %s\n", tw_style_on(TW_STYLE_BAD), tw_style_off(),
			s->refused_source, tw_human_span(s->refused_age_s).text, s->refused_text);
	for (size_t i = 0; i < s->n_split_brains; i++)
		print_split(s->split_brains[i]);
	for (size_t i = 0; i < s->n_quarantines; i++)
		print_quarantine(s->quarantines[i]);
	print_confirmation(s->confirmation);
	if (s->ports_conflicting > s->n_conflicts)
		printf("%sSHUT:%s %zu more such ports\n", tw_style_on(TW_STYLE_BAD), tw_style_off(),
			s->ports_conflicting - s->n_conflicts);
}

static void print_degraded(const Tapwall__V1__Status *s)
{
	for (size_t i = 0; i < s->n_degraded; i++)
		printf("%sDEGRADED:%s %s\n", tw_style_on(TW_STYLE_BAD), tw_style_off(),
			s->degraded[i]);
}

/* Prints when the agent last checked that the programs are in place. */
static void print_proof(const Tapwall__V1__Status *s)
{
	if (s->proof_age_s < 0)
		print_line("proved", "no port has programs");
	else
		print_line("proved",
			"all ports had their programs when last checked, at most %s ago",
			tw_human_span(s->proof_age_s).text);
	if (s->programs_lost)
		print_line("", "other tools removed programs %s time%s; they were attached again",
			tw_human_count(s->programs_lost).text, plural(s->programs_lost));
}

static const char *describe_latch(const Tapwall__V1__Status *s)
{
	if (!s->latch)
		return "off: a new port is open until the agent has attached to it";
	return s->latch_every_kind
		       ? "on: new ports of every kind are shut until they are filtered"
		       : "on: new bridge ports and routed ports are shut until they are filtered; those of Open vSwitch, bonds and teams are open until then";
}

/* Prints the state of the connection to the slow path. Filtering does not depend on it. */
static void print_slow_path(const Tapwall__V1__SlowPath *s)
{
	if (!s)
		return;
	if (!strcmp(s->state, "connected"))
		print_line("slow path", "%s, connected for %s to %s, version %s", s->address,
			tw_human_span(s->state_age_s).text, s->name, s->version);
	else if (!s->why[0])
		print_line("slow path", "%s, connecting", s->address);
	else
		print_line("slow path", "%s, NOT CONNECTED: %s; tried %llu time%s", s->address,
			s->why, (unsigned long long)s->attempts, plural(s->attempts));
	if (s->events_kept || s->events_dropped)
		print_line("",
			"%s event%s not stored by it yet, %s in memory, %s on disk; %s dropped",
			tw_human_count(s->events_kept).text, plural(s->events_kept),
			tw_human_bytes(s->events_memory_bytes).text,
			tw_human_bytes(s->events_disk_bytes).text,
			tw_human_count(s->events_dropped).text);
	if (s->events_trouble[0])
		print_line("", "events are NOT KEPT ON DISK: %s", s->events_trouble);
	if (s->certificate_left_s < 0)
		print_line("",
			"this host's certificate EXPIRED %s ago; run tapwall enroll --replace",
			tw_human_span(-s->certificate_left_s).text);
	else if (s->certificate_left_s > 0)
		print_line("", "this host's certificate expires in %s%s%s",
			tw_human_span(s->certificate_left_s).text,
			s->renewal_failed[0] ? ", NOT RENEWED: " : "", s->renewal_failed);
}

static void print_ports(const Tapwall__V1__Status *s)
{
	char observed[48] = "";

	if (s->ports_observed)
		snprintf(observed, sizeof(observed), "%u OBSERVED, ", s->ports_observed);
	print_line("ports", "%u NOT FILTERED, %s%u protected, %u unclaimed and shut, %u shut",
		s->ports_open + s->ports_unfiltered, observed, s->ports_protected,
		s->ports_unclaimed - s->ports_open, s->ports_shut);
}

/* Prints the policies that were ordered, the first of which is being put in force. */
static void print_orders(const Tapwall__V1__Status *s)
{
	for (size_t i = 0; i < s->n_orders; i++) {
		const Tapwall__V1__ApplyOrder *order = s->orders[i];

		print_line(i ? "" : "applying", "%s%s, %s, ordered by %s %s ago", order->source,
			order->dry_run ? " (dry run)" : "", order->step,
			order->author[0] ? order->author : "the agent",
			tw_human_span(order->age_s).text);
	}
}

/* Prints the longest pause, if it was long enough for guests or clients to notice. */
static void print_pause(const Tapwall__V1__Status *s)
{
	if (s->longest_pause_s >= PAUSE_S)
		print_line("pause", "%.1f s in which the agent did not answer, %s ago",
			s->longest_pause_s, tw_human_span(s->longest_pause_age_s).text);
}

static void print_text(const Tapwall__V1__Status *s)
{
	double used = s->connections_max
			      ? 100.0 * (double)s->connections / (double)s->connections_max
			      : 0;

	print_gaps(s);
	print_degraded(s);
	printf("%stapwall %s%s is up for %s, pid %u\n", tw_style_on(TW_STYLE_STRONG), s->version,
		tw_style_off(), tw_human_span(s->uptime_s).text, s->pid);
	print_policy(s);
	print_orders(s);
	print_ports(s);
	if (s->workloads_sought)
		print_gap(s->n_sought, s->sought, s->workloads_sought,
			"  without a port on this host");
	print_proof(s);
	print_line("connections", "%s of %s (%.1f%%), %u bytes each",
		tw_human_count(s->connections).text, tw_human_count(s->connections_max).text, used,
		s->connection_bytes);
	print_line("images", "%u, together %s, %.1f bytes per rule", s->images,
		tw_human_bytes(s->image_bytes).text, s->image_bytes_per_rule);
	print_line("events", "%s lost, %s over a port's rate", tw_human_count(s->events_lost).text,
		tw_human_count(s->events_limited).text);
	if (s->deciders || s->questions)
		print_line("asks",
			"%u decider%s; %s question%s: %u open, %s without an answer in time",
			s->deciders, plural(s->deciders), tw_human_count(s->questions).text,
			plural(s->questions), s->questions_open,
			tw_human_count(s->questions_overdue).text);
	print_line("attached", "by %s, pinned at %s", s->attach, s->bpffs);
	print_line("forwarding", "%s%s%s", s->forwarding,
		*s->bridged				    ? ", because the host filters there: "
		: strcmp(s->forwarding, "cut-through") != 0 ? ", through the bridge"
		: s->asks_bridges			    ? ", by the bridge's own MAC table"
							    : ", by the MACs that netlink reported",
		s->bridged);
	for (size_t i = 0; i < s->n_uplinks; i++)
		print_line(i ? "" : "uplinks", "%s", s->uplinks[i]);
	print_line("latch", "%s", describe_latch(s));
	print_slow_path(s->slow_path);
	print_pause(s);
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	const struct tw_status_options *options = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_STATUS)
		return TW_EXIT_OK;
	if (options->json)
		return tw_report_json(tw_json_status(response->status));
	print_text(response->status);
	return TW_EXIT_OK;
}

int tw_status_run(const void *values)
{
	const struct tw_status_options *options = values;
	Tapwall__V1__StatusRequest body = TAPWALL__V1__STATUS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = options->socket,
		.raw = options->json,
		.answer = on_answer,
		.arg = (void *)options};

	request.body_case = TAPWALL__V1__REQUEST__BODY_STATUS;
	request.status = &body;
	return tw_agent_ask(&call, &request);
}
