/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* hostile_enroll PORT FILE WHAT: enrolls at 127.0.0.1:PORT with the token in FILE, as a misbehaving host. Prints the
 * result. WHAT is one of:
 *
 *	agents    asks for the list of agents instead
 *	guess     sends a wrong secret, then the token's on the same connection
 *	large     announces a message of 1 MiB
 *	half      sends half a message, and waits
 *	silent    sends nothing, and waits
 *	forged    sends a request for a certificate that is not signed by its own key
 *	rsa       sends a request with an RSA key
 *	proud     asks for another name, for a CA and for the purpose of a slow path: prints what the certificate
 *	          says
 *	race      makes eight connections at once: prints how many got a certificate
 */
#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "link/identity.h"
#include "link/link.h"
#include "link/request.h"
#include "link/stream.h"
#include "link/token.h"

#define WAIT_S 30
#define RACERS 8

static struct tw_token_parts token;
static char address[64];

static void die(const char *what)
{
	fprintf(stderr, "hostile_enroll: %s\n", what);
	exit(2);
}

/* ---- requests for a certificate ---- */

static gnutls_x509_privkey_t make_key(bool rsa)
{
	gnutls_x509_privkey_t key;

	if (gnutls_x509_privkey_init(&key) < 0 ||
		gnutls_x509_privkey_generate(key, rsa ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA,
			rsa ? 2048 : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0)
		die("key");
	return key;
}

/* The request names another agent and asks to be a CA and a TLS server. */
static struct tw_buf make_request(bool rsa)
{
	gnutls_x509_privkey_t key = make_key(rsa);
	gnutls_datum_t pem = {0};
	struct tw_buf request = {0};
	gnutls_x509_crq_t crq;

	if (gnutls_x509_crq_init(&crq) < 0 || gnutls_x509_crq_set_version(crq, 1) < 0 ||
		gnutls_x509_crq_set_dn_by_oid(crq, GNUTLS_OID_X520_COMMON_NAME, 0, "slow-path", 9) <
			0 ||
		gnutls_x509_crq_set_basic_constraints(crq, 1, 5) < 0 ||
		gnutls_x509_crq_set_key_usage(
			crq, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_DIGITAL_SIGNATURE) < 0 ||
		gnutls_x509_crq_set_key_purpose_oid(crq, GNUTLS_KP_TLS_WWW_SERVER, 0) < 0 ||
		gnutls_x509_crq_set_subject_alt_name(
			crq, GNUTLS_SAN_DNSNAME, "slow.example", 12, GNUTLS_FSAN_SET) < 0 ||
		gnutls_x509_crq_set_key(crq, key) < 0 ||
		gnutls_x509_crq_sign2(crq, key, GNUTLS_DIG_SHA256, 0) < 0 ||
		gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_PEM, &pem) < 0)
		die("request");
	tw_buf_add(&request, pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_x509_crq_deinit(crq);
	gnutls_x509_privkey_deinit(key);
	return request;
}

/* Changes a byte in the middle of a request, so that its signature is wrong. */
static struct tw_buf make_forged(void)
{
	struct tw_buf request = make_request(false);
	char *at = request.data + request.len / 2;

	at += *at == '\n';
	*at = (char)(*at == 'A' ? 'B' : 'A');
	return request;
}

/* ---- connections ---- */

static struct tw_stream *dial(void)
{
	char why[TW_STREAM_WHY_MAX] = "";
	struct tw_identity *identity = NULL;
	struct tw_dial_options options = {.address = address, .wait = true, .why = why};
	struct tw_stream *stream = NULL;

	if (tw_identity_pin(token.print, &identity) < 0)
		die("memory");
	options.identity = identity;
	if (tw_stream_dial(&options, &stream) < 0)
		die(why);
	tw_identity_free(identity);
	tw_stream_set_timeout(stream, WAIT_S);
	return stream;
}

static void send_bytes(struct tw_stream *stream, const void *bytes, size_t len)
{
	if (tw_stream_write(stream, bytes, len, true) < 0)
		puts("closed");
}

static void send_request(struct tw_stream *stream, Tapwall__V1__Request *request)
{
	tw_auto_buf struct tw_buf out = {0};

	if (tw_link_pack_request(&out, request) < 0)
		die("pack");
	send_bytes(stream, out.data, out.len);
}

static void send_enroll(struct tw_stream *stream, const struct tw_buf *csr)
{
	Tapwall__V1__EnrollRequest body = TAPWALL__V1__ENROLL_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	body.secret.data = token.secret;
	body.secret.len = sizeof(token.secret);
	body.request.data = (uint8_t *)csr->data;
	body.request.len = csr->len;
	request.id = 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_ENROLL;
	request.enroll = &body;
	send_request(stream, &request);
}

/* Waits for a response. The caller frees it. NULL: the connection ended. */
static Tapwall__V1__Response *receive(struct tw_stream *stream)
{
	tw_auto_buf struct tw_buf in = {0};

	for (;;) {
		char bytes[TW_STREAM_READ_MIN];
		ssize_t n = tw_stream_read(stream, bytes, sizeof(bytes), true);
		const uint8_t *body;
		bool is_request;
		size_t len;

		if (n <= 0) {
			puts(n == -EAGAIN ? "stays" : "closed");
			return NULL;
		}
		tw_buf_add(&in, bytes, (size_t)n);
		if (tw_link_frame_either(
			    (const uint8_t *)in.data, in.len, &is_request, &body, &len) > 0)
			return tw_link_unpack_response(body, len);
	}
}

static void print_error(struct tw_stream *stream)
{
	Tapwall__V1__Response *response = receive(stream);

	if (response && response->error)
		printf("error %d: %s\n", response->error->code, response->error->text);
	else if (response)
		puts("answered");
	if (response)
		tapwall__v1__response__free_unpacked(response, NULL);
}

/* ---- manners ---- */

static void ask_agents(struct tw_stream *stream)
{
	Tapwall__V1__AgentsRequest agents = TAPWALL__V1__AGENTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.id = 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_AGENTS;
	request.agents = &agents;
	send_request(stream, &request);
	print_error(stream);
}

static void guess(struct tw_stream *stream)
{
	tw_auto_buf struct tw_buf request = make_request(false);

	token.secret[0] ^= 1;
	send_enroll(stream, &request);
	print_error(stream);
	token.secret[0] ^= 1;
	send_enroll(stream, &request);
	print_error(stream);
}

static void enroll(struct tw_stream *stream, struct tw_buf request)
{
	send_enroll(stream, &request);
	print_error(stream);
	tw_buf_done(&request);
}

static void print_cert(const ProtobufCBinaryData *pem)
{
	const gnutls_datum_t datum = {pem->data, (unsigned int)pem->len};
	char name[65] = "", purpose[64] = "", other[8], alt[8];
	size_t name_len = sizeof(name), purpose_len = sizeof(purpose), other_len = sizeof(other),
	       alt_len = sizeof(alt);
	unsigned int usage = 0;
	gnutls_x509_crt_t cert;

	if (gnutls_x509_crt_init(&cert) < 0 ||
		gnutls_x509_crt_import(cert, &datum, GNUTLS_X509_FMT_PEM) < 0)
		die("certificate");
	gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &name_len);
	gnutls_x509_crt_get_key_purpose_oid(cert, 0, purpose, &purpose_len, NULL);
	gnutls_x509_crt_get_key_usage(cert, &usage, NULL);
	printf("name %s, CA %d, usage %x, %s%s%s\n", name,
		gnutls_x509_crt_get_ca_status(cert, NULL), usage,
		!strcmp(purpose, GNUTLS_KP_TLS_WWW_CLIENT) ? "client" : purpose,
		gnutls_x509_crt_get_key_purpose_oid(cert, 1, other, &other_len, NULL) ==
				GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE
			? ""
			: " and more",
		gnutls_x509_crt_get_subject_alt_name(cert, 0, alt, &alt_len, NULL) ==
				GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE
			? ""
			: ", other names");
	gnutls_x509_crt_deinit(cert);
}

