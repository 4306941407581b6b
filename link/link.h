/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* link.h: framed protobuf messages over a stream socket (see link.proto).
 *
 * Callers:    tapwalld (server, non-blocking) and tapwall (client, blocking).
 * Bounds:     a frame has at most TW_LINK_FRAME_MAX bytes. A longer one gives -EMSGSIZE, after which
 *             the connection must be closed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "link.pb-c.h"

#define TW_LINK_FRAME_MAX      (72u << 20) /* a policy of full size, and what goes with it */
#define TW_LINK_DEFAULT_SOCKET "/run/tapwall/agent.sock"
#define TW_LINK_SLOW_SOCKET    "/run/tapwall-slowd/slowd.sock"
#define TW_LINK_PROTOCOL       1 /* what this version speaks; see link.proto */

/* Appends the framed message to `out`. Returns 0, -EMSGSIZE or -ENOMEM. */
int tw_link_pack(struct tw_buf *out, const ProtobufCMessage *message);
/* As tw_link_pack(), with `rest_len` more bytes of the same message that are packed already. */
int tw_link_pack_with(
	struct tw_buf *out, const ProtobufCMessage *message, const uint8_t *rest, size_t rest_len);

/* Finds a whole frame at the start of data[0 … len). Returns its total length (header and body) and
 * sets *ret_body and *ret_body_len. Returns 0 if more bytes are needed, or -EMSGSIZE. */
long tw_link_frame(const uint8_t *data, size_t len, const uint8_t **ret_body, size_t *ret_body_len);

/* Like tw_link_pack() and tw_link_frame(), for a connection on which both ends send requests: each
 * frame is marked as request or response. */
int tw_link_pack_request(struct tw_buf *out, const Tapwall__V1__Request *request);
long tw_link_frame_either(const uint8_t *data, size_t len, bool *ret_request,
	const uint8_t **ret_body, size_t *ret_body_len);

/* Unpacks the request in a frame's body. Free it with tapwall__v1__request__free_unpacked(r,
 * NULL). NULL if the body is no request, or if unpacking would take more memory than `len` and
 * TW_LINK_UNPACK_MORE bytes. */
#define TW_LINK_UNPACK_MORE ((size_t)48 << 20)
Tapwall__V1__Request *tw_link_unpack_request(const uint8_t *body, size_t len);
/* Unpacks the response in a frame's body. Free it with tapwall__v1__response__free_unpacked(r,
 * NULL). NULL if the body is no response, or if unpacking would take more memory than `len` and
 * TW_LINK_UNPACK_MORE bytes. */
Tapwall__V1__Response *tw_link_unpack_response(const uint8_t *body, size_t len);

/* True if no string field of a message is longer than TW_LINK_TEXT_MAX. Fields of type bytes, such
 * as a policy, are not checked. */
#define TW_LINK_TEXT_MAX 4096
bool tw_link_texts_fit(ProtobufCMessage *message);
/* Cleans all string fields of a message in place, so that they can be printed (base/clean.h). */
void tw_link_clean(ProtobufCMessage *message);

/* Client side, blocking. */
struct tw_link_client;
struct tw_identity;
/* Connects to an address of stream.h. */
int tw_link_connect(const char *address, struct tw_link_client **ret, struct tw_err *err);
/* Connects to the slow path by TLS, as a peer (peer.h): greetings are answered and windows are enlarged
 * while the caller receives. */
int tw_link_connect_far(const char *address, struct tw_identity *identity,
	struct tw_link_client **ret, struct tw_err *err);
/* Returns the time of the last bytes received. */
uint64_t tw_link_client_heard_ns(const struct tw_link_client *client);
void tw_link_client_free(struct tw_link_client *client); /* NULL is fine */
TW_DEFINE_AUTO(tw_link_client)
/* Sets how long a send or a receive may wait before it fails with -ETIMEDOUT. 0, the default, means
 * for ever. */
int tw_link_client_set_timeout(struct tw_link_client *client, unsigned int seconds);
int tw_link_send(struct tw_link_client *client, Tapwall__V1__Request *request, struct tw_err *err);
/* Waits for the next response. The caller frees it with tapwall__v1__response__free_unpacked(r,
 * NULL). -EPIPE if the agent closed the connection. A response with `error` set is returned like
 * any other. */
int tw_link_receive(struct tw_link_client *client, Tapwall__V1__Response **ret, struct tw_err *err);
/* As tw_link_receive(), but waits at most `wait_ms`; negative: for ever. -EAGAIN if no whole response
 * came by then, -EINTR if a signal came. After either, the caller may call again. */
int tw_link_receive_within(struct tw_link_client *client, int wait_ms, Tapwall__V1__Response **ret,
	struct tw_err *err);
/* True if a whole response is already buffered, so that tw_link_receive() will not wait. */
bool tw_link_client_has_more(const struct tw_link_client *client);
int tw_link_client_fd(const struct tw_link_client *client);
