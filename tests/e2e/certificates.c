/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* certificates FOLDER: makes a CA, and valid and invalid certificates, for the tests of the link:
 *
 *	ca.pem ca-key.pem slowd.pem     the CA, which ends in 40 days, and its key; the slow path
 *	host-a.pem host-b.pem           two agents
 *	fill-1.pem … fill-7.pem         agents
 *	expired.pem early.pem           an agent; expired, and not valid yet
 *	wrong.pem wrong-ca.pem          an agent of another CA; that CA
 *	self.pem                        signed by its own key
 *	server.pem                      an agent's name with the slow path's purpose
 *	nameless.pem                    an agent whose name is not valid
 *	decider.pem late-decider.pem    a decider, dave; the same, expired
 *	oracle.pem                      a client with a role that does not exist
 *	due.pem due-slowd.pem           host-a and the slow path, in the last third of their validity
 *	old-slowd.pem                   the slow path, expired
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "slowpath/ca.h"

#define DAY	86400
#define FILLERS 7

static const char *folder;

static void write_file(const char *name, struct tw_buf *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text->data, text->len) != (ssize_t)text->len || close(fd) < 0)
		exit(1);
	tw_buf_done(text);
}

static void issue(const struct tw_ca *ca, const char *file, const char *name,
	enum tw_identity_side side, int from_days, int until_days)
{
	time_t now = time(NULL);
	const struct tw_ca_subject subject = {
		name, side, now + (time_t)from_days * DAY, now + (time_t)until_days * DAY};
	struct tw_buf pem = {0};

	if (tw_ca_issue(ca, &subject, &pem) < 0)
		exit(1);
	write_file(file, &pem);
}

/* Makes an agent's certificate that its own key signs. */
static void sign_itself(const char *file, const char *name)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	gnutls_datum_t key_pem, cert_pem;
	struct tw_buf pem = {0};
	time_t now = time(NULL);

	if (gnutls_x509_privkey_init(&key) < 0 || gnutls_x509_crt_init(&cert) < 0 ||
		gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
			GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0 ||
		gnutls_x509_crt_set_version(cert, 3) < 0 ||
		gnutls_x509_crt_set_serial(cert, "\1", 1) < 0 ||
		gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, name,
			(unsigned int)strlen(name)) < 0 ||
		gnutls_x509_crt_set_activation_time(cert, now - DAY) < 0 ||
		gnutls_x509_crt_set_expiration_time(cert, now + DAY) < 0 ||
		gnutls_x509_crt_set_key(cert, key) < 0 ||
		gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_DIGITAL_SIGNATURE) < 0 ||
		gnutls_x509_crt_set_key_purpose_oid(cert, GNUTLS_KP_TLS_WWW_CLIENT, 0) < 0 ||
		gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0) < 0 ||
		gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_pem) < 0 ||
		gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &cert_pem) < 0)
		exit(1);
	tw_buf_add(&pem, key_pem.data, key_pem.size);
	tw_buf_add(&pem, cert_pem.data, cert_pem.size);
	write_file(file, &pem);
	gnutls_free(key_pem.data);
	gnutls_free(cert_pem.data);
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_privkey_deinit(key);
}

