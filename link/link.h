/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* link.h: framed protobuf messages over a stream socket (see link.proto).
 *
 * Callers:    tapwalld (server, non-blocking) and tapwall (client, blocking).
 * Bounds:     a frame is at most TW_LINK_FRAME_MAX bytes; a longer one is -EMSGSIZE and the
 *             connection is of no more use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "link.pb-c.h"

#define TW_LINK_FRAME_MAX      (16u << 20)
#define TW_LINK_DEFAULT_SOCKET "/run/tapwall/agent.sock"

/* Appends the framed message to `out`. 0, -EMSGSIZE or -ENOMEM. */
int tw_link_pack(struct tw_buf *out, const ProtobufCMessage *message);

/* Looks for one whole frame at the start of data[0 … len). Returns its total length (header and
 * body) and sets *ret_body and *ret_body_len, or 0 when more bytes are needed, or -EMSGSIZE. */
long tw_link_frame(const uint8_t *data, size_t len, const uint8_t **ret_body, size_t *ret_body_len);

/* Reads a request that a frame holds; freed with tapwall__v1__request__free_unpacked(r, NULL). NULL
 * when it is none, or when its pieces would take more memory than TW_LINK_UNPACK_MAX. */
#define TW_LINK_UNPACK_MAX ((size_t)4 * TW_LINK_FRAME_MAX)
Tapwall__V1__Request *tw_link_unpack_request(const uint8_t *body, size_t len);
/* The same for a response, freed with tapwall__v1__response__free_unpacked(r, NULL). */
Tapwall__V1__Response *tw_link_unpack_response(const uint8_t *body, size_t len);

/* No text of a message is longer than TW_LINK_TEXT_MAX; false: some text is. Bytes, such as a policy, are
 * not meant. */
#define TW_LINK_TEXT_MAX 4096
bool tw_link_texts_fit(ProtobufCMessage *message);
/* Cleans all texts of a message, in place, for print (base/clean.h). */
void tw_link_clean(ProtobufCMessage *message);

/* Client side, blocking. */
struct tw_link_client;
/* Connects to an address of stream.h. */
int tw_link_connect(const char *address, struct tw_link_client **ret, struct tw_err *err);
void tw_link_client_free(struct tw_link_client *client); /* NULL is fine */
TW_DEFINE_AUTO(tw_link_client)
/* How long a send or a receive may wait, 0 = for ever (the default); over it they give -ETIMEDOUT. */
int tw_link_client_set_timeout(struct tw_link_client *client, unsigned int seconds);
int tw_link_send(struct tw_link_client *client, Tapwall__V1__Request *request, struct tw_err *err);
/* The next response; the caller frees it with tapwall__v1__response__free_unpacked(r, NULL).
 * -EPIPE when the agent closed. A response with `error` set is returned as any other. */
int tw_link_receive(struct tw_link_client *client, Tapwall__V1__Response **ret, struct tw_err *err);
/* Whether a response is here already, so that receiving it will not wait. */
bool tw_link_client_has_more(const struct tw_link_client *client);
int tw_link_client_fd(const struct tw_link_client *client);
