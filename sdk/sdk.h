/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sdk.h: what the files of libtapwall share. Programs include tapwall.h only.
 *
 * Why:        link/ has the protocol and the client; the SDK shows them through structs of its own,
 *             so that generated code and its library are no part of the ABI.
 * Invariants: 1. The library exports only the functions of tapwall.h (tests/e2e/sdk.sh).
 *             2. It prints nothing and never ends the process (tests/e2e/sdk.sh).
 */
#pragma once

#include "base/err.h"
#include "link/link.h"
#include "sdk/tapwall.h"

#define TW_SDK_TIMEOUT 60 /* seconds */

struct tapwall_handle {
	char *address; /* of the socket */
	char *name;    /* of the agent behind tapwall-slowd; empty: the socket is the agent's */
	char *version; /* of the agent */
	unsigned int timeout;
};

/* Sets an error, which may be NULL. `place` and `hint` may be NULL. */
void tw_sdk_set_error(struct tapwall_error *error, int code, const char *place, const char *hint,
	const char *text);

/* Sets an error and returns its code. Inline, so that code checkers see what it returns. */
static inline int tw_sdk_error(struct tapwall_error *error, int code, const char *place,
	const char *hint, const char *text)
{
	tw_sdk_set_error(error, code, place, hint, text);
	return code;
}

/* Copies an error for the caller and returns its code. */
static inline int tw_sdk_fail(struct tapwall_error *error, const struct tw_err *err)
{
	return tw_sdk_error(error, err->code, err->place, err->hint, err->text);
}

/* Connects and sends a request. The caller frees *ret. */
int tw_sdk_ask(struct tapwall_handle *agent, Tapwall__V1__Request *request,
	struct tw_link_client **ret, struct tapwall_error *error);
/* Waits for the next response, as tw_link_receive_within() does. The caller frees *ret. */
int tw_sdk_receive_any(struct tw_link_client *client, int wait_ms, Tapwall__V1__Response **ret,
	struct tapwall_error *error);
/* Copies the error of a response for the caller, and returns its code. The response must have one. */
int tw_sdk_refused(const Tapwall__V1__Response *response, struct tapwall_error *error);
/* Works like tw_sdk_receive_any(), but fails if the response has an error. */
int tw_sdk_receive(struct tw_link_client *client, int wait_ms, Tapwall__V1__Response **ret,
	struct tapwall_error *error);
/* Sends a request that has one response, and returns it. -EBADMSG if its body is not `body`. The
 * caller frees *ret. */
int tw_sdk_call(struct tapwall_handle *agent, Tapwall__V1__Request *request,
	Tapwall__V1__Response__BodyCase body, Tapwall__V1__Response **ret,
	struct tapwall_error *error);

/* Returns a handle's timeout in ms; negative: for ever. */
int tw_sdk_wait_ms(const struct tapwall_handle *agent);
/* tw_sdk_due_ns() returns when a wait of `wait_ms` ends, in time of the monotonic clock; 0: never.
 * tw_sdk_left_ms() returns the ms left until then; negative: for ever. */
uint64_t tw_sdk_due_ns(int wait_ms);
int tw_sdk_left_ms(uint64_t due_ns);
/* Copies options of `size` bytes into `wanted`, which is zero. -E2BIG if they have fields that this
 * library does not know and that are not zero. */
int tw_sdk_options(const void *options, size_t size, void *wanted, size_t wanted_size,
	struct tapwall_error *error);
/* Returns the text, "" for NULL. */
const char *tw_sdk_text(const char *text);
/* Strings of requests are not const in generated code, but are only read. */
char *tw_sdk_borrow(const char *text);
/* Returns the verdict of a name, TAPWALL_NO_VERDICT for unknown ones. */
enum tapwall_verdict tw_sdk_verdict(const char *name);
/* Fills in an answer, which borrows static texts. -EINVAL if an argument is invalid. */
int tw_sdk_answer(enum tapwall_verdict verdict, enum tapwall_scope scope, double ttl_s,
	Tapwall__V1__Answer *ret, struct tapwall_error *error);
void tw_sdk_end(const Tapwall__V1__End *end, struct tapwall_end *ret);
void tw_sdk_gate(const Tapwall__V1__Gate *gate, struct tapwall_gate *ret);
