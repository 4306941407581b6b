/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/identity.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "link/stream.h"

#define FILE_LEN_MAX 65536 /* a certificate is smaller than 4 KiB */
#define PURPOSES_MAX 16

static const char name_chars[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* ---- reading ---- */

static int read_pem(const char *path, struct tw_buf *text, struct tw_err *err)
{
	int code = tw_file_read(path, text, err);

	if (!code && text->len > FILE_LEN_MAX)
		return tw_err_set(err, -EFBIG, path, "name a PEM file", "is too long");
	return code;
}

static gnutls_datum_t datum_of(const struct tw_buf *buf)
{
	return (gnutls_datum_t){(unsigned char *)buf->data, (unsigned int)buf->len};
}

/* Reads the expiry of a certificate. Returns 0 or an error code of GnuTLS. */
static int read_expiry(const gnutls_datum_t *pem, time_t *ret)
{
	gnutls_x509_crt_t cert;
	int code = gnutls_x509_crt_init(&cert);

	if (code < 0)
		return code;
	code = gnutls_x509_crt_import(cert, pem, GNUTLS_X509_FMT_PEM);
	if (!code)
		*ret = gnutls_x509_crt_get_expiration_time(cert);
	gnutls_x509_crt_deinit(cert);
	return code;
}

static int load_pair(
	struct tw_identity *identity, const struct tw_identity_files *files, struct tw_err *err)
{
	tw_auto_buf struct tw_buf cert = {0}, key = {0};
	gnutls_datum_t cert_pem, key_pem;
	int code = read_pem(files->cert, &cert, err);

	if (!code)
		code = read_pem(files->key, &key, err);
	if (code < 0)
		return code;
	cert_pem = datum_of(&cert);
	key_pem = datum_of(&key);
	code = gnutls_certificate_set_x509_key_mem(
		identity->credentials, &cert_pem, &key_pem, GNUTLS_X509_FMT_PEM);
	gnutls_memset(key.data, 0, key.len);
	if (code >= 0)
		code = read_expiry(&cert_pem, &identity->expires);
	return code < 0 ? tw_err_set(err, -EKEYREJECTED, files->cert,
				  "use a certificate and its own key, both as PEM",
				  "cannot be used: %s", gnutls_strerror(code))
			: 0;
}

static int load_ca(
	struct tw_identity *identity, const struct tw_identity_files *files, struct tw_err *err)
{
	tw_auto_buf struct tw_buf ca = {0};
	gnutls_datum_t pem;
	int code = read_pem(files->ca, &ca, err);

	if (code < 0)
		return code;
	pem = datum_of(&ca);
	code = gnutls_certificate_set_x509_trust_mem(
		identity->credentials, &pem, GNUTLS_X509_FMT_PEM);
	return code <= 0 ? tw_err_set(err, -EKEYREJECTED, files->ca,
				   "use the CA's certificate as PEM", "cannot be used: %s",
				   code ? gnutls_strerror(code) : "it contains no certificate")
			 : 0;
}

int tw_identity_load(const struct tw_identity_files *files, enum tw_identity_side side,
	struct tw_identity **ret, struct tw_err *err)
{
	tw_auto(tw_identity) struct tw_identity *identity = tw_alloc(sizeof(*identity));
	int code;

	if (!identity)
		return tw_err_set(err, -ENOMEM, files->cert, NULL, "out of memory");
	identity->n_holders = 1;
	identity->side = side;
	if (gnutls_certificate_allocate_credentials(&identity->credentials) < 0)
		return tw_err_set(err, -ENOMEM, files->cert, NULL, "out of memory");
	code = load_pair(identity, files, err);
	if (!code)
		code = load_ca(identity, files, err);
	if (!code)
		*ret = TW_TAKE_PTR(identity);
	return code;
}

struct tw_identity *tw_identity_hold(struct tw_identity *identity)
{
	identity->n_holders++;
	return identity;
}

void tw_identity_free(struct tw_identity *identity)
{
	if (!identity || --identity->n_holders)
		return;
	if (identity->credentials)
		gnutls_certificate_free_credentials(identity->credentials);
	free(identity);
}

/* ---- checking the peer ---- */

struct verdict {
	unsigned int flag; /* a gnutls_certificate_status_t */
	gnutls_alert_description_t alert;
	const char *text;
};

/* By priority: the first one whose flag is set is reported. */
static const struct verdict verdicts[] = {
	{GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA, "was not issued by this CA"},
	{GNUTLS_CERT_SIGNER_NOT_CA, GNUTLS_A_UNKNOWN_CA,
		"was signed by a certificate that is not a CA's"},
	{GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED, "expired"},
	{GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_CERTIFICATE_EXPIRED,
		"is not valid yet; compare both clocks"},
	{~0u, GNUTLS_A_BAD_CERTIFICATE, "is invalid"},
};

static const struct verdict revoked = {0, GNUTLS_A_CERTIFICATE_REVOKED, "was revoked"};
static const struct verdict other_purpose = {
	0, GNUTLS_A_UNSUPPORTED_CERTIFICATE, "is for another purpose"};
static const struct verdict nameless = {
	0, GNUTLS_A_BAD_CERTIFICATE, "has no name of letters, digits, dots and hyphens"};
static const struct verdict missing = {0, GNUTLS_A_CERTIFICATE_REQUIRED, "is missing"};

static bool has_purpose(gnutls_x509_crt_t cert, const char *wanted)
{
	for (unsigned int i = 0; i < PURPOSES_MAX; i++) {
		char oid[64];
		size_t len = sizeof(oid);

		if (gnutls_x509_crt_get_key_purpose_oid(cert, i, oid, &len, NULL) < 0)
			return false;
		if (!strcmp(oid, wanted))
			return true;
	}
	return false;
}

bool tw_identity_is_name(const char *name)
{
	size_t len = strlen(name);

	return len && len < TW_STREAM_PEER_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, name_chars) == len;
}

