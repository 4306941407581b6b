/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* connect.c: finds an agent, sends it requests and receives its responses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sdk/sdk.h"

#define AGENT_SCHEME "agent:"
#define NS_PER_MS    1000000u

/* ---- requests ---- */

static int connect_error(const struct tapwall_handle *agent, int code, struct tapwall_error *error)
{
	const char *hint = agent->name[0]
				   ? "start tapwall-slowd, or name its socket in TAPWALL_SLOW"
				   : "start tapwalld, or name the socket of a running one";
	struct tw_err err;

	if (code == -EACCES || code == -EPERM)
		hint = "run as root, or as a member of the socket's group";
	else if (code == -EPROTONOSUPPORT)
		hint = "write a path, unix:PATH or agent:NAME";
	else if (code == -ENAMETOOLONG)
		hint = "use a shorter path";
	tw_err_set(&err, code, agent->address, hint, "cannot reach %s: %s",
		agent->name[0] ? "tapwall-slowd" : "the agent", strerror(-code));
	return tw_sdk_fail(error, &err);
}

int tw_sdk_ask(struct tapwall_handle *agent, Tapwall__V1__Request *request,
	struct tw_link_client **ret, struct tapwall_error *error)
{
	tw_auto(tw_link_client) struct tw_link_client *client = NULL;
	struct tw_err err = {0};
	int code = tw_link_connect(agent->address, &client, &err);

	if (code < 0)
		return code == -ENOMEM ? tw_sdk_fail(error, &err)
				       : connect_error(agent, code, error);
	if (!request->id)
		request->id = 1;
	request->agent = agent->name;
	code = tw_link_client_set_timeout(client, agent->timeout);
	if (code < 0)
		return tw_sdk_error(error, code, agent->address, NULL, "cannot set a time limit");
	code = tw_link_send(client, request, &err);
	if (code < 0) {
		tw_sdk_fail(error, &err);
		return code;
	}
	*ret = TW_TAKE_PTR(client);
	return 0;
}

int tw_sdk_refused(const Tapwall__V1__Response *response, struct tapwall_error *error)
{
	const Tapwall__V1__Error *refused = response->error;

	return tw_sdk_error(error, refused->code > 0 ? -refused->code : -EIO, refused->place,
		refused->hint, refused->text);
}

int tw_sdk_receive_any(struct tw_link_client *client, int wait_ms, Tapwall__V1__Response **ret,
	struct tapwall_error *error)
{
	struct tw_err err = {0};

	return tw_link_receive_within(client, wait_ms, ret, &err) < 0 ? tw_sdk_fail(error, &err)
								      : 0;
}

int tw_sdk_receive(struct tw_link_client *client, int wait_ms, Tapwall__V1__Response **ret,
	struct tapwall_error *error)
{
	Tapwall__V1__Response *response = NULL;
	int code = tw_sdk_receive_any(client, wait_ms, &response, error);

	if (code < 0)
		return code;
	if (response->error) {
		code = tw_sdk_refused(response, error);
		tapwall__v1__response__free_unpacked(response, NULL);
		return code < 0 ? code : -EIO;
	}
	*ret = response;
	return 0;
}

int tw_sdk_wait_ms(const struct tapwall_handle *agent)
{
	return agent->timeout ? (int)agent->timeout * 1000 : -1;
}

uint64_t tw_sdk_due_ns(int wait_ms)
{
	return wait_ms < 0 ? 0 : tw_clock_ns() + (uint64_t)wait_ms * NS_PER_MS;
}

