/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/abi/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const char *const reason_names[] = {
#define TW_REASON(symbol, name, stage, text) [TW_R_##symbol] = name,
#include "fastpath/abi/reasons.def"
#undef TW_REASON
};
static const char *const reason_texts[] = {
#define TW_REASON(symbol, name, stage, text) [TW_R_##symbol] = text,
#include "fastpath/abi/reasons.def"
#undef TW_REASON
};
static const enum tw_stage reason_stages[] = {
#define TW_REASON(symbol, name, stage, text) [TW_R_##symbol] = TW_STAGE_##stage,
#include "fastpath/abi/reasons.def"
#undef TW_REASON
};
static const char *const stage_names[] = {
#define TW_STAGE(symbol, name, text) [TW_STAGE_##symbol] = name,
#include "fastpath/abi/stages.def"
#undef TW_STAGE
};
static const char *const stage_texts[] = {
#define TW_STAGE(symbol, name, text) [TW_STAGE_##symbol] = text,
#include "fastpath/abi/stages.def"
#undef TW_STAGE
};
static const char *const state_names[] = {
#define TW_STATE(symbol, name, seconds) [TW_S_##symbol] = name,
#include "fastpath/abi/states.def"
#undef TW_STATE
};
static const unsigned int state_seconds[] = {
#define TW_STATE(symbol, name, seconds) [TW_S_##symbol] = seconds,
#include "fastpath/abi/states.def"
#undef TW_STATE
};
static const char *const app_names[] = {
#define TW_APP(symbol, name, about) [TW_APP_##symbol] = (name),
#define TW_APP_BYTES(...)
#define TW_APP_TEXT(...)
#define TW_APP_WORD(...)
#include "fastpath/path/app/apps.def"
#undef TW_APP
#undef TW_APP_BYTES
#undef TW_APP_TEXT
#undef TW_APP_WORD
};
static const char *const verdict_names[] = {
	[TW_V_NONE] = "none",
	[TW_V_ALLOW] = "allow",
	[TW_V_DENY] = "deny",
	[TW_V_REJECT] = "reject",
	[TW_V_ASK] = "ask",
	[TW_V_WOULD_DENY] = "would-deny",
};
static const char *const dir_names[] = {[TW_DIR_OUT] = "out", [TW_DIR_IN] = "in"};

#define N_ITEMS(array) (sizeof(array) / sizeof((array)[0]))
_Static_assert(N_ITEMS(reason_names) == TW_R__MAX, "every reason has a name");
_Static_assert(N_ITEMS(stage_names) == TW_STAGE__MAX, "every stage has a name");
_Static_assert(N_ITEMS(state_names) == TW_S__MAX, "every state has a name");
_Static_assert(N_ITEMS(app_names) == TW_APP__MAX, "every application has a name");
_Static_assert(N_ITEMS(verdict_names) == TW_V__MAX, "every verdict has a name");
_Static_assert(N_ITEMS(dir_names) == TW_DIR__MAX, "every direction has a name");

#define PICK(array, i, otherwise) ((i) < N_ITEMS(array) ? (array)[i] : (otherwise))

const char *tw_reason_name(unsigned int reason)
{
	return PICK(reason_names, reason, "?");
}

const char *tw_reason_text(unsigned int reason)
{
	return PICK(reason_texts, reason, "?");
}

enum tw_stage tw_reason_stage(unsigned int reason)
{
	return PICK(reason_stages, reason, TW_STAGE_PARSE);
}

const char *tw_stage_name(unsigned int stage)
{
	return PICK(stage_names, stage, "?");
}

const char *tw_stage_text(unsigned int stage)
{
	return PICK(stage_texts, stage, "?");
}

const char *tw_state_name(unsigned int state)
{
	return PICK(state_names, state, "?");
}

unsigned int tw_state_seconds(unsigned int state)
{
	return PICK(state_seconds, state, 0);
}

void tw_state_timeouts(struct tw_config *config)
{
	for (unsigned int state = 0; state < TW_S__MAX; state++)
		config->timeout[state] = tw_state_seconds(state) * TW_TICKS_PER_SECOND;
}

const char *tw_verdict_name(unsigned int verdict)
{
	return PICK(verdict_names, verdict, "?");
}

const char *tw_app_name(unsigned int app)
{
	return app < N_ITEMS(app_names) ? app_names[app] : NULL;
}

const char *tw_dir_name(unsigned int dir)
{
	return PICK(dir_names, dir, "?");
}

static int find(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	return -ENOENT;
}

int tw_reason_from_name(const char *name)
{
	return find(reason_names, N_ITEMS(reason_names), name);
}

int tw_verdict_from_name(const char *name)
{
	return find(verdict_names, N_ITEMS(verdict_names), name);
}

/* Formats an IPv4 address. inet_ntop() uses sprintf(), which would take most of the time of
 * describing an event. */
static void format_ipv4(const __u8 bytes[4], char *text)
{
	for (int i = 0; i < 4; i++) {
		unsigned int byte = bytes[i];

		if (byte >= 100)
			*text++ = (char)('0' + byte / 100);
		if (byte >= 10)
			*text++ = (char)('0' + byte / 10 % 10);
		*text++ = (char)('0' + byte % 10);
		*text++ = i < 3 ? '.' : '\0';
	}
}

const char *tw_addr_format(const struct tw_addr *addr, char *text)
{
	if (addr->w[0] == 0 && addr->w[1] == 0 && addr->w[2] == htonl(0xffff))
		format_ipv4(&addr->b[12], text);
	else
		inet_ntop(AF_INET6, addr, text, INET6_ADDRSTRLEN);
	return text;
}

int tw_addr_parse(const char *text, struct tw_addr *ret)
{
	struct tw_addr addr = {.w = {[2] = htonl(0xffff)}};

	if (inet_pton(AF_INET, text, &addr.w[3]) != 1 && inet_pton(AF_INET6, text, &addr) != 1)
		return -EINVAL;
	*ret = addr;
	return 0;
}

struct tw_tcp_flags tw_tcp_flags_text(uint32_t flags)
{
	static const char letters[] = "FSRPAUEC";
	struct tw_tcp_flags ret = {{0}};
	size_t n = 0;

	for (int i = 0; i < 8; i++)
		if (flags >> i & 1)
			ret.text[n++] = letters[i];
	return ret;
}
