/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/digest.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <string.h>

int tw_digest_make(const void *bytes, size_t len, uint8_t ret[TW_DIGEST_BYTES])
{
	uint8_t digest[TW_DIGEST_BYTES];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, len, digest) < 0)
		return -ENOMEM;
	memcpy(ret, digest, sizeof(digest));
	return 0;
}
