/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* mac.h: MAC addresses as bytes, text and numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* False if all bytes are zero. */
static inline bool tw_mac_is_set(const uint8_t mac[6])
{
	return mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5];
}

/* Returns the last five bytes as a number. */
static inline uint64_t tw_mac_tail(const uint8_t mac[6])
{
	uint64_t tail = 0;

	for (int i = 1; i < 6; i++)
		tail = tail << 8 | mac[i];
	return tail;
}

#define TW_MAC_TEXT 18 /* including the NUL */

/* Writes "52:54:00:…" to `text` and returns it. */
const char *tw_mac_format(const uint8_t mac[6], char text[TW_MAC_TEXT]);
