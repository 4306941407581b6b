/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* app.h: applications, as decisions and records of looked-at connections have them.
 *
 * Callers:    types.h includes it.
 */
#pragma once

#include <linux/types.h>

#include "fastpath/abi/decision.h"

enum tw_app {
	TW_APP_NONE,
#define TW_APP(symbol, name, about) TW_APP_##symbol,
#define TW_APP_BYTES(...)
#define TW_APP_TEXT(...)
#define TW_APP_WORD(...)
#include "fastpath/path/app/apps.def"
#undef TW_APP
#undef TW_APP_BYTES
#undef TW_APP_TEXT
#undef TW_APP_WORD
	TW_APP__MAX
};

_Static_assert(TW_APP__MAX <= 64, "a set of applications has 64 bits");
_Static_assert(TW_APP__MAX <= TW_DECISION_APP_BEGUN, "a decision holds every application");

/* What the payloads of a connection say of its application (path/app/app.h). All zeros at its start.
 * The directions, called ways, are 0 and 1. */
struct tw_app_state {
	__u64 client[2]; /* sets: applications whose client may have sent this way's bytes */
	__u64 server[2]; /* sets: applications whose server may have sent them */
	__u8 app;	 /* enum tw_app */
	__u8 looks;	 /* payloads looked at */
	__u8 done;
	__u8 pad[5];
};

/* A connection that is looked at for its application (path/app/look.h). */
struct tw_look {
	__u64 who;    /* hash and ports of the connection; 0: free */
	__u32 locked; /* 1 while a CPU uses it */
	__u32 seen;   /* tick of the last payload */
	struct tw_app_state state;
	__u32 base[2];	  /* TCP: sequence number of each way's first byte */
	__u32 have[2];	  /* TCP: bytes known from there on */
	__u32 began[2];	  /* 1: the way's `base` is known */
	__u64 head[2][8]; /* TCP: the first of these bytes, in host order, the first one highest */
};

#define TW_LOOK_SHARE 64		    /* entries among which those of a port are */
#define TW_LOOKS_MAX  (256 * TW_LOOK_SHARE) /* ports whose ids differ by 256 share theirs */
#define TW_LOOK_TRIES 4			    /* entries in which a connection may be */
#define TW_LOOK_IDLE  (30 * 954)	    /* ticks, 30 s; then another connection may take it */
