/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* hostile_tls: hostile ends of the link's TLS. Each tries one attack and prints the result.
 *
 *	hostile_tls raw PORT silent|garbage       TCP without TLS: "closed" when slowd gives up
 *	hostile_tls raw PORT patient              silent, from 127.0.0.2
 *	hostile_tls raw PORT crowd                80 connections at once, from 127.0.0.3
 *	hostile_tls dial PORT PEM CA WHAT         plays an agent or a decider
 *	hostile_tls serve PORT PEM CA WHAT        plays the slow path for the first agent that dials
 *
 * PEM is - for no certificate. WHAT of an agent: hold (sends nothing), huge, half, fill (15 MiB of a message), garbage,
 * ask (asks for the agents, and for another agent's status; prints the errors), roles (one request of each kind at
 * the agent host-a, then an answer; prints the results), newer (as below). WHAT of a slow path:
 * huge, garbage, unasked (a response without a request), capture, deaf (requests the policy again and again, reads
 * nothing), newer (unknown fields, and an unknown request; prints the answers). All connections are to or from
 * 127.0.0.1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "link/identity.h"
#include "link/link.h"
#include "link/stream.h"

#define WAIT_S	    30
#define CROWD	    80
#define ANSWERS_MAX 1024 /* TW_ASKS_WINDOW_MAX */
#define DEAF_NS	    60000000000u

static struct tw_stream *stream;
static const char *address;

static void die(const char *what, int code)
{
	fprintf(stderr, "hostile_tls: %s: %s\n", what, strerror(-code));
	exit(2);
}

/* ---- what all do ---- */

static void send_bytes(const void *bytes, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		ssize_t n = tw_stream_write(stream, (const char *)bytes + sent, len - sent, true);

		if (n < 0)
			return;
		sent += (size_t)n;
	}
}

static void send_garbage(void)
{
	char bytes[4096];

	srand(1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)rand();
	/* An allowed length, so that the bytes after it are read as a message. */
	bytes[0] = bytes[1] = bytes[3] = 0;
	bytes[2] = 1;
	send_bytes(bytes, sizeof(bytes));
}

/* Sends most of a message of nearly full size, and says so. */
static void send_most(void)
{
	static const char zeros[1 << 20];

	send_bytes("\x80\xff\xff\xff", 4);
	for (int i = 0; i < 15; i++)
		send_bytes(zeros, sizeof(zeros));
	puts("sent");
}

static void send_request(Tapwall__V1__Request *request)
{
	tw_auto_buf struct tw_buf out = {0};

	if (!tw_link_pack_request(&out, request))
		send_bytes(out.data, out.len);
}

/* Prints the end of the connection: "closed", or "refused: …" with the reason that the alert gives. */
static void print_end(ssize_t n)
{
	if (n < 0 && n != -EAGAIN && stream->why[0])
		printf("%s\n", stream->why);
	else
		printf("%s\n", n == -EAGAIN ? "stays" : "closed");
}

/* Reads messages until it has read `wanted` responses, the connection ends, or nothing arrives for some time; prints
 * each response. */
static void print_answers(unsigned int wanted)
{
	struct tw_buf in = {0};
	unsigned int got = 0;

	while (got < wanted) {
		const uint8_t *body;
		bool is_request;
		size_t body_len;
		long len = in.len ? tw_link_frame_either((const uint8_t *)in.data, in.len,
					    &is_request, &body, &body_len)
				  : 0;
		Tapwall__V1__Response *response;

		if (len <= 0) {
			char bytes[65536];
			ssize_t n = tw_stream_read(stream, bytes, sizeof(bytes), true);

			if (n <= 0) {
				print_end(n);
				break;
			}
			tw_buf_add(&in, bytes, (size_t)n);
			continue;
		}
		response = is_request ? NULL : tw_link_unpack_response(body, body_len);
		if (response && response->error)
			printf("%llu: error %d: %s\n", (unsigned long long)response->id,
				response->error->code, response->error->text);
		else if (response)
			printf("%llu: answered\n", (unsigned long long)response->id);
		got += response != NULL;
		if (response)
			tapwall__v1__response__free_unpacked(response, NULL);
		memmove(in.data, in.data + len, in.len - (size_t)len);
		in.len -= (size_t)len;
	}
	tw_buf_done(&in);
}

static void wait_for_end(void)
{
	char bytes[65536];
	ssize_t n;

	do
		n = tw_stream_read(stream, bytes, sizeof(bytes), true);
	while (n > 0);
	print_end(n);
}

/* ---- as an agent ---- */

static void ask_for_others(void)
{
	Tapwall__V1__AgentsRequest agents = TAPWALL__V1__AGENTS_REQUEST__INIT;
	Tapwall__V1__StatusRequest status = TAPWALL__V1__STATUS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.id = 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_AGENTS;
	request.agents = &agents;
	send_request(&request);
	request.id = 2;
	request.agent = (char *)"host-a";
	request.body_case = TAPWALL__V1__REQUEST__BODY_STATUS;
	request.status = &status;
	send_request(&request);
	print_answers(2);
}

