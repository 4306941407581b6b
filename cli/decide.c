/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* decide: prints the questions of rules that ask, and answers them from stdin or by a command. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/clock.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "cli/style.h"
#include "link/address.h"
#include "link/flow.h"
#include "link/identity.h"
#include "link/json_message.h"
#include "policy/text.h"

#define SUBSCRIPTION 1 /* id of the request; answers use their question's id, which is larger */
#define COMMANDS_MAX 64
#define LINE_MAX_LEN 512
#define TTL_MAX	     (20 * 86400)
#define ENV_MAX	     384
#define SILENCE_NS   15000000000u /* as TW_PEER_SILENCE_NS */
#define FAR_WAIT_MS  1000
#define SURE_NS \
	1000000000u /* time after which the subscription has been accepted: a refusal comes at once */
#define ADDRESS_MAX 320

/* A command that decides a question. */
struct command {
	uint64_t id;
	pid_t pid;
	int fd; /* pidfd; -1: none */
	uint64_t until_ns;
};

enum standing {
	STANDING_FIRST,	 /* subscribed, but the agent may still refuse */
	STANDING_AGAIN,	 /* the same after the agent was gone */
	STANDING_JOINED, /* the agent has accepted the subscription */
	STANDING_GONE,	 /* the agent has gone away */
};

struct session {
	const struct tw_decide_options *options;
	struct tw_link_client *client; /* NULL: the agent has gone away */
	enum standing standing;
	uint64_t asked_ns; /* time of the last subscription, or of the last attempt */
	const char *
		agent; /* agent to which tapwall-slowd passes requests; empty: agent's own socket */
	struct command commands[COMMANDS_MAX];
	char line[LINE_MAX_LEN]; /* start of a line of stdin */
	size_t line_len;
	bool too_long;
	bool ended; /* end of stdin reached */
};

/* ---- an agent that goes away ---- */

static int end_command(struct session *session, struct command *command, bool answers);

/* Questions end with the agent that asked them, and so do their commands. */
static void end_commands(struct session *session)
{
	for (size_t i = 0; i < COMMANDS_MAX; i++)
		if (session->commands[i].fd >= 0)
			end_command(session, &session->commands[i], false);
}

/* Called when the agent is gone, which is then waited for. */
static void lose_agent(struct session *session)
{
	bool told = session->standing == STANDING_AGAIN;

	end_commands(session);
	tw_link_client_free(TW_TAKE_PTR(session->client));
	session->standing = STANDING_GONE;
	if (!told)
		tw_agent_tell_gone(session->options->socket);
}

/* Handles an error of the connection. Returns 0 if the agent is waited for, otherwise an exit code. */
static int end_connection(struct session *session, const struct tw_err *err)
{
	if (!tw_agent_is_gone(err->code))
		return tw_agent_tell_unreachable(err);
	lose_agent(session);
	return 0;
}

/* Called when the agent has accepted the subscription. */
static void join_agent(struct session *session)
{
	if (session->standing == STANDING_AGAIN)
		tw_agent_tell_back(session->options->socket);
	session->standing = STANDING_JOINED;
}

static bool is_sure(const struct session *session)
{
	return session->standing == STANDING_JOINED || tw_clock_ns() - session->asked_ns > SURE_NS;
}

/* ---- answers ---- */

static int tell_closed(uint64_t id)
{
	fprintf(stderr,
		"tapwall: %" PRIu64
		": no such question is open: it is unknown, answered, or its time is over\n",
		id);
	return 0;
}

static int send_answer(struct session *session, Tapwall__V1__Answer *answer)
{
	Tapwall__V1__AnswerRequest body = TAPWALL__V1__ANSWER_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_err err = {0};

	/* Questions end with the agent that asked them. */
	if (!session->client)
		return tell_closed(answer->id);
	body.n_answers = 1;
	body.answers = &answer;
	request.id = answer->id;
	request.agent = (char *)(uintptr_t)session->agent;
	request.body_case = TAPWALL__V1__REQUEST__BODY_ANSWER;
	request.answer = &body;
	return tw_link_send(session->client, &request, &err) < 0 ? end_connection(session, &err)
								 : 0;
}

