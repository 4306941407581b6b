/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/enroll.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "link/reply.h"
#include "slowpath/ca.h"
#include "slowpath/issue.h"

int tw_enroll_init(
	struct tw_enroll *enroll, const char *folder, uint32_t life_s, struct tw_revoked *revoked)
{
	enroll->folder = folder;
	enroll->life_s = life_s;
	enroll->revoked = revoked;
	return tw_tokens_init(&enroll->tokens, folder);
}

void tw_enroll_done(struct tw_enroll *enroll)
{
	tw_tokens_done(&enroll->tokens);
}

bool tw_enroll_is_open(void *arg)
{
	struct tw_enroll *enroll = arg;

	return tw_tokens_look(&enroll->tokens) > 0;
}

/* Signs the request for the certificate of an agent or a decider. */
static int sign(const struct tw_enroll *enroll, const char *name, enum tw_identity_side side,
	const ProtobufCBinaryData *request, struct tw_buf *pem, time_t *ret_until,
	struct tw_err *err)
{
	time_t now = time(NULL);
	const struct tw_ca_subject subject = {.name = name,
		.side = side,
		.from = now, /* no allowance for skew: only this host checks it */
		.until = now + (time_t)enroll->life_s};
	tw_auto(tw_ca) struct tw_ca *ca = NULL;
	int code = tw_issue_ca(enroll->folder, &ca, err);

	if (code < 0)
		return code;
	code = tw_ca_sign(ca, &subject, request->data, request->len, pem);
	if (code == -EKEYREJECTED)
		return tw_err_set(err, code, "request", NULL,
			"it is no valid request for a certificate with a P-256 or Ed25519 key");
	if (code == -EKEYEXPIRED)
		return tw_err_set(err, code, "CA", "make a new one with tapwall-slowd --init",
			"the CA has expired");
	*ret_until = tw_ca_until(ca) < subject.until ? tw_ca_until(ca) : subject.until;
	return code < 0 ? tw_err_set(err, code, "CA", NULL, "cannot sign: %s", strerror(-code)) : 0;
}

/* Unknown, used and expired tokens get the same message, so that an attacker learns nothing. */
static int refuse_token(struct tw_err *err)
{
	return tw_err_set(err, -EACCES, "token", "make a new one with tapwall-slowd --token NAME",
		"is not valid: it was used, has expired, or is for another slow path");
}

static int enroll_host(struct tw_enroll *enroll, const Tapwall__V1__EnrollRequest *body,
	struct tw_buf *pem, char name[TW_STREAM_PEER_MAX], time_t *ret_until, struct tw_err *err)
{
	const struct tw_tokens_row *row;
	int code;

	tw_revoked_look(enroll->revoked);
	row = tw_tokens_find(&enroll->tokens, body->secret.data, body->secret.len);
	if (!row)
		return refuse_token(err);
	strcpy(name, row->name);
	if (tw_revoked_has(enroll->revoked, row->name, row->made))
		return tw_err_set(err, -EACCES, row->name,
			"make a new token with tapwall-slowd --token NAME",
			"was revoked after the token was made");
	/* A request that cannot be signed does not spend the token. */
	code = sign(enroll, row->name, row->side, &body->request, pem, ret_until, err);
	if (code < 0)
		return code;
	code = tw_tokens_spend(&enroll->tokens, row);
	if (code == -ENOENT)
		return refuse_token(err);
	return code < 0 ? tw_err_set(
				  err, code, "token", NULL, "cannot spend it: %s", strerror(-code))
			: 0;
}

static int renew(struct tw_enroll *enroll, const struct tw_stream *stream,
	const Tapwall__V1__RenewRequest *body, struct tw_buf *pem, time_t *ret_until,
	struct tw_err *err)
{
	tw_revoked_look(enroll->revoked);
	if (tw_revoked_has(enroll->revoked, stream->peer, stream->peer_from))
		return tw_err_set(err, -EACCES, stream->peer, NULL, "was revoked");
	return sign(enroll, stream->peer, TW_IDENTITY_AGENT, &body->request, pem, ret_until, err);
}

int tw_enroll_answer(struct tw_enroll *enroll, const struct tw_stream *stream,
	const Tapwall__V1__Request *request, struct tw_buf *out, time_t *ret_until)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Issued issued = TAPWALL__V1__ISSUED__INIT;
	bool enrolls = request->body_case == TAPWALL__V1__REQUEST__BODY_ENROLL;
	tw_auto_buf struct tw_buf pem = {0};
	char name[TW_STREAM_PEER_MAX] = "";
	struct tw_err err = {0};
	time_t until = 0;
	int code;

	strcpy(name, stream->peer);
	code = enrolls ? enroll_host(enroll, request->enroll, &pem, name, &until, &err)
		       : renew(enroll, stream, request->renew, &pem, &until, &err);
	*ret_until = code ? 0 : until;
	if (code < 0) {
		tw_log(TW_LOG_WARNING, "%s: no certificate for %s: %s: %s", stream->where,
			name[0] ? name : "a host", err.place, err.text);
		return tw_reply_error(out, request->id, &response, &err);
	}
	tw_log(TW_LOG_INFO, "%s: %s from %s, certificate valid for %lld days", name,
		enrolls ? "enrolled" : "renewed", stream->where,
		(long long)(until - time(NULL)) / 86400);
	issued.certificate.data = (uint8_t *)pem.data;
	issued.certificate.len = pem.len;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_ISSUED;
	response.issued = &issued;
	return tw_reply_send(out, request->id, &response, true);
}
