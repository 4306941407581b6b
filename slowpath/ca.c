/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/ca.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "link/request.h"

#define SERIAL_LEN 16

struct tw_ca {
	gnutls_x509_crt_t cert;
	gnutls_x509_privkey_t key;
};

static int code_of(int result)
{
	if (result >= 0)
		return 0;
	return result == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EKEYREJECTED;
}

/* Moves a datum that GnuTLS allocated to a buffer. */
static int put_datum(int result, gnutls_datum_t *datum, struct tw_buf *to)
{
	if (result < 0)
		return code_of(result);
	tw_buf_add(to, datum->data, datum->size);
	gnutls_memset(datum->data, 0, datum->size);
	gnutls_free(datum->data);
	return to->failed ? -ENOMEM : 0;
}

/* Sets the fields that all certificates have. */
static int fill_cert(gnutls_x509_crt_t cert, const char *name, time_t from, time_t until)
{
	unsigned char serial[SERIAL_LEN];
	int result = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

	serial[0] &= 0x7f; /* RFC 5280 section 4.1.2.2: positive */
	serial[0] |= 0x40; /* not shortened by leading zeros */
	if (!result)
		result = gnutls_x509_crt_set_version(cert, 3);
	if (!result)
		result = gnutls_x509_crt_set_serial(cert, serial, sizeof(serial));
	if (!result)
		result = gnutls_x509_crt_set_dn_by_oid(
			cert, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned int)strlen(name));
	if (!result)
		result = gnutls_x509_crt_set_activation_time(cert, from);
	if (!result)
		result = gnutls_x509_crt_set_expiration_time(cert, until);
	return result;
}

static int set_key_id(gnutls_x509_crt_t cert)
{
	unsigned char id[32];
	size_t len = sizeof(id);
	int result = gnutls_x509_crt_get_key_id(cert, 0, id, &len);

	return result < 0 ? result : gnutls_x509_crt_set_subject_key_id(cert, id, len);
}

/* ---- the CA ---- */

static int ca_alloc(struct tw_ca **ret)
{
	struct tw_ca *ca = tw_alloc(sizeof(*ca));

	if (!ca)
		return -ENOMEM;
	if (gnutls_x509_crt_init(&ca->cert) < 0 || gnutls_x509_privkey_init(&ca->key) < 0) {
		tw_ca_free(ca);
		return -ENOMEM;
	}
	*ret = ca;
	return 0;
}

void tw_ca_free(struct tw_ca *ca)
{
	if (!ca)
		return;
	if (ca->cert)
		gnutls_x509_crt_deinit(ca->cert);
	if (ca->key)
		gnutls_x509_privkey_deinit(ca->key);
	free(ca);
}

