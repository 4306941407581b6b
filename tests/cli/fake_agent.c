/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fake_agent MANNER COMMAND [ARGUMENT…]: runs the command with an agent at ./agent.sock that always
 * gives the same answers, so that the command's output can be compared; exits with the command's
 * exit code.
 *
 * Manners: good; calm (as good, but keeps the connection open after the last answer); empty (an
 * agent just started); refuse (every request fails); invalid (the policy has errors); garbage,
 * huge, half, mute (protocol violations).
 */
#include "tests/cli/fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define SOCKET_NAME "agent.sock"

/* ---- answers ---- */

void tw_fake_send(struct tw_fake *teller, Tapwall__V1__Response *response, bool last)
{
	tw_auto_buf struct tw_buf out = {0};

	response->id = teller->id;
	response->last = last;
	if (tw_link_pack(&out, &response->base) < 0 ||
		send(teller->fd, out.data, out.len, MSG_NOSIGNAL) != (ssize_t)out.len)
		exit(1);
}

void tw_fake_send_last(struct tw_fake *teller)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	tw_fake_send(teller, &response, true);
}

static void tell_refusal(struct tw_fake *teller)
{
	Tapwall__V1__Error error = TAPWALL__V1__ERROR__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	error.code = EPERM;
	error.place = "tap-web1";
	error.text = "cannot attach: Operation not permitted";
	error.hint = "give the agent CAP_BPF and CAP_NET_ADMIN";
	response.error = &error;
	tw_fake_send(teller, &response, true);
}

static void tell_invalid(struct tw_fake *teller)
{
	Tapwall__V1__Diagnostic first = TAPWALL__V1__DIAGNOSTIC__INIT, second = first;
	Tapwall__V1__Diagnostic *diagnostics[] = {&first, &second};
	Tapwall__V1__Error error = TAPWALL__V1__ERROR__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	first.line = 3;
	first.column = 21;
	first.text = "there is no group, workload or network nobody";
	first.hint = "define it";
	second.severity = TAPWALL__V1__DIAGNOSTIC__SEVERITY__WARNING;
	second.line = 9;
	second.column = 5;
	second.text = "this rule can never match";
	error.code = EINVAL;
	error.text = "the policy is invalid";
	response.diagnostics = diagnostics;
	response.n_diagnostics = COUNT(diagnostics);
	response.error = &error;
	tw_fake_send(teller, &response, true);
}

/* ---- serving ---- */

static void answer(struct tw_fake *teller, const Tapwall__V1__Request *request)
{
	static void (*const tellers[])(struct tw_fake *) = {
		[TAPWALL__V1__REQUEST__BODY_VERSION] = tw_fake_version,
		[TAPWALL__V1__REQUEST__BODY_STATUS] = tw_fake_status,
		[TAPWALL__V1__REQUEST__BODY_APPLY] = tw_fake_applied,
		[TAPWALL__V1__REQUEST__BODY_RELOAD] = tw_fake_applied,
		[TAPWALL__V1__REQUEST__BODY_POLICY] = tw_fake_policy,
		[TAPWALL__V1__REQUEST__BODY_PORTS] = tw_fake_ports,
		[TAPWALL__V1__REQUEST__BODY_WORKLOADS] = tw_fake_workloads,
		[TAPWALL__V1__REQUEST__BODY_AGENTS] = tw_fake_agents,
		[TAPWALL__V1__REQUEST__BODY_HISTORY] = tw_fake_history,
		[TAPWALL__V1__REQUEST__BODY_GROUPS] = tw_fake_groups,
		[TAPWALL__V1__REQUEST__BODY_FLOWS] = tw_fake_flows,
		[TAPWALL__V1__REQUEST__BODY_RULES] = tw_fake_rules,
		[TAPWALL__V1__REQUEST__BODY_COUNTERS] = tw_fake_counters,
		[TAPWALL__V1__REQUEST__BODY_EVENTS] = tw_fake_events,
		[TAPWALL__V1__REQUEST__BODY_CAPTURE] = tw_fake_capture,
		[TAPWALL__V1__REQUEST__BODY_TOP] = tw_fake_top,
	};

	teller->id = request->id;
	if (request->body_case == TAPWALL__V1__REQUEST__BODY_HISTORY)
		teller->history = request->history;
	tellers[request->body_case](teller);
}

static Tapwall__V1__Request *receive(int fd)
{
	tw_auto_buf struct tw_buf in = {0};
	const uint8_t *body;
	size_t body_len;

	for (;;) {
		char chunk[4096];
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n <= 0)
			return NULL;
		tw_buf_add(&in, chunk, (size_t)n);
		if (tw_link_frame((const uint8_t *)in.data, in.len, &body, &body_len) > 0)
			return tapwall__v1__request__unpack(NULL, body_len, body);
	}
}

static void serve(int fd, const char *manner)
{
	static const char garbage[] = "\0\0\0\4HTTP/1.1 400 Bad Request",
			  huge[] = "\xff\xff\xff\xff";
	Tapwall__V1__Request *request = receive(fd);
	struct tw_fake teller = {.fd = fd, .empty = !strcmp(manner, "empty")};

	if (!request)
		return;
	teller.id = request->id;
	if (!strcmp(manner, "garbage"))
		send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL);
	else if (!strcmp(manner, "huge"))
		send(fd, huge, sizeof(huge), MSG_NOSIGNAL);
	else if (!strcmp(manner, "half"))
		send(fd, "\0\0\1\0half", 8, MSG_NOSIGNAL);
	else if (!strcmp(manner, "refuse"))
		tell_refusal(&teller);
	else if (!strcmp(manner, "invalid"))
		tell_invalid(&teller);
	else if (strcmp(manner, "mute"))
		answer(&teller, request);
	if (!strcmp(manner, "calm"))
		while (recv(fd, request, sizeof(*request), 0) > 0)
			continue;
	tapwall__v1__request__free_unpacked(request, NULL);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 8) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	int listener, status = 0;
	pid_t server;

	if (argc < 3)
		return 2;
	listener = listen_at(SOCKET_NAME);
	server = fork();
	if (server < 0)
		return 1;
	if (!server) {
		for (;;) {
			tw_autofd int fd = accept(listener, NULL, NULL);

			if (fd < 0)
				return 1;
			serve(fd, argv[1]);
		}
	}
	if (!fork()) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	while (wait(&status) == server)
		;
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	unlink(SOCKET_NAME);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
