/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/request.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>

static int put_datum(int result, gnutls_datum_t *datum, struct tw_buf *to)
{
	if (result < 0)
		return result;
	tw_buf_add(to, datum->data, datum->size);
	gnutls_memset(datum->data, 0, datum->size);
	gnutls_free(datum->data);
	return to->failed ? GNUTLS_E_MEMORY_ERROR : 0;
}

static int make_request(gnutls_x509_privkey_t key, struct tw_buf *to)
{
	gnutls_datum_t pem = {0};
	gnutls_x509_crq_t request;
	int result = gnutls_x509_crq_init(&request);

	if (result < 0)
		return result;
	result = gnutls_x509_crq_set_version(request, 1);
	if (!result)
		result = gnutls_x509_crq_set_key(request, key);
	if (!result)
		result = gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0);
	if (!result)
		result = gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, &pem);
	gnutls_x509_crq_deinit(request);
	return put_datum(result, &pem, to);
}

int tw_request_new(struct tw_buf *key_to, struct tw_buf *request_to)
{
	gnutls_datum_t pem = {0};
	gnutls_x509_privkey_t key;
	int result = gnutls_x509_privkey_init(&key);

	if (result < 0)
		return -ENOMEM;
	result = gnutls_x509_privkey_generate(
		key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (!result)
		result = gnutls_x509_privkey_export2_pkcs8(
			key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
	result = put_datum(result, &pem, key_to);
	if (!result)
		result = make_request(key, request_to);
	gnutls_x509_privkey_deinit(key);
	return result < 0 ? -ENOMEM : 0;
}

int tw_request_fingerprint(const void *der, size_t len, char text[TW_REQUEST_FINGERPRINT])
{
	unsigned char hash[32];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, der, len, hash) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return 0;
}
