/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/mac.h"

#include <stdio.h>

const char *tw_mac_format(const uint8_t mac[6], char text[TW_MAC_TEXT])
{
	snprintf(text, TW_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
	return text;
}