const char *const tw_decide_scopes[] = {"connection", "pair", "policy", NULL};

/* Reads a line of stdin: ID VERDICT [SCOPE] [TTL]. False if it is not an answer. */
static bool read_answer(char *line, Tapwall__V1__Answer *ret)
{
	char *rest = NULL, *end = NULL, *word = strtok_r(line, " \t", &rest);
	char *verdict = strtok_r(NULL, " \t", &rest);
	uint32_t seconds = 0;

	if (!word || !verdict || (strcmp(verdict, "allow") != 0 && strcmp(verdict, "deny") != 0))
		return false;
	errno = 0;
	ret->id = strtoull(word, &end, 10);
	if (errno || end == word || *end || ret->id <= SUBSCRIPTION || *word == '-')
		return false;
	ret->verdict = verdict;
	word = strtok_r(NULL, " \t", &rest);
	for (size_t i = 0; word && tw_decide_scopes[i]; i++) {
		if (strcmp(word, tw_decide_scopes[i]) != 0)
			continue;
		ret->scope = word;
		word = strtok_r(NULL, " \t", &rest);
		break;
	}
	if (word && (tw_text_seconds(word, TTL_MAX, &seconds) < 0 || !seconds))
		return false;
	ret->ttl_s = seconds;
	return !word || !strtok_r(NULL, " \t", &rest);
}

static int on_line(struct session *session)
{
	Tapwall__V1__Answer answer = TAPWALL__V1__ANSWER__INIT;
	char copy[LINE_MAX_LEN];

	session->line[session->line_len] = '\0';
	session->line[strcspn(session->line, "\r")] = '\0';
	snprintf(copy, sizeof(copy), "%s", session->line);
	if (!session->too_long && !copy[strspn(copy, " \t")])
		return 0;
	if (!session->too_long && read_answer(session->line, &answer))
		return send_answer(session, &answer);
	tw_report_error(TW_EXIT_USAGE, "stdin",
		"write ID allow|deny [connection|pair|policy] [TTL], as in 12 allow pair 1h",
		"%.80s is no answer", tw_cleaned(copy).text);
	return 0;
}

static int on_stdin(struct session *session)
{
	char data[4096];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));
	int ret = 0;

	if (n <= 0) {
		session->ended = true;
		return 0;
	}
	for (ssize_t i = 0; i < n && !ret; i++) {
		if (data[i] == '\n') {
			ret = on_line(session);
			session->line_len = 0;
			session->too_long = false;
		} else if (session->line_len < LINE_MAX_LEN - 1) {
			session->line[session->line_len++] = data[i];
		} else {
			session->too_long = true;
		}
	}
	return ret;
}

/* ---- commands ---- */

static void put_variable(const char *name, const char *text)
{
	setenv(name, text ? text : "", 1);
}

static void put_number(const char *name, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	setenv(name, text, 1);
}

static void put_variables(const Tapwall__V1__Question *q)
{
	put_number("TAPWALL_ID", q->id);
	put_variable("TAPWALL_RULE", q->rule);
	put_variable("TAPWALL_PROTO", q->proto);
	put_variable("TAPWALL_FROM", q->from ? q->from->address : "");
	put_variable("TAPWALL_FROM_WORKLOAD", q->from ? q->from->workload : "");
	put_number("TAPWALL_FROM_PORT", q->from ? q->from->port : 0);
	put_variable("TAPWALL_TO", q->to ? q->to->address : "");
	put_variable("TAPWALL_TO_WORKLOAD", q->to ? q->to->workload : "");
	put_number("TAPWALL_TO_PORT", q->to ? q->to->port : 0);
	put_number("TAPWALL_ICMP_TYPE", q->icmp_type >> 8);
	put_variable("TAPWALL_WORKLOAD", q->workload);
	put_variable("TAPWALL_DIRECTION", q->direction);
}

