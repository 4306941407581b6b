/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sdk-calls ADDRESS: uses libtapwall as a program would, and prints the results. sdk.sh builds it against
 * the installed copy, runs it on an agent whose policy has w1, w2 and the rules of sdk.sh, and compares the
 * output. */
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

static void show_status(struct tapwall_handle *agent)
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

static void show_ports(struct tapwall_handle *agent)
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

static void show_tables(struct tapwall_handle *agent)
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

/* Reads the events so far, and then waits for one that does not come. */
static void show_events(struct tapwall_handle *agent)
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
	struct tapwall_handle *agent, const char *what, const char *text, unsigned int flags)
{
	struct tapwall_applied *applied = NULL;
	struct tapwall_error error = {0};
	int code = tapwall_policy_set(
		agent, text, strlen(text), "sdk-calls", flags, &applied, &error);

	if (code < 0)
		show_error(what, code, &error);
	for (size_t i = 0; applied && i < applied->n_diagnostics; i++) {
		const struct tapwall_diagnostic *d = tapwall_applied_diagnostic(applied, i);

		printf("%s: %s at %u:%u", what, d->warning ? "warning" : "error", d->line,
			d->column);
		if (d->file)
			printf(", which is %s:%u", d->file, d->file_line);
		printf("\n");
	}
	if (applied && code == 0)
		printf("%s: %s%s, +%d -%d rules\n", what, applied->in_force ? "in force" : "tried",
			applied->unchanged ? ", unchanged" : "", (int)applied->n_rules_added,
			(int)applied->n_rules_removed);
	tapwall_applied_free(applied);
}

/* Puts a policy with another rule in force, and then this one again. */
static void set_another(struct tapwall_handle *agent, const struct tapwall_policy *policy,
	const char *another, const char *again)
{
	static const char more[] = "  - {from: w2, to: w1, service: tcp/9, action: allow}\n";
	const char *rules = strstr(policy->text, "  - {name: web");
	size_t before = rules ? (size_t)(rules - policy->text) : 0;
	char *text = malloc(policy->len + sizeof(more));

	if (!text || !rules)
		exit(1);
	memcpy(text, policy->text, before);
	strcpy(text + before, more);
	strcat(text, rules);
	set_policy(agent, another, text, 0);
	set_policy(agent, again, policy->text, 0);
	free(text);
}

static void change_policy(struct tapwall_handle *agent)
{
	struct tapwall_policy *policy = NULL;
	struct tapwall_error error = {0};

	need(tapwall_policy_get(agent, &policy, &error), "policy", &error);
	printf("policy: %s, generation %d\n",
		strlen(policy->text) == policy->len ? "a text" : "no text",
		(int)policy->generation);
	set_policy(agent, "the same", policy->text, 0);
	set_policy(agent, "an invalid one", "version: 1\nrules: [{action: perhaps}]\n", 0);
	set_policy(agent, "one of two files",
		"# tapwall file: 10-a.yaml\nversion: 1\n"
		"# tapwall file: 20-b.yaml\nrules: [{action: perhaps}]\n",
		0);
	set_policy(agent, "an empty one", "version: 1\n", 0);
	set_policy(agent, "an empty one", "version: 1\n", TAPWALL_DRY_RUN);
	set_policy(agent, "an unknown flag", "version: 1\n", 1u << 31);
	set_another(agent, policy, "one with a rule more", "the first again");
	tapwall_policy_free(policy);
}

static void show_limits(struct tapwall_handle *agent)
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

static void install(struct tapwall_handle *agent, const char *what, struct tapwall_record record)
{
	struct tapwall_error error = {0};
	int got = tapwall_record_install(agent, &record, &error);

	if (got < 0)
		show_error(what, got, &error);
	else
		printf("%s: %d\n", what, got);
}

static void show_records(struct tapwall_handle *agent)
{
	struct tapwall_record record = {.size = sizeof(record),
		.proto = "tcp",
		.from = "w1",
		.to = "10.0.0.12",
		.to_port = 7009,
		.verdict = TAPWALL_DENY};
	struct tapwall_filter filter = {.size = sizeof(filter)};
	struct tapwall_policy *policy = NULL;
	struct tapwall_removed removed = {0};
	struct tapwall_error error = {0};

	install(agent, "a record", record);
	install(agent, "again", record);
	record.to = "nobody";
	install(agent, "to nobody", record);
	record.to = "fd00::12";
	record.from_port = 1234;
	record.until_policy = true;
	install(agent, "too narrow", record);
	record.from_port = 0;
	record.proto = "icmp";
	install(agent, "icmp with a port", record);
	record.to_port = 7008;
	record.proto = "tcp";
	install(agent, "until the policy changes", record);
	need(tapwall_policy_get(agent, &policy, &error), "policy", &error);
	set_another(agent, policy, "another policy", "the first policy");
	tapwall_policy_free(policy);
	show_error("a filter that matches all",
		tapwall_record_remove(agent, &filter, &removed, &error), &error);
	filter.proto = "tcp";
	need(tapwall_record_remove(agent, &filter, &removed, &error), "remove", &error);
	printf("removed: %d answers\n", (int)removed.answers);
	filter.all = true;
	need(tapwall_record_remove(agent, &filter, &removed, &error), "remove", &error);
	printf("and then: %d\n", (int)removed.answers);
}

int main(int argc, char **argv)
{
	struct tapwall_error error = {0};
	struct tapwall_handle *agent = NULL;

	need(tapwall_connect(argc > 1 ? argv[1] : NULL, &agent, &error), "connect", &error);
	show_status(agent);
	show_ports(agent);
	show_tables(agent);
	show_events(agent);
	change_policy(agent);
	show_limits(agent);
	show_records(agent);
	tapwall_free(agent);
	tapwall_free(NULL);
	tapwall_list_free(NULL);
	tapwall_events_free(NULL);
	return 0;
}