/* Makes a client's certificate for a role that this version does not know. */
static void issue_unknown_role(const struct tw_ca *ca, const char *file)
{
	gnutls_x509_privkey_t ca_key, key;
	gnutls_x509_crt_t ca_cert, cert;
	struct tw_buf ca_pem = {0}, ca_key_pem = {0}, pem = {0};
	gnutls_datum_t key_pem, cert_pem, from;
	time_t now = time(NULL);

	if (tw_ca_put_cert(ca, &ca_pem) < 0 || tw_ca_put_key(ca, &ca_key_pem) < 0 ||
		gnutls_x509_privkey_init(&key) < 0 || gnutls_x509_privkey_init(&ca_key) < 0 ||
		gnutls_x509_crt_init(&cert) < 0 || gnutls_x509_crt_init(&ca_cert) < 0)
		exit(1);
	from = (gnutls_datum_t){(unsigned char *)ca_pem.data, (unsigned int)ca_pem.len};
	if (gnutls_x509_crt_import(ca_cert, &from, GNUTLS_X509_FMT_PEM) < 0)
		exit(1);
	from = (gnutls_datum_t){(unsigned char *)ca_key_pem.data, (unsigned int)ca_key_pem.len};
	if (gnutls_x509_privkey_import(ca_key, &from, GNUTLS_X509_FMT_PEM) < 0 ||
		gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
			GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0 ||
		gnutls_x509_crt_set_version(cert, 3) < 0 ||
		gnutls_x509_crt_set_serial(cert, "\2", 1) < 0 ||
		gnutls_x509_crt_set_dn(cert, "CN=host-a,OU=tapwall-oracle", NULL) < 0 ||
		gnutls_x509_crt_set_activation_time(cert, now - DAY) < 0 ||
		gnutls_x509_crt_set_expiration_time(cert, now + DAY) < 0 ||
		gnutls_x509_crt_set_key(cert, key) < 0 ||
		gnutls_x509_crt_set_key_purpose_oid(cert, GNUTLS_KP_TLS_WWW_CLIENT, 0) < 0 ||
		gnutls_x509_crt_sign2(cert, ca_cert, ca_key, GNUTLS_DIG_SHA256, 0) < 0 ||
		gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_pem) < 0 ||
		gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &cert_pem) < 0)
		exit(1);
	tw_buf_add(&pem, key_pem.data, key_pem.size);
	tw_buf_add(&pem, cert_pem.data, cert_pem.size);
	write_file(file, &pem);
	gnutls_free(key_pem.data);
	gnutls_free(cert_pem.data);
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_crt_deinit(ca_cert);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_privkey_deinit(ca_key);
	tw_buf_done(&ca_pem);
	tw_buf_done(&ca_key_pem);
}

int main(int argc, char **argv)
{
	tw_auto(tw_ca) struct tw_ca *ca = NULL, *wrong = NULL;
	struct tw_buf pem = {0};
	time_t now = time(NULL);

	if (argc != 2)
		return 2;
	folder = argv[1];
	if (tw_ca_new("the CA", now + 40 * DAY, &ca) < 0 ||
		tw_ca_new("another CA", now + 40 * DAY, &wrong) < 0)
		return 1;
	if (tw_ca_put_cert(ca, &pem) < 0)
		return 1;
	write_file("ca.pem", &pem);
	if (tw_ca_put_key(ca, &pem) < 0)
		return 1;
	write_file("ca-key.pem", &pem);
	if (tw_ca_put_cert(wrong, &pem) < 0)
		return 1;
	write_file("wrong-ca.pem", &pem);
	sign_itself("self.pem", "host-a");
	issue(ca, "slowd.pem", "slow-1", TW_IDENTITY_SLOW_PATH, -1, 30);
	issue(ca, "old-slowd.pem", "slow-1", TW_IDENTITY_SLOW_PATH, -9, -1);
	issue(ca, "due-slowd.pem", "slow-1", TW_IDENTITY_SLOW_PATH, -9, 1);
	issue(ca, "due.pem", "host-a", TW_IDENTITY_AGENT, -9, 1);
	issue(ca, "host-a.pem", "host-a", TW_IDENTITY_AGENT, -1, 30);
	issue(ca, "host-b.pem", "host-b", TW_IDENTITY_AGENT, -1, 30);
	for (int i = 1; i <= FILLERS; i++) {
		char file[32], name[32];

		snprintf(file, sizeof(file), "fill-%d.pem", i);
		snprintf(name, sizeof(name), "fill-%d", i);
		issue(ca, file, name, TW_IDENTITY_AGENT, -1, 30);
	}
	issue(ca, "expired.pem", "host-a", TW_IDENTITY_AGENT, -9, -1);
	issue(ca, "early.pem", "host-a", TW_IDENTITY_AGENT, 1, 30);
	issue(ca, "server.pem", "host-a", TW_IDENTITY_SLOW_PATH, -1, 30);
	issue(ca, "nameless.pem", "../host a", TW_IDENTITY_AGENT, -1, 30);
	issue(ca, "decider.pem", "dave", TW_IDENTITY_DECIDER, -1, 30);
	issue(ca, "late-decider.pem", "dave", TW_IDENTITY_DECIDER, -9, -1);
	issue_unknown_role(ca, "oracle.pem");
	issue(wrong, "wrong.pem", "host-a", TW_IDENTITY_AGENT, -1, 30);
	return 0;
}
