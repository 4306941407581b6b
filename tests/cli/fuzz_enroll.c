/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer: any bytes as a token, as a request for a certificate and as a certificate, the inputs of an enrolment. If
 * the first byte is odd, the rest changes bytes of a valid request; otherwise it is the request. A signed certificate has
 * the name that was given to the CA. A certificate that the CA did not sign is refused. */
#include <errno.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "link/request.h"
#include "link/token.h"
#include "slowpath/ca.h"

#define NAME "host-a"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct tw_ca *ca;
static struct tw_buf valid, key, ca_cert;

static void require(int holds)
{
	if (!holds)
		abort();
}

static void make_ca(void)
{
	require(!tw_ca_new("tapwall", time(NULL) + TW_CA_LIFE_S, &ca));
	require(!tw_ca_put_cert(ca, &ca_cert));
	require(!tw_request_new(&key, &valid));
}

static void check_cert(const struct tw_buf *pem)
{
	const gnutls_datum_t text = {(unsigned char *)pem->data, (unsigned int)pem->len};
	gnutls_x509_crt_t cert;
	char name[128] = "";
	size_t size = sizeof(name);

	require(!gnutls_x509_crt_init(&cert));
	require(!gnutls_x509_crt_import(cert, &text, GNUTLS_X509_FMT_PEM));
	require(!gnutls_x509_crt_get_dn_by_oid(
		cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size));
	require(!strcmp(name, NAME));
	require(gnutls_x509_crt_get_ca_status(cert, NULL) <= 0);
	gnutls_x509_crt_deinit(cert);
}

static void check_request(const void *request, size_t len)
{
	const struct tw_ca_subject subject = {.name = NAME,
		.side = TW_IDENTITY_AGENT,
		.from = time(NULL),
		.until = time(NULL) + 3600};
	tw_auto_buf struct tw_buf pem = {0};
	int code = tw_ca_sign(ca, &subject, request, len, &pem);

	require(code == 0 || code == -EKEYREJECTED || code == -ENOMEM);
	if (!code)
		check_cert(&pem);
	else
		require(!pem.len);
}

/* Each three bytes of the input change a byte of a valid request: two for its place, one for the change. */
static void check_changed(const uint8_t *data, size_t len)
{
	tw_auto_buf struct tw_buf request = {0};

	tw_buf_add(&request, valid.data, valid.len);
	require(!request.failed);
	for (size_t i = 0; i + 2 < len; i += 3)
		request.data[(data[i] | data[i + 1] << 8) % request.len] ^= (char)data[i + 2];
	check_request(request.data, request.len);
}

static void check_text(const uint8_t *data, size_t len)
{
	char text[512], again[TW_TOKEN_TEXT];
	struct tw_token_parts token;

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, data, len);
	text[len] = '\0';
	if (!tw_token_read(text, &token)) {
		require(!tw_token_write(&token, again));
		require(strstr(text, again) || strcasestr(text, again));
	}
}

/* No certificate in the input is signed by the CA, so each is refused. */
static void check_certificate(const void *pem, size_t len)
{
	struct tw_request_cert cert;

	require(tw_request_check(&key, pem, len, &ca_cert, &cert) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!ca)
		make_ca();
	if (!len)
		return 0;
	check_text(data + 1, len - 1);
	check_certificate(data + 1, len - 1);
	if (data[0] & 1)
		check_changed(data + 1, len - 1);
	else
		check_request(data + 1, len - 1);
	return 0;
}
