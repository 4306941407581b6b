/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/request.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "link/identity.h"

#define CAS_MAX	   8
#define KEY_ID_LEN 32

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

/* ---- checking ---- */

static int check_key(gnutls_x509_crt_t cert, const struct tw_buf *key_pem)
{
	const gnutls_datum_t pem = {(unsigned char *)key_pem->data, (unsigned int)key_pem->len};
	unsigned char of_cert[KEY_ID_LEN] = {0}, of_key[KEY_ID_LEN] = {0};
	size_t cert_len = sizeof(of_cert), key_len = sizeof(of_key);
	gnutls_x509_privkey_t key;
	int result = gnutls_x509_privkey_init(&key);

	if (result < 0)
		return -ENOMEM;
	result = gnutls_x509_privkey_import(key, &pem, GNUTLS_X509_FMT_PEM);
	if (!result)
		result = gnutls_x509_privkey_get_key_id(
			key, GNUTLS_KEYID_USE_SHA256, of_key, &key_len);
	if (!result)
		result = gnutls_x509_crt_get_key_id(
			cert, GNUTLS_KEYID_USE_SHA256, of_cert, &cert_len);
	gnutls_x509_privkey_deinit(key);
	return result < 0 || cert_len != key_len || memcmp(of_cert, of_key, key_len) != 0
		       ? -EKEYREJECTED
		       : 0;
}

static int check_issuer(gnutls_x509_crt_t cert, const struct tw_buf *ca)
{
	const gnutls_datum_t pem = {(unsigned char *)ca->data, (unsigned int)ca->len};
	unsigned int status = GNUTLS_CERT_INVALID, n = CAS_MAX;
	gnutls_x509_crt_t list[CAS_MAX];

	if (gnutls_x509_crt_list_import(list, &n, &pem, GNUTLS_X509_FMT_PEM, 0) < 0)
		return -EKEYREJECTED;
	/* Its times are checked below, with an allowance. */
	if (gnutls_x509_crt_verify(cert, list, n, GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status) < 0)
		status = GNUTLS_CERT_INVALID;
	while (n)
		gnutls_x509_crt_deinit(list[--n]);
	return status ? -EKEYREJECTED : 0;
}

static int check_cert(gnutls_x509_crt_t cert, struct tw_request_cert *ret)
{
	size_t len = sizeof(ret->name), purpose_len;
	time_t now = time(NULL);
	char purpose[64];

	ret->from = gnutls_x509_crt_get_activation_time(cert);
	ret->until = gnutls_x509_crt_get_expiration_time(cert);
	purpose_len = sizeof(purpose);
	if (gnutls_x509_crt_get_dn_by_oid(
		    cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret->name, &len) < 0 ||
		!tw_identity_is_name(ret->name) ||
		gnutls_x509_crt_get_key_purpose_oid(cert, 0, purpose, &purpose_len, NULL) < 0 ||
		strcmp(purpose, GNUTLS_KP_TLS_WWW_CLIENT) != 0 ||
		tw_identity_read_role(cert, &ret->decides) < 0)
		return -EKEYREJECTED;
	return ret->from > now + TW_REQUEST_SKEW_S || ret->until <= now ? -EKEYREJECTED : 0;
}

int tw_request_check(const struct tw_buf *key, const void *cert_pem, size_t cert_len,
	const struct tw_buf *ca, struct tw_request_cert *ret)
{
	const gnutls_datum_t pem = {(unsigned char *)(uintptr_t)cert_pem, (unsigned int)cert_len};
	gnutls_x509_crt_t cert;
	int code = -EKEYREJECTED;

	if (gnutls_x509_crt_init(&cert) < 0)
		return -ENOMEM;
	if (!gnutls_x509_crt_import(cert, &pem, GNUTLS_X509_FMT_PEM))
		code = check_key(cert, key);
	if (!code)
		code = check_issuer(cert, ca);
	if (!code)
		code = check_cert(cert, ret);
	gnutls_x509_crt_deinit(cert);
	return code;
}
