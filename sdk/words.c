/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* words.c: errors and names, between the link and tapwall.h. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clean.h"
#include "fastpath/abi/names.h"
#include "link/event_row.h"
#include "sdk/sdk.h"

_Static_assert((int)TAPWALL_ALLOW == TW_V_ALLOW && (int)TAPWALL_DENY == TW_V_DENY &&
		       (int)TAPWALL_REJECT == TW_V_REJECT && (int)TAPWALL_ASK == TW_V_ASK &&
		       (int)TAPWALL_WOULD_DENY == TW_V_WOULD_DENY,
	"verdicts have the link's numbers");
_Static_assert((int)TAPWALL_OUT == TW_DIR_OUT && (int)TAPWALL_IN == TW_DIR_IN,
	"directions have the link's numbers");
_Static_assert((int)TAPWALL_OPEN == TW_EVENT_ROW_OPEN && (int)TAPWALL_CLOSE == TW_EVENT_ROW_CLOSE &&
		       (int)TAPWALL_DENIAL == TW_EVENT_ROW_DENY &&
		       (int)TAPWALL_LIVE == TW_EVENT_ROW_LIVE,
	"kinds have the link's numbers");
_Static_assert(sizeof(struct tapwall_error) == 1028, "part of the ABI");

/* ---- errors ---- */

void tw_sdk_set_error(struct tapwall_error *error, int code, const char *place, const char *hint,
	const char *text)
{
	if (!error)
		return;
	error->code = code;
	snprintf(error->place, sizeof(error->place), "%s", place ? place : "");
	snprintf(error->text, sizeof(error->text), "%s", text);
	snprintf(error->hint, sizeof(error->hint), "%s", hint ? hint : "");
}

const char *tapwall_error_text(const struct tapwall_error *error, char *text, size_t max)
{
	snprintf(text, max, "%s%s%s%s%s", error->place, error->place[0] ? ": " : "", error->text,
		error->hint[0] ? "; " : "", error->hint);
	if (max)
		tw_clean(text, strlen(text));
	return text;
}

/* ---- names ---- */

const char *tapwall_verdict_name(enum tapwall_verdict verdict)
{
	return verdict == TAPWALL_NO_VERDICT ? "?" : tw_verdict_name(verdict);
}

const char *tapwall_direction_name(enum tapwall_direction direction)
{
	return tw_dir_name(direction);
}

const char *tapwall_kind_name(enum tapwall_kind kind)
{
	switch (kind) {
	case TAPWALL_OPEN:
		return "open";
	case TAPWALL_CLOSE:
		return "close";
	case TAPWALL_DENIAL:
		return "deny";
	case TAPWALL_LIVE:
		return "live";
	default:
		return "?";
	}
}

enum tapwall_verdict tw_sdk_verdict(const char *name)
{
	int verdict = tw_verdict_from_name(name);

	return verdict < 0 ? TAPWALL_NO_VERDICT : (enum tapwall_verdict)verdict;
}

const char *tw_sdk_text(const char *text)
{
	return text ? text : "";
}

char *tw_sdk_borrow(const char *text)
{
	return (char *)(uintptr_t)tw_sdk_text(text);
}

/* ---- parts of messages ---- */

static const char *const scopes[] = {"connection", "pair", "policy"};

int tw_sdk_answer(enum tapwall_verdict verdict, enum tapwall_scope scope, double ttl_s,
	Tapwall__V1__Answer *ret, struct tapwall_error *error)
{
	if (verdict != TAPWALL_ALLOW && verdict != TAPWALL_DENY)
		return tw_sdk_error(
			error, -EINVAL, "verdict", "allow or deny", "this verdict is no answer");
	if ((unsigned int)scope >= sizeof(scopes) / sizeof(scopes[0]))
		return tw_sdk_error(error, -EINVAL, "scope", "choose one of enum tapwall_scope",
			"there is no such scope");
	/* The negated comparison also refuses NaN. */
	if (!(ttl_s >= 0))
		return tw_sdk_error(error, -EINVAL, "ttl_s", "use 0 for the default",
			"the time to live is negative");
	ret->verdict = tw_sdk_borrow(tapwall_verdict_name(verdict));
	ret->scope = tw_sdk_borrow(scopes[scope]);
	ret->ttl_s = ttl_s;
	return 0;
}

void tw_sdk_end(const Tapwall__V1__End *end, struct tapwall_end *ret)
{
	*ret = (struct tapwall_end){.address = end ? end->address : "",
		.workload = end ? end->workload : "",
		.port = end ? (uint16_t)end->port : 0};
}

void tw_sdk_gate(const Tapwall__V1__Gate *gate, struct tapwall_gate *ret)
{
	*ret = (struct tapwall_gate){
		.verdict = gate ? tw_sdk_verdict(gate->verdict) : TAPWALL_NO_VERDICT,
		.rule = gate ? gate->rule : ""};
}