static void be_proud(struct tw_stream *stream)
{
	tw_auto_buf struct tw_buf request = make_request(false);
	Tapwall__V1__Response *response;

	send_enroll(stream, &request);
	response = receive(stream);
	if (response && response->body_case == TAPWALL__V1__RESPONSE__BODY_ISSUED)
		print_cert(&response->issued->certificate);
	else if (response)
		puts(response->error ? response->error->text : "answered");
	if (response)
		tapwall__v1__response__free_unpacked(response, NULL);
}

static void race(struct tw_stream *stream)
{
	tw_auto_buf struct tw_buf request = make_request(false);
	struct tw_stream *streams[RACERS] = {stream};
	unsigned int n = 0;

	for (unsigned int i = 1; i < RACERS; i++)
		streams[i] = dial();
	for (unsigned int i = 0; i < RACERS; i++)
		send_enroll(streams[i], &request);
	for (unsigned int i = 0; i < RACERS; i++) {
		Tapwall__V1__Response *response = receive(streams[i]);

		n += response && response->body_case == TAPWALL__V1__RESPONSE__BODY_ISSUED;
		if (response)
			tapwall__v1__response__free_unpacked(response, NULL);
		if (i)
			tw_stream_close(streams[i]);
	}
	printf("%u of %d\n", n, RACERS);
}

static void play(struct tw_stream *stream, const char *what)
{
	if (!strcmp(what, "agents"))
		ask_agents(stream);
	else if (!strcmp(what, "guess"))
		guess(stream);
	else if (!strcmp(what, "forged"))
		enroll(stream, make_forged());
	else if (!strcmp(what, "rsa"))
		enroll(stream, make_request(true));
	else if (!strcmp(what, "proud"))
		be_proud(stream);
	else if (!strcmp(what, "race"))
		race(stream);
	else {
		if (!strcmp(what, "large"))
			send_bytes(stream, "\x80\x10\0\0", 4);
		else if (!strcmp(what, "half"))
			send_bytes(stream, "\x80\0\1\0half", 8);
		print_error(stream);
	}
}

int main(int argc, char **argv)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_stream *stream;
	struct tw_err err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 4 || tw_file_read(argv[2], &text, &err) < 0 ||
		tw_token_read(text.data, &token) < 0)
		die("usage: hostile_enroll PORT FILE WHAT");
	snprintf(address, sizeof(address), "tls:127.0.0.1:%s", argv[1]);
	stream = dial();
	play(stream, argv[3]);
	tw_stream_close(stream);
	return 0;
}