static void send_as(
	Tapwall__V1__Request *request, Tapwall__V1__Request__BodyCase kind, const char *agent)
{
	request->id++;
	request->agent = (char *)(uintptr_t)agent;
	request->body_case = kind;
	send_request(request);
}

/* Sends answers without a question: more than are allowed at once, then one. */
static void answer_none(Tapwall__V1__Request *request)
{
	static Tapwall__V1__Answer answers[ANSWERS_MAX + 1];
	static Tapwall__V1__Answer *list[ANSWERS_MAX + 1];
	static Tapwall__V1__AnswerRequest body = TAPWALL__V1__ANSWER_REQUEST__INIT;

	for (size_t i = 0; i <= ANSWERS_MAX; i++) {
		tapwall__v1__answer__init(&answers[i]);
		answers[i].id = i + 1;
		answers[i].verdict = (char *)"allow";
		list[i] = &answers[i];
	}
	body.answers = list;
	request->answer = &body;
	body.n_answers = ANSWERS_MAX + 1;
	send_as(request, TAPWALL__V1__REQUEST__BODY_ANSWER, "host-a");
	print_answers(1);
	body.n_answers = 1;
	send_as(request, TAPWALL__V1__REQUEST__BODY_ANSWER, "host-a");
	print_answers(1);
	request->answer = NULL;
}

/* Sends requests that are not a decider's, a subscription without an agent, and then answers. */
static void try_roles(void)
{
	Tapwall__V1__StatusRequest status = TAPWALL__V1__STATUS_REQUEST__INIT;
	Tapwall__V1__InstallRequest install = TAPWALL__V1__INSTALL_REQUEST__INIT;
	Tapwall__V1__EventsRequest events = TAPWALL__V1__EVENTS_REQUEST__INIT;
	Tapwall__V1__AgentsRequest agents = TAPWALL__V1__AGENTS_REQUEST__INIT;
	Tapwall__V1__RenewRequest renew = TAPWALL__V1__RENEW_REQUEST__INIT;
	Tapwall__V1__DecideRequest decide = TAPWALL__V1__DECIDE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.status = &status;
	send_as(&request, TAPWALL__V1__REQUEST__BODY_STATUS, "host-a");
	request.install = &install;
	send_as(&request, TAPWALL__V1__REQUEST__BODY_INSTALL, "host-a");
	request.events = &events;
	send_as(&request, TAPWALL__V1__REQUEST__BODY_EVENTS, "host-a");
	request.agents = &agents;
	send_as(&request, TAPWALL__V1__REQUEST__BODY_AGENTS, "");
	request.renew = &renew;
	send_as(&request, TAPWALL__V1__REQUEST__BODY_RENEW, "");
	request.decide = &decide;
	send_as(&request, TAPWALL__V1__REQUEST__BODY_DECIDE, "");
	print_answers(6);
	answer_none(&request);
}

/* Sends a request with fields of a later version, and a request of an unknown kind. */
static void speak_newer(void)
{
	/* Field 1011 = 7; request 2 with field 1010, as a message. */
	static const char field[] = {(char)0x98, 0x3f, 7};
	static const char unknown[] = {(char)0x80, 0, 0, 5, 8, 2, (char)0x92, 0x3f, 0};
	Tapwall__V1__HelloRequest hello = TAPWALL__V1__HELLO_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	tw_auto_buf struct tw_buf out = {0};

	request.id = 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_HELLO;
	hello.version = (char *)"9.0.0";
	hello.protocol = 9;
	request.hello = &hello;
	if (tw_link_pack_request(&out, &request) < 0)
		return;
	tw_buf_add(&out, field, sizeof(field));
	out.data[3] = (char)(out.data[3] + (char)sizeof(field));
	send_bytes(out.data, out.len);
	send_bytes(unknown, sizeof(unknown));
	print_answers(2);
}

static void play_agent(const char *what)
{
	if (!strcmp(what, "huge"))
		send_bytes("\x7f\xff\xff\xff", 4);
	else if (!strcmp(what, "half"))
		send_bytes("\0\1\0\0half", 8);
	else if (!strcmp(what, "garbage"))
		send_garbage();
	else if (!strcmp(what, "fill"))
		send_most();
	if (!strcmp(what, "ask"))
		ask_for_others();
	else if (!strcmp(what, "roles"))
		try_roles();
	else if (!strcmp(what, "newer"))
		speak_newer();
	else
		wait_for_end();
}

/* ---- as a slow path ---- */

static void ask_capture(void)
{
	Tapwall__V1__CaptureRequest capture = TAPWALL__V1__CAPTURE_REQUEST__INIT;
	Tapwall__V1__ReloadRequest reload = TAPWALL__V1__RELOAD_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.id = 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_CAPTURE;
	capture.workload = (char *)"w1";
	request.capture = &capture;
	send_request(&request);
	request.id = 2;
	request.body_case = TAPWALL__V1__REQUEST__BODY_RELOAD;
	request.reload = &reload;
	send_request(&request);
	print_answers(2);
}