int tw_sdk_left_ms(uint64_t due_ns)
{
	uint64_t now = tw_clock_ns();

	if (!due_ns)
		return -1;
	return due_ns > now ? (int)((due_ns - now + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

int tw_sdk_options(const void *options, size_t size, void *wanted, size_t wanted_size,
	struct tapwall_error *error)
{
	const char *bytes = options;

	for (size_t i = wanted_size; i < size; i++)
		if (bytes[i])
			return tw_sdk_error(error, -E2BIG, "options", "use a newer library",
				"the program uses options that this library does not know");
	memcpy(wanted, options, size < wanted_size ? size : wanted_size);
	return 0;
}

int tw_sdk_call(struct tapwall_handle *agent, Tapwall__V1__Request *request,
	Tapwall__V1__Response__BodyCase body, Tapwall__V1__Response **ret,
	struct tapwall_error *error)
{
	tw_auto(tw_link_client) struct tw_link_client *client = NULL;
	Tapwall__V1__Response *response = NULL;
	int code = tw_sdk_ask(agent, request, &client, error);

	if (code < 0)
		return code;
	code = tw_sdk_receive(client, tw_sdk_wait_ms(agent), &response, error);
	if (code == -EAGAIN)
		return tw_sdk_error(error, -ETIMEDOUT, agent->address, "see what the agent logs",
			"the agent does not answer");
	if (code < 0)
		return code;
	if (response->body_case != body) {
		tapwall__v1__response__free_unpacked(response, NULL);
		return tw_sdk_error(error, -EBADMSG, agent->address,
			"use a library of the agent's version", "the answer is of another kind");
	}
	*ret = response;
	return 0;
}

/* ---- the handle ---- */

const char *tapwall_library_version(void)
{
	return TW_VERSION;
}

/* Sets the socket, and the agent behind it if the address names one. */
static int set_address(struct tapwall_handle *agent, const char *address)
{
	const char *slow = secure_getenv("TAPWALL_SLOW"), *name = "";

	if (!address)
		address = secure_getenv("TAPWALL_SOCKET");
	if (!address || !address[0])
		address = TW_LINK_DEFAULT_SOCKET;
	if (!strncmp(address, AGENT_SCHEME, strlen(AGENT_SCHEME))) {
		name = address + strlen(AGENT_SCHEME);
		address = slow && slow[0] ? slow : TW_LINK_SLOW_SOCKET;
	}
	agent->address = tw_strdup(address);
	agent->name = tw_strdup(name);
	return agent->address && agent->name ? 0 : -ENOMEM;
}

static int greet(struct tapwall_handle *agent, struct tapwall_error *error)
{
	Tapwall__V1__VersionRequest body = TAPWALL__V1__VERSION_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__Response *response = NULL;
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_VERSION;
	request.version = &body;
	code = tw_sdk_call(agent, &request, TAPWALL__V1__RESPONSE__BODY_VERSION, &response, error);
	if (code < 0)
		return code;
	if (response->version->protocol != TW_LINK_PROTOCOL)
		code = tw_sdk_error(error, -EPROTO, agent->address,
			"use a library of the agent's version",
			"the agent speaks another version of the protocol");
	agent->version = tw_strdup(response->version->version);
	tapwall__v1__response__free_unpacked(response, NULL);
	if (!code && !agent->version)
		code = tw_sdk_error(error, -ENOMEM, NULL, NULL, "out of memory");
	return code;
}

int tapwall_connect(const char *address, struct tapwall_handle **ret, struct tapwall_error *error)
{
	struct tapwall_handle *agent = tw_alloc(sizeof(*agent));
	int code;

	if (!agent || set_address(agent, address) < 0) {
		tapwall_free(agent);
		return tw_sdk_error(error, -ENOMEM, NULL, NULL, "out of memory");
	}
	agent->timeout = TW_SDK_TIMEOUT;
	code = greet(agent, error);
	if (code < 0) {
		tapwall_free(agent);
		return code;
	}
	*ret = agent;
	return 0;
}

void tapwall_free(struct tapwall_handle *agent)
{
	if (!agent)
		return;
	free(agent->address);
	free(agent->name);
	free(agent->version);
	free(agent);
}

void tapwall_set_timeout(struct tapwall_handle *agent, unsigned int seconds)
{
	agent->timeout = seconds < 86400 ? seconds : 86400;
}

const char *tapwall_agent_version(const struct tapwall_handle *agent)
{
	return agent->version;
}
