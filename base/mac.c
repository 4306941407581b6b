/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/mac.h"

/* Does not use snprintf(), which takes ten times as long: a followed log has two MACs in each
 * event. */
const char *tw_mac_format(const uint8_t mac[6], char text[TW_MAC_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	char *at = text;

	for (int i = 0; i < 6; i++) {
		*at++ = digits[mac[i] >> 4];
		*at++ = digits[mac[i] & 15];
		*at++ = i < 5 ? ':' : '\0';
	}
	return text;
}
