/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* syslog_server: a syslog server over TLS (RFC 5425) at 127.0.0.1, and its certificates.
 *
 *	syslog_server make FOLDER              ca.pem; with keys: server.pem for 127.0.0.1, other.pem for another
 *	                                       name, client.pem; foreign.pem for 127.0.0.1, signed by no CA
 *	syslog_server serve PORT CERT [CA]     prints `ready`, and each message as a line; `bad: …` for an invalid octet
 *	                                       count. With a CA, clients must have a certificate of it. Accepts one
 *	                                       connection after another.
 */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DAY	    86400
#define MESSAGE_MAX 8192u

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "syslog_server: %s\n", what);
	exit(1);
}

/* ---- certificates ---- */

struct pair {
	gnutls_x509_crt_t cert;
	gnutls_x509_privkey_t key;
};

static void write_pem(FILE *file, const gnutls_datum_t *pem)
{
	require(fwrite(pem->data, 1, pem->size, file) == pem->size, "cannot write");
	gnutls_free(pem->data);
}

static void save(const struct pair *pair, const char *folder, const char *name, bool with_key)
{
	gnutls_datum_t pem;
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	require(file != NULL, path);
	require(!gnutls_x509_crt_export2(pair->cert, GNUTLS_X509_FMT_PEM, &pem), "cannot export");
	write_pem(file, &pem);
	if (with_key) {
		require(!gnutls_x509_privkey_export2_pkcs8(
				pair->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem),
			"cannot export the key");
		write_pem(file, &pem);
	}
	require(!fclose(file), path);
}

/* Makes a certificate that `ca` signs. NULL: its own key signs it. */
static struct pair issue(
	const struct pair *ca, const char *name, const char *address, const char *purpose)
{
	static unsigned char serial = 1;
	struct pair pair;
	struct in_addr ip;
	time_t now = time(NULL);

	require(!gnutls_x509_crt_init(&pair.cert) && !gnutls_x509_privkey_init(&pair.key),
		"no memory");
	require(!gnutls_x509_privkey_generate(pair.key, GNUTLS_PK_ECDSA,
			GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		"cannot make a key");
	gnutls_x509_crt_set_version(pair.cert, 3);
	gnutls_x509_crt_set_serial(pair.cert, &serial, 1);
	serial++;
	gnutls_x509_crt_set_activation_time(pair.cert, now - DAY);
	gnutls_x509_crt_set_expiration_time(pair.cert, now + DAY);
	gnutls_x509_crt_set_dn_by_oid(
		pair.cert, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned int)strlen(name));
	gnutls_x509_crt_set_key(pair.cert, pair.key);
	if (!purpose) {
		gnutls_x509_crt_set_ca_status(pair.cert, 1);
		gnutls_x509_crt_set_key_usage(pair.cert, GNUTLS_KEY_KEY_CERT_SIGN);
	} else {
		gnutls_x509_crt_set_key_purpose_oid(pair.cert, purpose, 0);
		gnutls_x509_crt_set_key_usage(pair.cert, GNUTLS_KEY_DIGITAL_SIGNATURE);
	}
	if (address && inet_pton(AF_INET, address, &ip) == 1)
		gnutls_x509_crt_set_subject_alt_name(
			pair.cert, GNUTLS_SAN_IPADDRESS, &ip, sizeof(ip), GNUTLS_FSAN_SET);
	else if (address)
		gnutls_x509_crt_set_subject_alt_name(pair.cert, GNUTLS_SAN_DNSNAME, address,
			(unsigned int)strlen(address), GNUTLS_FSAN_SET);
	if (!ca)
		ca = &pair;
	require(!gnutls_x509_crt_sign2(pair.cert, ca->cert, ca->key, GNUTLS_DIG_SHA256, 0),
		"cannot sign");
	return pair;
}

static int make(const char *folder)
{
	struct pair ca = issue(NULL, "test CA", NULL, NULL);
	struct pair server = issue(&ca, "server", "127.0.0.1", GNUTLS_KP_TLS_WWW_SERVER);
	struct pair other = issue(&ca, "other", "other.example", GNUTLS_KP_TLS_WWW_SERVER);
	struct pair client = issue(&ca, "client", NULL, GNUTLS_KP_TLS_WWW_CLIENT);
	struct pair foreign = issue(NULL, "foreign", "127.0.0.1", GNUTLS_KP_TLS_WWW_SERVER);

	save(&ca, folder, "ca.pem", false);
	save(&server, folder, "server.pem", true);
	save(&other, folder, "other.pem", true);
	save(&client, folder, "client.pem", true);
	save(&foreign, folder, "foreign.pem", true);
	return 0;
}

/* ---- the server ---- */

static bool read_all(gnutls_session_t session, char *at, size_t len)
{
	while (len) {
		ssize_t n = gnutls_record_recv(session, at, len);

		if (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* Reads the octet count and the message behind it. False at the end of the connection. */
static bool read_message(gnutls_session_t session)
{
	char count[8], message[MESSAGE_MAX + 1];
	size_t n = 0, len;

	while (read_all(session, &count[n], 1) && count[n] >= '0' && count[n] <= '9')
		if (++n == sizeof(count)) {
			printf("bad: octet count\n");
			return false;
		}
	if (count[n] != ' ' || !n)
		return false;
	len = strtoul(count, NULL, 10);
	if (count[0] == '0' || len > MESSAGE_MAX || !read_all(session, message, len)) {
		printf("bad: %zu octets\n", len);
		return false;
	}
	message[len] = '\0';
	if (strlen(message) != len || strchr(message, '\n'))
		printf("bad: bytes in a message\n");
	printf("%s\n", message);
	return true;
}

static void serve_one(int fd, gnutls_certificate_credentials_t credentials, bool wants_client)
{
	gnutls_session_t session;
	int code;

	require(!gnutls_init(&session, GNUTLS_SERVER), "no memory");
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	if (wants_client) {
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert(session, NULL, 0);
	}
	gnutls_transport_set_int(session, fd);
	do {
		code = gnutls_handshake(session);
	} while (code < 0 && !gnutls_error_is_fatal(code));
	if (code < 0)
		printf("refused: %s\n", gnutls_strerror(code));
	while (!code && read_message(session))
		;
	gnutls_deinit(session);
	close(fd);
}

static int serve(const char *port, const char *cert, const char *ca)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	gnutls_certificate_credentials_t credentials;
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer;

	require(!gnutls_certificate_allocate_credentials(&credentials), "no memory");
	require(!gnutls_certificate_set_x509_key_file(credentials, cert, cert, GNUTLS_X509_FMT_PEM),
		cert);
	require(!ca || gnutls_certificate_set_x509_trust_file(
			       credentials, ca, GNUTLS_X509_FMT_PEM) == 1,
		"no CA");
	require(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
			!bind(fd, (struct sockaddr *)&at, sizeof(at)) && !listen(fd, 4),
		"cannot listen");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while ((peer = accept(fd, NULL, NULL)) >= 0)
		serve_one(peer, credentials, ca != NULL);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "make"))
		return make(argv[2]);
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3], argc == 5 ? argv[4] : NULL);
	return 2;
}