int tw_ca_new(const char *name, time_t until, struct tw_ca **ret)
{
	tw_auto(tw_ca) struct tw_ca *ca = NULL;
	time_t now = time(NULL);
	int result, code = ca_alloc(&ca);

	if (code < 0)
		return code;
	result = gnutls_x509_privkey_generate(
		ca->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (!result)
		result = fill_cert(ca->cert, name, now - TW_CA_SKEW_S, until);
	if (!result)
		result = gnutls_x509_crt_set_key(ca->cert, ca->key);
	if (!result)
		result = gnutls_x509_crt_set_basic_constraints(ca->cert, 1, 0);
	if (!result)
		result = gnutls_x509_crt_set_key_usage(ca->cert, GNUTLS_KEY_KEY_CERT_SIGN);
	if (!result)
		result = set_key_id(ca->cert);
	if (!result)
		result = gnutls_x509_crt_sign2(ca->cert, ca->cert, ca->key, GNUTLS_DIG_SHA256, 0);
	if (!result)
		*ret = TW_TAKE_PTR(ca);
	return code_of(result);
}

int tw_ca_read(const struct tw_buf *cert, const struct tw_buf *key, struct tw_ca **ret)
{
	const gnutls_datum_t cert_pem = {(unsigned char *)cert->data, (unsigned int)cert->len};
	const gnutls_datum_t key_pem = {(unsigned char *)key->data, (unsigned int)key->len};
	tw_auto(tw_ca) struct tw_ca *ca = NULL;
	int result, code = ca_alloc(&ca);

	if (code < 0)
		return code;
	result = gnutls_x509_crt_import(ca->cert, &cert_pem, GNUTLS_X509_FMT_PEM);
	if (!result)
		result = gnutls_x509_privkey_import(ca->key, &key_pem, GNUTLS_X509_FMT_PEM);
	if (!result && gnutls_x509_crt_get_ca_status(ca->cert, NULL) <= 0)
		return -EKEYREJECTED;
	if (!result)
		*ret = TW_TAKE_PTR(ca);
	return code_of(result);
}

int tw_ca_put_cert(const struct tw_ca *ca, struct tw_buf *pem)
{
	gnutls_datum_t datum = {0};

	return put_datum(
		gnutls_x509_crt_export2(ca->cert, GNUTLS_X509_FMT_PEM, &datum), &datum, pem);
}

int tw_ca_put_key(const struct tw_ca *ca, struct tw_buf *pem)
{
	gnutls_datum_t datum = {0};

	return put_datum(gnutls_x509_privkey_export2_pkcs8(
				 ca->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &datum),
		&datum, pem);
}

int tw_ca_hash(const struct tw_ca *ca, unsigned char hash[TW_IDENTITY_PRINT])
{
	size_t len = TW_IDENTITY_PRINT;

	return code_of(gnutls_x509_crt_get_fingerprint(ca->cert, GNUTLS_DIG_SHA256, hash, &len));
}

time_t tw_ca_until(const struct tw_ca *ca)
{
	return gnutls_x509_crt_get_expiration_time(ca->cert);
}

int tw_ca_fingerprint(const struct tw_ca *ca, char text[TW_CA_FINGERPRINT])
{
	gnutls_datum_t der = {0};
	int code = code_of(gnutls_x509_crt_export2(ca->cert, GNUTLS_X509_FMT_DER, &der));

	if (code < 0)
		return code;
	code = tw_request_fingerprint(der.data, der.size, text);
	gnutls_free(der.data);
	return code;
}

/* ---- its certificates ---- */

static int set_issuer(const struct tw_ca *ca, gnutls_x509_crt_t cert)
{
	unsigned char id[32];
	size_t len = sizeof(id);
	int result = gnutls_x509_crt_get_subject_key_id(ca->cert, id, &len, NULL);

	/* A CA that the user made may have no key identifier. */
	if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return 0;
	return result < 0 ? result : gnutls_x509_crt_set_authority_key_id(cert, id, len);
}

static int sign_key(const struct tw_ca *ca, const struct tw_ca_subject *subject,
	gnutls_pubkey_t key, struct tw_buf *pem)
{
	const char *purpose = subject->side == TW_IDENTITY_SLOW_PATH ? GNUTLS_KP_TLS_WWW_SERVER
								     : GNUTLS_KP_TLS_WWW_CLIENT;
	time_t end = tw_ca_until(ca), until = subject->until < end ? subject->until : end;
	gnutls_datum_t datum = {0};
	gnutls_x509_crt_t cert;
	int result;

	if (subject->from >= end)
		return -EKEYEXPIRED;
	result = gnutls_x509_crt_init(&cert);
	if (result < 0)
		return code_of(result);
	result = fill_cert(cert, subject->name, subject->from, until);
	if (!result && subject->side == TW_IDENTITY_DECIDER)
		result = gnutls_x509_crt_set_dn_by_oid(cert,
			GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, 0, TW_IDENTITY_UNIT_DECIDER,
			(unsigned int)strlen(TW_IDENTITY_UNIT_DECIDER));
	if (!result)
		result = gnutls_x509_crt_set_pubkey(cert, key);
	if (!result)
		result = gnutls_x509_crt_set_basic_constraints(cert, 0, -1);
	if (!result)
		result = gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (!result)
		result = gnutls_x509_crt_set_key_purpose_oid(cert, purpose, 0);
	if (!result)
		result = set_key_id(cert);
	if (!result)
		result = set_issuer(ca, cert);
	if (!result)
		result = gnutls_x509_crt_sign2(cert, ca->cert, ca->key, GNUTLS_DIG_SHA256, 0);
	if (!result)
		result = gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &datum);
	gnutls_x509_crt_deinit(cert);
	return put_datum(result, &datum, pem);
}

static bool is_good_key(gnutls_pubkey_t key)
{
	unsigned int bits = 0;

	switch (gnutls_pubkey_get_pk_algorithm(key, &bits)) {
	case GNUTLS_PK_ECDSA:
		return bits == 256;
	case GNUTLS_PK_EDDSA_ED25519:
		return true;
	default:
		return false;
	}
}

/* Reads the public key of a request. The signature proves that the sender has the private key. */
static int read_request(const void *request, size_t len, gnutls_pubkey_t key)
{
	const gnutls_datum_t pem = {(unsigned char *)(uintptr_t)request, (unsigned int)len};
	gnutls_x509_crq_t crq;
	int result = gnutls_x509_crq_init(&crq);

	if (result < 0)
		return result;
	result = gnutls_x509_crq_import(crq, &pem, GNUTLS_X509_FMT_PEM);
	if (!result)
		result = gnutls_x509_crq_verify(crq, 0);
	if (result >= 0)
		result = gnutls_pubkey_import_x509_crq(key, crq, 0);
	gnutls_x509_crq_deinit(crq);
	return result;
}

int tw_ca_sign(const struct tw_ca *ca, const struct tw_ca_subject *subject, const void *request,
	size_t len, struct tw_buf *pem)
{
	gnutls_pubkey_t key;
	int code = len > TW_REQUEST_MAX ? -EKEYREJECTED : code_of(gnutls_pubkey_init(&key));

	if (code < 0)
		return code;
	code = code_of(read_request(request, len, key));
	if (!code && !is_good_key(key))
		code = -EKEYREJECTED;
	if (!code)
		code = sign_key(ca, subject, key, pem);
	gnutls_pubkey_deinit(key);
	return code;
}

int tw_ca_issue(const struct tw_ca *ca, const struct tw_ca_subject *subject, struct tw_buf *pem)
{
	tw_auto_buf struct tw_buf request = {0};
	int code = tw_request_new(pem, &request);

	return code < 0 ? code : tw_ca_sign(ca, subject, request.data, request.len, pem);
}
