/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* terms.h: translates tapwall's reasons and states into the codes of IPFIX.
 *
 * In:         texts from agents, which are not trusted. A word that this version does not know gets the
 *             general code.
 * Callers:    ipfix.c; any thread.
 * Source:     RFC 5102 §5.11.3 (flowEndReason), RFC 7270 §4.12 (forwardingStatus).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "link/event_row.h"

/* Returns forwardingStatus. A rule's reject is "ACL deny" (129), its deny "ACL drop" (130). A connection, or
 * a frame with the verdict would-deny, is "forwarded" (64). */
uint8_t tw_terms_forwarding(const struct tw_event_row *row, const char *reason);
/* Returns flowEndReason: idle timeout (1), end of flow detected (3) or forced end (4). */
uint8_t tw_terms_end(const char *reason, const char *state);
