/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* connection-log [ADDRESS]: prints a line for each connection that ended and for each frame that was
 * denied, and goes on where it stopped when the agent restarts.
 *
 *	cc connection-log.c $(pkg-config --cflags --libs tapwall)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <tapwall.h>

static void print_end(const struct tapwall_end *end)
{
	printf(" %s%s%s:%u", end->workload, *end->workload ? "=" : "", end->address, end->port);
}

static void print_event(const struct tapwall_event *event)
{
	time_t seconds = (time_t)(event->time_ns / 1000000000);
	char when[32];

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
	if (event->lost_before)
		printf("%s lost %" PRIu64 " events\n", when, event->lost_before);
	printf("%s %s", when, tapwall_kind_name(event->kind));
	if (event->has_ends) {
		printf(" %s", event->proto_name);
		print_end(&event->from);
		print_end(&event->to);
	}
	if (event->kind == TAPWALL_CLOSE)
		printf(" packets %" PRIu64 "/%" PRIu64 " bytes %" PRIu64 "/%" PRIu64 " %.3fs",
			event->packets_out, event->packets_in, event->bytes_out, event->bytes_in,
			(double)event->age_ns / 1e9);
	printf(" rule %s reason %s\n", *event->rule ? event->rule : "-", event->reason);
	fflush(stdout);
}

/* Prints events until the connection ends. Returns the error. */
static int follow(struct tapwall_handle *agent, struct tapwall_events_options *options)
{
	const struct tapwall_event *event;
	struct tapwall_events *events;
	struct tapwall_error error;
	int got = tapwall_events_open(agent, options, &events, &error);

	if (got < 0)
		return got;
	while ((got = tapwall_events_next(events, TAPWALL_FOREVER, &event, &error)) > 0)
		print_event(event);
	tapwall_events_place(events, &options->journal, &options->next);
	tapwall_events_free(events);
	return got;
}

int main(int argc, char **argv)
{
	struct tapwall_events_options options = {
		.size = sizeof(options),
		.all = true,
		.kinds = 1u << TAPWALL_CLOSE | 1u << TAPWALL_DENIAL,
	};
	struct tapwall_error error;
	struct tapwall_handle *agent;
	char text[1024];

	if (tapwall_connect(argc > 1 ? argv[1] : NULL, &agent, &error) < 0) {
		fprintf(stderr, "connection-log: %s\n",
			tapwall_error_text(&error, text, sizeof(text)));
		return EXIT_FAILURE;
	}
	for (;;) {
		follow(agent, &options);
		sleep(1);
	}
}