static void send_unasked(void)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	tw_auto_buf struct tw_buf out = {0};

	response.id = 77;
	response.last = true;
	if (!tw_link_pack(&out, &response.base))
		send_bytes(out.data, out.len);
	wait_for_end();
}

/* Sends requests and reads nothing, until the agent closes the connection, or for DEAF_NS. */
static void be_deaf(void)
{
	Tapwall__V1__PolicyRequest policy = TAPWALL__V1__POLICY_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	tw_auto_buf struct tw_buf out = {0};
	uint64_t end_ns = tw_clock_ns() + DEAF_NS;
	bool closed = false;

	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY;
	request.policy = &policy;
	while (!closed && tw_clock_ns() < end_ns) {
		request.id++;
		tw_buf_reset(&out);
		closed = tw_link_pack_request(&out, &request) ||
			 tw_stream_write(stream, out.data, out.len, true) < 0;
	}
	printf("%s\n", closed ? "closed" : "stays");
}

static void play_slow_path(const char *what)
{
	if (!strcmp(what, "capture"))
		ask_capture();
	else if (!strcmp(what, "unasked"))
		send_unasked();
	else if (!strcmp(what, "deaf"))
		be_deaf();
	else if (!strcmp(what, "newer"))
		speak_newer();
	else
		play_agent(what);
}

/* ---- ends ---- */

static struct tw_identity *load(const char *pem, const char *ca, enum tw_identity_side side)
{
	const struct tw_identity_files files = {pem, pem, ca};
	struct tw_identity *identity;
	struct tw_err err;

	if (!strcmp(pem, "-")) {
		identity = calloc(1, sizeof(*identity));
		if (!identity || gnutls_certificate_allocate_credentials(&identity->credentials) ||
			gnutls_certificate_set_x509_trust_file(
				identity->credentials, ca, GNUTLS_X509_FMT_PEM) <= 0)
			die(ca, -EINVAL);
		identity->n_holders = 1;
		identity->side = side;
		return identity;
	}
	if (tw_identity_load(&files, side, &identity, &err) < 0) {
		tw_err_print(stderr, "hostile_tls", &err);
		exit(2);
	}
	return identity;
}

static void dial(const char *pem, const char *ca)
{
	/* Loaded like a slow path's, because the role of a client's certificate is checked. */
	struct tw_identity *identity = load(pem, ca, TW_IDENTITY_SLOW_PATH);
	const struct tw_dial_options options = {
		.address = address, .identity = identity, .wait = true};
	int code;

	identity->side = TW_IDENTITY_AGENT;
	code = tw_stream_dial(&options, &stream);
	if (code < 0)
		die(address, code);
	tw_stream_set_timeout(stream, WAIT_S);
}

static void serve(const char *pem, const char *ca)
{
	const struct tw_listen_options options = {
		.address = address, .identity = load(pem, ca, TW_IDENTITY_SLOW_PATH)};
	struct tw_stream *listener;
	struct pollfd poll_fd = {.events = POLLIN};
	int code = tw_stream_listen(&options, &listener);

	if (code < 0)
		die(address, code);
	poll_fd.fd = listener->fd;
	if (poll(&poll_fd, 1, WAIT_S * 1000) != 1)
		die("no agent dials", -ETIMEDOUT);
	code = tw_stream_accept(listener, &stream);
	if (code < 0)
		die("accept", code);
	tw_stream_set_timeout(stream, WAIT_S);
}

static int connect_from(const char *port, uint32_t from)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&source, sizeof(source)) < 0 ||
		connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die(port, -errno);
	return fd;
}

static void play_raw(const char *port, const char *what)
{
	bool patient = !strcmp(what, "patient"), crowd = !strcmp(what, "crowd");
	uint32_t from = INADDR_LOOPBACK + (patient ? 1 : crowd ? 2 : 0);
	int fd = connect_from(port, from);
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char bytes[512];

	for (int i = 1; crowd && i < CROWD; i++)
		connect_from(port, from);
	if (patient)
		puts("connected");
	memset(bytes, 0x5a, sizeof(bytes));
	if (!strcmp(what, "garbage") && send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
		die("send", -errno);
	for (;;) {
		if (poll(&poll_fd, 1, WAIT_S * 1000) != 1) {
			puts("stays");
			return;
		}
		if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
			break;
	}
	puts("closed");
}

int main(int argc, char **argv)
{
	char text[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "raw")) {
		play_raw(argv[2], argv[3]);
		return 0;
	}
	if (argc != 6)
		return 2;
	snprintf(text, sizeof(text), "tls:127.0.0.1:%s", argv[2]);
	address = text;
	if (!strcmp(argv[1], "dial")) {
		dial(argv[3], argv[4]);
		play_agent(argv[5]);
	} else {
		serve(argv[3], argv[4]);
		play_slow_path(argv[5]);
	}
	tw_stream_close(stream);
	return 0;
}
