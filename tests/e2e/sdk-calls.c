/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sdk-calls ADDRESS: uses libtapwall as a program would, and prints what it got. sdk.sh builds it against
 * the installed copy, runs it on an agent whose policy has w1, w2 and the rules of sdk.sh, and compares. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tapwall.h>

static void show_error(const char *what, int code, const struct tapwall_error *error)
{
	char text[1100];

	printf("%s: %s %s\n", what, code == error->code ? strerror(-code) : "codes differ",
		tapwall_error_text(error, text, sizeof(text)));
}

static void need(int code, const char *what, const struct tapwall_error *error)
{
	if (code >= 0)
		return;
	show_error(what, code, error);
	exit(1);
}

static void show_status(struct tapwall *agent)
{
	struct tapwall_status *status = NULL;
	struct tapwall_error error = {0};

	need(tapwall_status_get(agent, &status, &error), "status", &error);
	printf("status: %u rules, %u workloads, %u protected, default %s, generation %d\n",
		status->rules, status->workloads, status->ports_protected, status->default_action,
		(int)status->policy_generation);
	printf("versions: %s\n",
		!strcmp(status->version, tapwall_library_version()) &&
				!strcmp(status->version, tapwall_agent_version(agent))
			? "equal"
			: "differ");
	tapwall_status_free(status);
}

static void show_ports(struct tapwall *agent)
{
	const struct tapwall_port *port = NULL;
	const struct tapwall_rule *rule = NULL;
	struct tapwall_list *list = NULL;
	struct tapwall_error error = {0};
	int got;

	need(tapwall_list_ports(agent, &list, &error), "ports", &error);
	while ((got = tapwall_list_next_port(list, &port, &error)) > 0)
		printf("port: %s %s %s %s %s, %d addresses\n", port->name, port->workload,
			port->state, port->mac, port->bridge, (int)port->n_addresses);
	need(got, "ports", &error);
	got = tapwall_list_next_rule(list, &rule, &error);
	show_error("rules of a list of ports", got, &error);
	tapwall_list_free(list);
}

static void show_tables(struct tapwall *agent)
{
	const struct tapwall_workload *workload = NULL;
	const struct tapwall_counter *counter = NULL;
	const struct tapwall_rule *rule = NULL;
	const struct tapwall_flow *flow = NULL;
	struct tapwall_list *list = NULL;
	struct tapwall_error error = {0};
	int got;

	need(tapwall_list_rules(agent, &list, &error), "rules", &error);
	while ((got = tapwall_list_next_rule(list, &rule, &error)) > 0)
		printf("rule: %s %s %u\n", rule->name, rule->action, rule->line);
	need(got, "rules", &error);
	tapwall_list_free(list);
	need(tapwall_list_workloads(agent, &list, &error), "workloads", &error);
	while ((got = tapwall_list_next_workload(list, &workload, &error)) > 0)
		printf("workload: %s %s %s\n", workload->name, workload->port,
			workload->addresses[0]);
	need(got, "workloads", &error);
	tapwall_list_free(list);
	need(tapwall_list_counters(agent, &list, &error), "counters", &error);
	while ((got = tapwall_list_next_counter(list, &counter, &error)) > 0)
		if (!strcmp(counter->reason, "policy"))
			printf("counter: %s%s\n", counter->reason,
				counter->out + counter->in ? ", not zero" : "");
	need(got, "counters", &error);
	tapwall_list_free(list);
	got = tapwall_list_flows(agent, "nobody", 0, &list, &error);
	need(got, "flows", &error);
	show_error("flows of nobody", tapwall_list_next_flow(list, &flow, &error), &error);
	tapwall_list_free(list);
}

/* The events so far, and the wait for one that does not come. */
static void show_events(struct tapwall *agent)
{
	struct tapwall_events_options options = {
		.size = sizeof(options), .once = true, .all = true};
	const struct tapwall_event *event = NULL;
	struct tapwall_events *events = NULL;
	struct tapwall_error error = {0};
	int got, n = 0;

	need(tapwall_events_open(agent, &options, &events, &error), "events", &error);
	while ((got = tapwall_events_next(events, TAPWALL_FOREVER, &event, &error)) > 0)
		n++;
	need(got, "events", &error);
	printf("events: %s, then the end\n", n ? "some" : "none");
	options.once = false;
	tapwall_events_place(events, &options.journal, &options.next);
	tapwall_events_free(events);
	options.kinds = 1u << TAPWALL_OPEN;
	options.workload = "w1";
	need(tapwall_events_open(agent, &options, &events, &error), "events", &error);
	printf("descriptor: %s\n", tapwall_events_fd(events) >= 0 ? "yes" : "none");
	printf("no event at once: %s\n",
		tapwall_events_next(events, 0, &event, &error) == -EAGAIN ? "EAGAIN" : "?");
	printf("nor later: %s\n",
		tapwall_events_next(events, 50, &event, &error) == -EAGAIN ? "EAGAIN" : "?");
	tapwall_events_free(events);
}

