/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/identity.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "link/stream.h"

#define FILE_LEN_MAX 65536 /* a certificate is smaller than 4 KiB */
#define PURPOSES_MAX 16
#define CHAIN_MAX    8
#define UNITS_MAX    16
#define UNIT_LEN_MAX 256

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

int tw_identity_read_role(gnutls_x509_crt_t cert, bool *ret_decides)
{
	bool decides = false;

	for (unsigned int i = 0;; i++) {
		char unit[UNIT_LEN_MAX];
		size_t len = sizeof(unit);
		int code = gnutls_x509_crt_get_dn_by_oid(
			cert, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, i, 0, unit, &len);

		if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (code < 0 || i >= UNITS_MAX || strlen(unit) != len)
			return -EKEYREJECTED;
		if (strncmp(unit, TW_IDENTITY_UNITS, strlen(TW_IDENTITY_UNITS)) != 0)
			continue;
		if (strcmp(unit, TW_IDENTITY_UNIT_DECIDER) != 0)
			return -EKEYREJECTED;
		decides = true;
	}
	*ret_decides = decides;
	return 0;
}

_Static_assert(sizeof(((struct tw_identity *)0)->name) == TW_STREAM_PEER_MAX, "a name");

static bool read_name(gnutls_x509_crt_t cert, char *name, size_t max)
{
	size_t len = max;

	return !gnutls_x509_crt_get_dn_by_oid(
		       cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) &&
	       strlen(name) == len && tw_identity_is_name(name);
}

/* Reads the validity of a certificate and, unless `ret_decides` is NULL, whether it is a decider's. `ret_name`
 * may be NULL; if it is not, it gets the certificate's name. Returns 0 or an error code of GnuTLS. */
static int read_cert(const gnutls_datum_t *pem, time_t *ret_from, time_t *ret_until,
	bool *ret_decides, char ret_name[TW_STREAM_PEER_MAX])
{
	gnutls_x509_crt_t cert;
	int code = gnutls_x509_crt_init(&cert);

	if (code < 0)
		return code;
	code = gnutls_x509_crt_import(cert, pem, GNUTLS_X509_FMT_PEM);
	if (!code && ret_decides && tw_identity_read_role(cert, ret_decides) < 0)
		code = GNUTLS_E_CERTIFICATE_ERROR;
	if (!code) {
		*ret_from = gnutls_x509_crt_get_activation_time(cert);
		*ret_until = gnutls_x509_crt_get_expiration_time(cert);
		if (ret_name && !read_name(cert, ret_name, TW_STREAM_PEER_MAX))
			ret_name[0] = '\0';
	}
	gnutls_x509_crt_deinit(cert);
	return code;
}

/* Gives certificate and key to GnuTLS. The slow path also sends its CA's certificate, for hosts that
 * enroll. If the two form no chain, it sends its own only. */
static int set_pair(struct tw_identity *identity, struct tw_buf *cert, const struct tw_buf *key,
	const struct tw_buf *ca)
{
	const gnutls_datum_t key_pem = datum_of(key);
	size_t len = cert->len;
	gnutls_datum_t chain;
	int code = -1;

	if (identity->side == TW_IDENTITY_SLOW_PATH) {
		tw_buf_adds(cert, "\n");
		tw_buf_add(cert, ca->data, ca->len);
		if (cert->failed)
			return GNUTLS_E_MEMORY_ERROR;
		chain = datum_of(cert);
		code = gnutls_certificate_set_x509_key_mem(
			identity->credentials, &chain, &key_pem, GNUTLS_X509_FMT_PEM);
	}
	if (code >= 0)
		return code;
	cert->len = len;
	chain = datum_of(cert);
	return gnutls_certificate_set_x509_key_mem(
		identity->credentials, &chain, &key_pem, GNUTLS_X509_FMT_PEM);
}

/* A client with the certificate of another role would be refused, or taken for an agent. */
static int check_own_role(
	const struct tw_identity *identity, const char *path, bool decides, struct tw_err *err)
{
	if (identity->side == TW_IDENTITY_SLOW_PATH ||
		decides == (identity->side == TW_IDENTITY_DECIDER))
		return 0;
	return decides ? tw_err_set(err, -EKEYREJECTED, path, "use one of tapwall-slowd --issue",
				 "is a decider's certificate, not an agent's")
		       : tw_err_set(err, -EKEYREJECTED, path,
				 "use one of tapwall-slowd --issue NAME --role decider",
				 "is an agent's certificate, not a decider's");
}