/* Runs in the child. The child leads a process group, so that processes started by the command
 * end with it. */
static void run_command(const struct session *session, const Tapwall__V1__Question *q)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	put_variables(q);
	execl("/bin/sh", "sh", "-c", session->options->exec, (char *)NULL);
	_exit(127);
}

static int start_command(struct session *session, const Tapwall__V1__Question *q)
{
	struct command *command = session->commands;
	const struct command *end = command + COMMANDS_MAX;

	while (command < end && command->fd >= 0)
		command++;
	if (command == end)
		return 0; /* the question times out; rare, because --window limits their number */
	command->pid = fork();
	if (!command->pid)
		run_command(session, q);
	if (command->pid < 0)
		return tw_report_error(TW_EXIT_INTERNAL, session->options->exec, NULL,
			"cannot start it: %s", strerror(errno));
	setpgid(command->pid, command->pid);
	command->id = q->id;
	command->until_ns = tw_clock_ns() + (uint64_t)((q->left_s > 0 ? q->left_s : 0) * 1e9);
	command->fd = (int)syscall(SYS_pidfd_open, command->pid, 0);
	if (command->fd >= 0)
		return 0;
	kill(-command->pid, SIGKILL);
	waitpid(command->pid, NULL, 0);
	return tw_report_error(TW_EXIT_INTERNAL, session->options->exec, NULL,
		"cannot wait for it: %s", strerror(errno));
}

static int end_command(struct session *session, struct command *command, bool answers)
{
	Tapwall__V1__Answer answer = TAPWALL__V1__ANSWER__INIT;
	int status = 0;

	if (!answers)
		kill(-command->pid, SIGKILL);
	waitpid(command->pid, &status, 0);
	close(command->fd);
	command->fd = -1;
	if (!answers)
		return 0;
	answer.id = command->id;
	answer.verdict = (char *)(WIFEXITED(status) && !WEXITSTATUS(status) ? "allow" : "deny");
	answer.scope = (char *)(uintptr_t)tw_decide_scopes[session->options->scope];
	answer.ttl_s = session->options->ttl;
	return send_answer(session, &answer);
}

/* ---- questions ---- */

static int print_question(const struct session *session, const Tapwall__V1__Question *q)
{
	struct tw_flow_words words;

	if (session->options->json) {
		int code = tw_report_json(tw_json_question(q));

		fflush(stdout);
		return code;
	}
	tw_flow_words(q->proto, q->icmp_type, q->from, q->to, &words);
	printf("%" PRIu64 "  %s%s  %s %s %s  rule %s, %s %s, %.0f ms left%s\n", q->id, words.proto,
		words.id, words.from, tw_glyph(TW_GLYPH_ARROW), words.to, q->rule,
		strcmp(q->direction, "in") ? "out of" : "into",
		q->workload[0] ? q->workload : q->port, q->left_s * 1e3,
		q->held ? "" : "; the packet does not wait");
	fflush(stdout);
	return 0;
}

static int on_response(struct session *session, Tapwall__V1__Response *response)
{
	struct tw_err err = {0};

	if (response->error && session->standing != STANDING_FIRST &&
		tw_agent_is_away(response->error, session->agent)) {
		lose_agent(session);
		return 0;
	}
	if (response->error) {
		tw_err_set(&err, -response->error->code, response->error->place,
			response->error->hint, "%s", response->error->text);
		return tw_report_err(&err);
	}
	join_agent(session);
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_ANSWERED) {
		return response->answered->refused ? tell_closed(response->id) : 0;
	}
	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_QUESTION)
		return response->last ? TW_AGENT_ENOUGH : 0;
	return session->options->exec ? start_command(session, response->question)
				      : print_question(session, response->question);
}

