/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* reply.h: writes responses. Callers: agent/answer/, slowpath/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "link/link.h"

/* Appends a response to the request `id`. 0, -EMSGSIZE or -ENOMEM. */
int tw_reply_send(struct tw_buf *out, uint64_t id, Tapwall__V1__Response *response, bool last);
/* Appends `response`, which may have diagnostics, as the error of its request. */
int tw_reply_error(
	struct tw_buf *out, uint64_t id, Tapwall__V1__Response *response, const struct tw_err *err);
/* Appends a response to the request `id`. All fields but the id are already packed. 0, -EMSGSIZE or -ENOMEM. */
int tw_reply_packed(struct tw_buf *out, uint64_t id, const uint8_t *packed, size_t len);