static void set_policy(
	struct tapwall *agent, const char *what, const char *text, unsigned int flags)
{
	struct tapwall_applied *applied = NULL;
	struct tapwall_error error = {0};
	int code = tapwall_policy_set(
		agent, text, strlen(text), "sdk-calls", flags, &applied, &error);

	if (code < 0)
		show_error(what, code, &error);
	for (size_t i = 0; applied && i < applied->n_diagnostics; i++) {
		const struct tapwall_diagnostic *d = tapwall_applied_diagnostic(applied, i);

		printf("%s: %s at %u:%u\n", what, d->warning ? "warning" : "error", d->line,
			d->column);
	}
	if (applied && code == 0)
		printf("%s: %s%s, +%d -%d rules\n", what, applied->in_force ? "in force" : "tried",
			applied->unchanged ? ", unchanged" : "", (int)applied->n_rules_added,
			(int)applied->n_rules_removed);
	tapwall_applied_free(applied);
}

static void change_policy(struct tapwall *agent)
{
	static const char more[] = "\nservices: {more: tcp/9}\n";
	struct tapwall_policy *policy = NULL;
	struct tapwall_error error = {0};
	char *text;

	need(tapwall_policy_get(agent, &policy, &error), "policy", &error);
	printf("policy: %s, generation %d\n",
		strlen(policy->text) == policy->len ? "a text" : "no text",
		(int)policy->generation);
	set_policy(agent, "the same", policy->text, 0);
	set_policy(agent, "an invalid one", "version: 1\nrules: [{action: perhaps}]\n", 0);
	set_policy(agent, "an empty one", "version: 1\n", 0);
	set_policy(agent, "an empty one", "version: 1\n", TAPWALL_DRY_RUN);
	set_policy(agent, "an unknown flag", "version: 1\n", 1u << 31);
	text = malloc(policy->len + sizeof(more));
	if (!text)
		exit(1);
	memcpy(text, policy->text, policy->len);
	memcpy(text + policy->len, more, sizeof(more));
	set_policy(agent, "one with a service more", text, 0);
	set_policy(agent, "the first again", policy->text, 0);
	free(text);
	tapwall_policy_free(policy);
}

static void show_limits(struct tapwall *agent)
{
	struct {
		struct tapwall_events_options known;
		int unknown;
	} options = {.known = {.size = sizeof(options), .once = true}, .unknown = 0};
	struct tapwall_events *events = NULL;
	struct tapwall_decider *decider = NULL;
	struct tapwall_error error = {0};
	int got = tapwall_events_open(agent, &options.known, &events, &error);

	printf("options of a later library, unused: %d\n", got);
	tapwall_events_free(events);
	options.unknown = 1;
	got = tapwall_events_open(agent, &options.known, &events, &error);
	show_error("used", got, &error);
	need(tapwall_decider_open(agent, NULL, &decider, &error), "decider", &error);
	got = tapwall_decider_answer(decider, 12345, TAPWALL_REJECT, TAPWALL_PAIR, 0, &error);
	show_error("an answer that is none", got, &error);
	need(tapwall_decider_answer(decider, 12345, TAPWALL_ALLOW, TAPWALL_PAIR, 0, &error),
		"answer", &error);
	for (int tries = 0; tries < 30 && !tapwall_decider_refused(decider); tries++) {
		const struct tapwall_question *question;

		got = tapwall_decider_next(decider, 1000, &question, &error);
		if (got != -EAGAIN)
			need(got, "decider", &error);
	}
	printf("an answer to no question: %d refused\n", (int)tapwall_decider_refused(decider));
	tapwall_decider_free(decider);
}

int main(int argc, char **argv)
{
	struct tapwall_error error = {0};
	struct tapwall *agent = NULL;

	need(tapwall_connect(argc > 1 ? argv[1] : NULL, &agent, &error), "connect", &error);
	show_status(agent);
	show_ports(agent);
	show_tables(agent);
	show_events(agent);
	change_policy(agent);
	show_limits(agent);
	tapwall_free(agent);
	tapwall_free(NULL);
	tapwall_list_free(NULL);
	tapwall_events_free(NULL);
	return 0;
}