static int receive(struct session *session)
{
	struct tw_err err = {0};
	int ret;

	do {
		Tapwall__V1__Response *response = NULL;
		int code = tw_link_receive_within(session->client, 0, &response, &err);

		if (code == -EAGAIN || code == -EINTR)
			return 0;
		if (code < 0)
			return end_connection(session, &err);
		if (!session->options->json)
			tw_link_clean(&response->base);
		ret = on_response(session, response);
		tapwall__v1__response__free_unpacked(response, NULL);
	} while (!ret && session->client && tw_link_client_has_more(session->client));
	return ret;
}

/* ---- the verb ---- */

/* Connects to tapwall-slowd by TLS. */
static int connect_far(struct session *session, struct tw_err *err)
{
	const struct tw_decide_options *options = session->options;
	const struct tw_identity_files files = {options->cert, options->cert, options->ca};
	tw_auto(tw_identity) struct tw_identity *identity = NULL;
	char address[ADDRESS_MAX];
	int code = tw_identity_load(&files, TW_IDENTITY_DECIDER, &identity, err);

	session->agent = options->socket + strlen(TW_AGENT_SCHEME);
	if (code < 0)
		return code;
	if (tw_address_with_scheme(options->connect, address, sizeof(address)) < 0)
		return tw_err_set(
			err, -EINVAL, "--connect", TW_ADDRESS_DIAL_HINT, "the address is too long");
	return tw_link_connect_far(address, identity, &session->client, err);
}

/* Connects. Returns 0 or a negative errno with `err` filled in. */
static int connect_any(struct session *session, struct tw_err *err)
{
	return session->options->connect ? connect_far(session, err)
					 : tw_agent_connect(session->options->socket,
						   &session->client, &session->agent, err);
}

/* Connects and subscribes. Returns 0, or a negative errno with `err` filled in; the client is then NULL. */
static int subscribe(struct session *session, struct tw_err *err)
{
	Tapwall__V1__DecideRequest body = TAPWALL__V1__DECIDE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	int code;

	session->asked_ns = tw_clock_ns();
	code = connect_any(session, err);
	if (code < 0)
		return code;
	body.window = session->options->window;
	request.id = SUBSCRIPTION;
	request.agent = (char *)(uintptr_t)session->agent;
	request.body_case = TAPWALL__V1__REQUEST__BODY_DECIDE;
	request.decide = &body;
	code = tw_link_send(session->client, &request, err);
	if (code < 0)
		tw_link_client_free(TW_TAKE_PTR(session->client));
	return code;
}

/* Prints why no subscription is possible. Returns an exit code. */
static int tell_refused(const struct tw_err *err)
{
	if (err->code != -EKEYREJECTED)
		return tw_agent_tell_unreachable(err);
	tw_report_err(err);
	return TW_EXIT_NO;
}

/* Subscribes for the first time. Returns an exit code. */
static int begin(struct session *session)
{
	const struct tw_decide_options *options = session->options;
	struct tw_err err = {0};

	if (options->connect &&
		strncmp(options->socket, TW_AGENT_SCHEME, strlen(TW_AGENT_SCHEME)) != 0)
		return tw_report_error(TW_EXIT_USAGE, "--connect",
			"add --socket agent:NAME; tapwall agents lists the names",
			"needs the name of an agent");
	return subscribe(session, &err) < 0 ? tell_refused(&err) : TW_EXIT_OK;
}

/* Tries to reach an agent that has gone away. Returns an exit code if it would refuse again. */
static int try_again(struct session *session)
{
	struct tw_err err = {0};
	int code = subscribe(session, &err);

	if (code == -EKEYREJECTED || code == -EACCES || code == -ENOMEM)
		return tell_refused(&err);
	if (!code)
		session->standing = STANDING_AGAIN;
	return 0;
}

/* Ends commands that have finished or whose question has timed out. Returns the ms until the next
 * timeout, or -1 if no command runs. */