static int load_pair(struct tw_identity *identity, const struct tw_identity_files *files,
	const struct tw_buf *ca, struct tw_err *err)
{
	tw_auto_buf struct tw_buf cert = {0}, key = {0};
	gnutls_datum_t cert_pem;
	bool decides = false;
	int code = read_pem(files->cert, &cert, err);

	if (!code)
		code = read_pem(files->key, &key, err);
	if (code < 0)
		return code;
	cert_pem = datum_of(&cert);
	code = read_cert(&cert_pem, &identity->from, &identity->expires,
		identity->side == TW_IDENTITY_SLOW_PATH ? NULL : &decides, identity->name);
	if (code >= 0)
		code = set_pair(identity, &cert, &key, ca);
	gnutls_memset(key.data, 0, key.len);
	/* `cert` holds the key, too, if both are in one file. */
	gnutls_memset(cert.data, 0, cert.max);
	if (code < 0)
		return tw_err_set(err, -EKEYREJECTED, files->cert,
			"use a certificate and its own key, both as PEM", "cannot be used: %s",
			gnutls_strerror(code));
	return check_own_role(identity, files->cert, decides, err);
}

static int load_ca(struct tw_identity *identity, const struct tw_identity_files *files,
	struct tw_buf *ca, struct tw_err *err)
{
	gnutls_datum_t pem;
	time_t from;
	int code = read_pem(files->ca, ca, err);

	if (code < 0)
		return code;
	pem = datum_of(ca);
	code = gnutls_certificate_set_x509_trust_mem(
		identity->credentials, &pem, GNUTLS_X509_FMT_PEM);
	if (code > 0)
		read_cert(&pem, &from, &identity->ca_expires, NULL, NULL);
	return code <= 0 ? tw_err_set(err, -EKEYREJECTED, files->ca,
				   "use the CA's certificate as PEM", "cannot be used: %s",
				   code ? gnutls_strerror(code) : "it contains no certificate")
			 : 0;
}

static int identity_new(enum tw_identity_side side, struct tw_identity **ret)
{
	struct tw_identity *identity = tw_alloc(sizeof(*identity));

	if (!identity)
		return -ENOMEM;
	identity->n_holders = 1;
	identity->side = side;
	if (gnutls_certificate_allocate_credentials(&identity->credentials) < 0) {
		free(identity);
		return -ENOMEM;
	}
	*ret = identity;
	return 0;
}

int tw_identity_load(const struct tw_identity_files *files, enum tw_identity_side side,
	struct tw_identity **ret, struct tw_err *err)
{
	tw_auto(tw_identity) struct tw_identity *identity = NULL;
	tw_auto_buf struct tw_buf ca = {0};
	int code = identity_new(side, &identity);

	if (code < 0)
		return tw_err_set(err, code, files->cert, NULL, "out of memory");
	code = load_ca(identity, files, &ca, err);
	if (!code)
		code = load_pair(identity, files, &ca, err);
	if (!code)
		*ret = TW_TAKE_PTR(identity);
	return code;
}

int tw_identity_pin(const unsigned char pin[TW_IDENTITY_PRINT], struct tw_identity **ret)
{
	int code = identity_new(TW_IDENTITY_AGENT, ret);

	if (code < 0)
		return code;
	(*ret)->is_pinned = true;
	memcpy((*ret)->pin, pin, TW_IDENTITY_PRINT);
	return 0;
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
	tw_buf_done(&identity->pinned_ca);
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
static const struct verdict other_role = {
	0, GNUTLS_A_UNSUPPORTED_CERTIFICATE, "is for an unknown role"};
static const struct verdict nameless = {
	0, GNUTLS_A_BAD_CERTIFICATE, "has no name of letters, digits, dots and hyphens"};
static const struct verdict other_ca = {
	0, GNUTLS_A_UNKNOWN_CA, "was not issued by the CA of the token"};
static const struct verdict broken = {0, GNUTLS_A_BAD_CERTIFICATE, "is invalid"};
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

/* Returns the fault of a certificate that this CA issued, or NULL. */
static const struct verdict *judge_cert(
	const struct tw_identity *identity, gnutls_x509_crt_t cert, struct tw_stream *stream)
{
	bool is_slow_path = identity->side == TW_IDENTITY_SLOW_PATH;
	const char *purpose = is_slow_path ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER;

	if (!has_purpose(cert, purpose))
		return &other_purpose;
	if (is_slow_path && tw_identity_read_role(cert, &stream->peer_decides) < 0)
		return &other_role;
	if (!read_name(cert, stream->peer, sizeof(stream->peer)))
		return &nameless;
	stream->peer_from = gnutls_x509_crt_get_activation_time(cert);
	stream->peer_until = gnutls_x509_crt_get_expiration_time(cert);
	if (identity->is_revoked &&
		identity->is_revoked(identity->arg, stream->peer, stream->peer_from))
		return &revoked;
	return NULL;
}

static const struct verdict *verdict_of(unsigned int status)
{
	const struct verdict *verdict = verdicts;

	if (!status)
		return NULL;
	while (!(verdict->flag & status))
		verdict++;
	return verdict;
}

static bool is_pinned(const struct tw_identity *identity, const gnutls_datum_t *der)
{
	unsigned char print[TW_IDENTITY_PRINT];

	return !gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, print) &&
	       !memcmp(print, identity->pin, sizeof(print));
}