static bool read_name(gnutls_x509_crt_t cert, char *name, size_t max)
{
	size_t len = max;

	return !gnutls_x509_crt_get_dn_by_oid(
		       cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) &&
	       strlen(name) == len && tw_identity_is_name(name);
}

/* Returns the fault of a certificate that this CA issued, or NULL. */
static const struct verdict *judge_cert(const struct tw_identity *identity, gnutls_x509_crt_t cert,
	char *name, size_t name_max, time_t *ret_from)
{
	const char *purpose = identity->side == TW_IDENTITY_AGENT ? GNUTLS_KP_TLS_WWW_SERVER
								  : GNUTLS_KP_TLS_WWW_CLIENT;

	if (!has_purpose(cert, purpose))
		return &other_purpose;
	if (!read_name(cert, name, name_max))
		return &nameless;
	*ret_from = gnutls_x509_crt_get_activation_time(cert);
	if (identity->is_revoked && identity->is_revoked(identity->arg, name, *ret_from))
		return &revoked;
	return NULL;
}

/* Returns the fault of the peer's certificate, or NULL. */
static const struct verdict *judge_peer(const struct tw_identity *identity,
	gnutls_session_t session, char *name, size_t name_max, time_t *ret_from)
{
	const struct verdict *verdict = verdicts;
	unsigned int status = 0, n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
	gnutls_x509_crt_t cert;

	if (!chain || !n)
		return &missing;
	if (gnutls_certificate_verify_peers2(session, &status) < 0)
		status = GNUTLS_CERT_INVALID;
	if (status) {
		while (!(verdict->flag & status))
			verdict++;
		return verdict;
	}
	if (gnutls_x509_crt_init(&cert) < 0)
		return &verdicts[sizeof(verdicts) / sizeof(verdicts[0]) - 1];
	if (gnutls_x509_crt_import(cert, chain, GNUTLS_X509_FMT_DER) < 0)
		verdict = &verdicts[sizeof(verdicts) / sizeof(verdicts[0]) - 1];
	else
		verdict = judge_cert(identity, cert, name, name_max, ret_from);
	gnutls_x509_crt_deinit(cert);
	return verdict;
}

int tw_identity_check(const struct tw_identity *identity, gnutls_session_t session, char *name,
	size_t name_max, time_t *ret_from, char *why, size_t why_max,
	gnutls_alert_description_t *ret_alert)
{
	const struct verdict *verdict = judge_peer(identity, session, name, name_max, ret_from);

	if (!verdict)
		return 0;
	snprintf(why, why_max, "the peer's certificate %s", verdict->text);
	*ret_alert = verdict->alert;
	name[0] = '\0';
	return -EKEYREJECTED;
}