static int tend_commands(struct session *session, const struct pollfd *fds, int *ret_code)
{
	uint64_t now = tw_clock_ns(), next = UINT64_MAX;

	for (size_t i = 0; i < COMMANDS_MAX && !*ret_code; i++) {
		struct command *command = &session->commands[i];

		if (command->fd < 0)
			continue;
		if (fds[2 + i].fd == command->fd && fds[2 + i].revents)
			*ret_code = end_command(session, command, true);
		else if (command->until_ns <= now)
			*ret_code = end_command(session, command, false);
		else if (command->until_ns < next)
			next = command->until_ns;
	}
	return next == UINT64_MAX ? -1 : (int)((next - now) / 1000000 + 1);
}

/* True if the slow path, which greets every two seconds, has sent nothing for too long. The kernel
 * closes a socket of this host if the other end dies, but a connection to another machine may stay open. */
static bool is_silent(const struct session *session)
{
	return session->options->connect && session->client &&
	       tw_clock_ns() - tw_link_client_heard_ns(session->client) > SILENCE_NS;
}

/* Returns the maximum of ms to wait for events; -1: no limit. */
static int limit_wait(const struct session *session)
{
	if (session->options->connect)
		return FAR_WAIT_MS;
	if (!session->client)
		return TW_AGENT_AGAIN_MS;
	return session->standing == STANDING_JOINED ? -1 : (int)(SURE_NS / 1000000);
}

/* Handles what time brings: silence of the slow path, an attempt to reach the agent. */
static int tend_agent(struct session *session)
{
	uint64_t pause_ms = session->options->connect ? FAR_WAIT_MS : TW_AGENT_AGAIN_MS;

	if (is_silent(session)) {
		lose_agent(session);
		return 0;
	}
	if (session->client) {
		if (is_sure(session))
			join_agent(session);
		return 0;
	}
	if (tw_clock_ns() - session->asked_ns < pause_ms * 1000000)
		return 0;
	return try_again(session);
}

static int turn(struct session *session, struct pollfd *fds, int *wait_ms)
{
	bool reads = !session->options->exec;
	int code = 0, limit_ms = limit_wait(session);

	if (limit_ms >= 0 && (*wait_ms < 0 || *wait_ms > limit_ms))
		*wait_ms = limit_ms;
	fds[0] = (struct pollfd){
		session->client ? tw_link_client_fd(session->client) : -1, POLLIN, 0};
	fds[1] = (struct pollfd){reads ? STDIN_FILENO : -1, POLLIN, 0};
	for (size_t i = 0; i < COMMANDS_MAX; i++)
		fds[2 + i] = (struct pollfd){session->commands[i].fd, POLLIN, 0};
	if (poll(fds, 2 + COMMANDS_MAX, *wait_ms) < 0 && errno != EINTR)
		return tw_report_error(TW_EXIT_INTERNAL, "poll", NULL, "%s", strerror(errno));
	if (fds[0].revents)
		code = receive(session);
	if (!code && fds[1].revents)
		code = on_stdin(session);
	*wait_ms = tend_commands(session, fds, &code);
	return code ? code : tend_agent(session);
}

int tw_decide_run(const void *values)
{
	const struct tw_decide_options *options = values;
	struct session session = {.options = options};
	struct pollfd fds[2 + COMMANDS_MAX];
	int code, wait_ms = -1;

	for (size_t i = 0; i < COMMANDS_MAX; i++)
		session.commands[i].fd = -1;
	if (options->exec && options->json)
		return tw_report_error(TW_EXIT_USAGE, "--json", "leave one of them out",
			"cannot be used with --exec");
	code = begin(&session);
	while (!code && !session.ended)
		code = turn(&session, fds, &wait_ms);
	end_commands(&session);
	tw_link_client_free(session.client);
	return code == TW_AGENT_ENOUGH ? TW_EXIT_OK : code;
}
