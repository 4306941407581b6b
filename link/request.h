/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* request.h: makes a key and the request for its certificate.
 *
 * Callers:    slowpath/ca.c.
 * Source:     RFC 2986.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"

#define TW_REQUEST_MAX	       4096 /* maximum bytes of a request as PEM */
#define TW_REQUEST_FINGERPRINT 65   /* bytes of a fingerprint as text */

/* Appends a new key on curve P-256 to `key` and the request to `request`, as PEM. Returns 0 or a
 * negative errno. */
int tw_request_new(struct tw_buf *key, struct tw_buf *request);
/* Writes the SHA-256 of a DER certificate in hex. Returns 0 or a negative errno. */
int tw_request_fingerprint(const void *der, size_t len, char text[TW_REQUEST_FINGERPRINT]);
