/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* digest.h: identifies a policy's text on the link. Source: FIPS 180-4 (SHA-256). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TW_DIGEST_BYTES 32

/* Writes the SHA-256 of `len` bytes. Returns 0, or -ENOMEM with `ret` unchanged. */
int tw_digest_make(const void *bytes, size_t len, uint8_t ret[TW_DIGEST_BYTES]);