static int keep_ca(struct tw_identity *identity, gnutls_x509_crt_t ca)
{
	gnutls_datum_t pem = {0};

	if (gnutls_x509_crt_export2(ca, GNUTLS_X509_FMT_PEM, &pem) < 0)
		return -ENOMEM;
	tw_buf_reset(&identity->pinned_ca);
	tw_buf_add(&identity->pinned_ca, pem.data, pem.size);
	gnutls_free(pem.data);
	identity->ca_expires = gnutls_x509_crt_get_expiration_time(ca);
	return identity->pinned_ca.failed ? -ENOMEM : 0;
}

/* Verifies a chain, without its CA, against this CA. */
static unsigned int verify_by(gnutls_x509_crt_t ca, gnutls_x509_crt_t *certs, unsigned int n_certs)
{
	unsigned int status = GNUTLS_CERT_INVALID;
	gnutls_x509_trust_list_t list;

	if (gnutls_x509_trust_list_init(&list, 0) < 0)
		return status;
	if (gnutls_x509_trust_list_add_cas(list, &ca, 1, 0) != 1 ||
		gnutls_x509_trust_list_verify_crt(list, certs, n_certs, 0, &status, NULL) < 0)
		status = GNUTLS_CERT_INVALID;
	gnutls_x509_trust_list_deinit(list, 0);
	return status;
}

/* Judges a chain by the CA whose fingerprint is known. The slow path sends that CA last. */
static const struct verdict *judge_pinned(
	struct tw_identity *identity, const gnutls_datum_t *chain, unsigned int n)
{
	gnutls_x509_crt_t certs[CHAIN_MAX];
	const struct verdict *verdict = &broken;
	unsigned int n_certs = 0;

	if (n < 2 || n > CHAIN_MAX || !is_pinned(identity, &chain[n - 1]))
		return &other_ca;
	while (n_certs < n && gnutls_x509_crt_init(&certs[n_certs]) >= 0) {
		n_certs++;
		if (gnutls_x509_crt_import(
			    certs[n_certs - 1], &chain[n_certs - 1], GNUTLS_X509_FMT_DER) < 0)
			goto out;
	}
	if (n_certs == n)
		verdict = verdict_of(verify_by(certs[n - 1], certs, n - 1));
	if (!verdict && keep_ca(identity, certs[n - 1]) < 0)
		verdict = &broken;
out:
	while (n_certs)
		gnutls_x509_crt_deinit(certs[--n_certs]);
	return verdict;
}

/* Returns the fault of the peer's certificate, or NULL. */
static const struct verdict *judge_peer(
	struct tw_identity *identity, gnutls_session_t session, struct tw_stream *stream)
{
	const struct verdict *verdict;
	unsigned int status = 0, n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
	gnutls_x509_crt_t cert;

	if (!chain || !n)
		return identity->is_enrolling && identity->is_enrolling(identity->enrolling_arg)
			       ? NULL
			       : &missing;
	if (!identity->is_pinned && gnutls_certificate_verify_peers2(session, &status) < 0)
		status = GNUTLS_CERT_INVALID;
	verdict = identity->is_pinned ? judge_pinned(identity, chain, n) : verdict_of(status);
	if (verdict)
		return verdict;
	if (gnutls_x509_crt_init(&cert) < 0)
		return &broken;
	if (gnutls_x509_crt_import(cert, chain, GNUTLS_X509_FMT_DER) < 0)
		verdict = &broken;
	else
		verdict = judge_cert(identity, cert, stream);
	gnutls_x509_crt_deinit(cert);
	return verdict;
}

int tw_identity_check(struct tw_identity *identity, gnutls_session_t session,
	struct tw_stream *stream, gnutls_alert_description_t *ret_alert)
{
	const struct verdict *verdict = judge_peer(identity, session, stream);

	if (!verdict)
		return 0;
	snprintf(stream->why, sizeof(stream->why), "the peer's certificate %s", verdict->text);
	*ret_alert = verdict->alert;
	stream->peer[0] = '\0';
	return -EKEYREJECTED;
}
