/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* spooler: a reader that stores events and acknowledges them, as the slow path does.
 *
 *	spooler SOCKET POSITION N [ack]    continues at the position in the file POSITION, keeps that file up to date,
 *	                                   and ends after N rows. Prints a line for each row: its kind, source port,
 *	                                   destination port, interfaces of both ends, state, the ages of its first and
 *	                                   last packet in ms, number, packets from its source, and a period. The last
 *	                                   line has the numbers of rows, of losses, and of events that the agent keeps
 *	spooler SOCKET future              acknowledges rows that do not exist; prints the errors
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/event_reader.h"
#include "link/link.h"

static struct tw_link_client *client;
static struct tw_event_reader reader;
static uint64_t began_journal, began; /* position from which the reader continues */
static uint64_t n, lost;

static void die(const char *what, const struct tw_err *err)
{
	fprintf(stderr, "spooler: %s: %s\n", what, err ? err->text : "failed");
	exit(2);
}

static void send_request(Tapwall__V1__Request *request)
{
	struct tw_err err = {0};

	if (tw_link_send(client, request, &err) < 0)
		die("send", &err);
}

static Tapwall__V1__Response *receive(void)
{
	Tapwall__V1__Response *response;
	struct tw_err err = {0};

	if (tw_link_receive(client, &response, &err) < 0)
		die("receive", &err);
	return response;
}

static void subscribe(void)
{
	Tapwall__V1__EventsRequest events = TAPWALL__V1__EVENTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	events.acks = true;
	events.journal = began_journal;
	events.from = began;
	request.id = 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS;
	request.events = &events;
	send_request(&request);
}

static void acknowledge(uint64_t journal, uint64_t next)
{
	Tapwall__V1__EventsAckRequest ack = TAPWALL__V1__EVENTS_ACK_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	ack.journal = journal;
	ack.next = next;
	request.id = 2;
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS_ACK;
	request.events_ack = &ack;
	send_request(&request);
}

static const char *text_of(uint32_t name)
{
	return name ? tw_dictionary_text(&reader.dictionary, name) : "-";
}

static unsigned long long ms(uint64_t later, uint64_t sooner)
{
	return (later - sooner) / 1000000;
}

static void print_rows(uint64_t max)
{
	static const char *const kinds[] = {"?", "open", "close", "deny", "live"};

	for (size_t i = 0; i < reader.n && n < max; i++) {
		const struct tw_event_row *row = &reader.rows[i];

		if (reader.journal == began_journal && row->number < began)
			continue;
		lost += row->lost_before;
		n++;
		printf("%s %u %u %s %s %s %llu %llu %llu %llu .\n", kinds[row->kind % 5],
			row->from_port, row->to_port, text_of(row->out_port), text_of(row->in_port),
			text_of(row->state), ms(row->time_ns, row->first_ns),
			ms(row->time_ns, row->last_ns), (unsigned long long)row->number,
			(unsigned long long)row->packets_out);
	}
}

/* Stores the position: the number of the row after the last one printed. */
static void store_position(const char *path, uint64_t next)
{
	char temporary[4096];
	FILE *file;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	file = fopen(temporary, "w");
	if (!file || fprintf(file, "%llu %llu\n", (unsigned long long)reader.journal,
			     (unsigned long long)next) < 0)
		die(temporary, NULL);
	fclose(file);
	if (rename(temporary, path) < 0)
		die(path, NULL);
}

static void read_position(const char *path)
{
	unsigned long long journal = 0, next = 0;
	FILE *file = fopen(path, "r");

	if (!file)
		return;
	if (fscanf(file, "%llu %llu", &journal, &next) == 2) {
		began_journal = journal;
		began = next;
	}
	fclose(file);
}

/* Returns the number of the row after the last one printed. */
static uint64_t next_of(uint64_t before, uint64_t max)
{
	uint64_t fresh = n - before;

	for (size_t i = 0; i < reader.n; i++) {
		bool old = reader.journal == began_journal && reader.rows[i].number < began;

		if (!old && !fresh--)
			return reader.rows[i].number;
	}
	return reader.next;
}

static void follow(const char *path, uint64_t max, bool acks)
{
	uint64_t kept = 0, open = 0;

	while (n < max || open) {
		Tapwall__V1__Response *response = receive();
		uint64_t before = n, next;

		if (response->error)
			die(response->error->text, NULL);
		if (response->body_case == TAPWALL__V1__RESPONSE__BODY_EVENTS_ACKED) {
			kept = response->events_acked->kept;
			open--;
		}
		if (response->body_case == TAPWALL__V1__RESPONSE__BODY_EVENTS && n < max) {
			if (tw_event_reader_take(&reader, response->events) < 0)
				die("a batch is malformed", NULL);
			print_rows(max);
			next = next_of(before, max);
			fflush(stdout);
			store_position(path, next);
			if (acks) {
				acknowledge(reader.journal, next);
				open++;
			}
		}
		tapwall__v1__response__free_unpacked(response, NULL);
	}
	printf("rows %" PRIu64 " lost %" PRIu64 " kept %" PRIu64 "\n", n, lost + reader.lost, kept);
}

/* Waits for an answer, and prints its error. */
static void print_refusal(void)
{
	Tapwall__V1__Response *response = receive();

	printf("%s\n", response->error ? response->error->text : "accepted");
	tapwall__v1__response__free_unpacked(response, NULL);
}

int main(int argc, char **argv)
{
	struct tw_err err = {0};

	if (argc < 3 || tw_link_connect(argv[1], &client, &err) < 0)
		die("usage: spooler SOCKET POSITION N [ack], or SOCKET future", &err);
	tw_link_client_set_timeout(client, 60);
	if (argc == 3 && !strcmp(argv[2], "future")) {
		acknowledge(UINT64_MAX, 1);
		print_refusal();
		acknowledge(0, UINT64_MAX);
		print_refusal();
		return 0;
	}
	if (argc < 4)
		die("usage", NULL);
	read_position(argv[2]);
	subscribe();
	follow(argv[2], strtoull(argv[3], NULL, 10), argc > 4);
	tw_event_reader_done(&reader);
	tw_link_client_free(client);
	return 0;
}
