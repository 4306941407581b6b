/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* frames.h: random sequences of frames between a few ports: ordinary sessions, and attacks on them.
 *
 * The same seed gives the same frames.
 */
#pragma once

#include "base/buf.h"
#include "tests/diff/random.h"
#include "tests/diff/sequence.h"

/* Fills an empty sequence with about `n` frames; `text` holds the policies' text. 0 or -ENOMEM. */
int tw_frames_make(
	uint64_t seed, size_t n, struct tw_buf text[TW_SEQ_POLICIES_MAX], struct tw_seq *ret);
