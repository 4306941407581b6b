/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* office-hours FILE [ADDRESS]: decides about connections that a rule with `action: ask` leaves open.
 * Each line of FILE allows one pair, at some hours of local time:
 *
 *	web-1 db-1 tcp 5432 8-18
 *
 * The answer counts until the hours end. FILE is read again for each question, so a change counts at
 * once for pairs that have not been asked about. Everything else is denied.
 *
 *	cc office-hours.c $(pkg-config --cflags --libs tapwall)
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tapwall.h>

/* Returns the name of the workload, or the address if no workload has it. */
static const char *name_of(const struct tapwall_end *end)
{
	return *end->workload ? end->workload : end->address;
}

/* Returns the number of seconds for which FILE allows the connection; 0: not at all. */
static int allowed_seconds(const char *file, const struct tapwall_question *question)
{
	FILE *lines = fopen(file, "r");
	char line[256], from[64], to[64], proto[16];
	time_t now = time(NULL);
	struct tm *local = localtime(&now);
	int second = (local->tm_hour * 60 + local->tm_min) * 60 + local->tm_sec, left = 0;

	while (lines && !left && fgets(line, sizeof(line), lines)) {
		unsigned int port, begin, end;

		if (sscanf(line, "%63s %63s %15s %u %u-%u", from, to, proto, &port, &begin, &end) ==
				6 &&
			!strcmp(from, name_of(&question->from)) &&
			!strcmp(to, name_of(&question->to)) && !strcmp(proto, question->proto) &&
			port == question->to.port && local->tm_hour >= (int)begin &&
			local->tm_hour < (int)end)
			left = (int)end * 3600 - second;
	}
	if (lines)
		fclose(lines);
	return left;
}

static int decide(
	struct tapwall_decider *decider, const char *file, const struct tapwall_question *question)
{
	int seconds = allowed_seconds(file, question);

	printf("%s %s %s:%u %s\n", name_of(&question->from), question->proto,
		name_of(&question->to), question->to.port, seconds ? "allow" : "deny");
	fflush(stdout);
	if (seconds)
		return tapwall_decider_answer(
			decider, question->id, TAPWALL_ALLOW, TAPWALL_PAIR, seconds, NULL);
	return tapwall_decider_answer(
		decider, question->id, TAPWALL_DENY, TAPWALL_CONNECTION, 0, NULL);
}

/* Waits with poll(), so that the loop can wait for other descriptors, too. */
static int loop(struct tapwall_decider *decider, const char *file, struct tapwall_error *error)
{
	struct pollfd poll_fd = {.fd = tapwall_decider_fd(decider), .events = POLLIN};
	const struct tapwall_question *question;
	int got;

	for (;;) {
		while ((got = tapwall_decider_next(decider, 0, &question, error)) > 0)
			decide(decider, file, question);
		if (got != -EAGAIN)
			return got;
		poll(&poll_fd, 1, -1);
	}
}

int main(int argc, char **argv)
{
	struct tapwall_decider *decider = NULL;
	struct tapwall_error error = {0};
	struct tapwall_handle *agent = NULL;
	char text[1024];

	if (argc < 2) {
		fprintf(stderr, "usage: office-hours FILE [ADDRESS]\n");
		return 2;
	}
	if (tapwall_connect(argc > 2 ? argv[2] : NULL, &agent, &error) == 0 &&
		tapwall_decider_open(agent, NULL, &decider, &error) == 0)
		loop(decider, argv[1], &error);
	fprintf(stderr, "office-hours: %s\n", tapwall_error_text(&error, text, sizeof(text)));
	tapwall_decider_free(decider);
	tapwall_free(agent);
	return 1;
}
