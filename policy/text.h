/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* text.h: the small notations of a policy: names, addresses, ports, times; read and written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "policy/policy.h"

#define TW_PREFIX_TEXT_MAX 64

/* Letters, digits, `_`, `.`, `-`, of which the first is no `.` or `-`; at most TW_NAME_MAX. A tag
 * may hold `:`, `/`, `=`, `@` and `+` too. */
bool tw_text_is_name(const char *text);
bool tw_text_is_tag(const char *text);
bool tw_text_is_tag_char(char c);

/* An address or CIDR. 0, with *ret_host_bits telling whether bits beyond the prefix were set (they
 * are cleared); -EINVAL: neither; -ERANGE: prefix length too large; -EAFNOSUPPORT: IPv4 in the
 * dress of IPv6. Outputs untouched on failure. */
int tw_text_prefix(const char *text, struct tw_prefix *ret, bool *ret_host_bits);
/* TW_PREFIX_TEXT_MAX bytes of room; returns `text`. */
const char *tw_prefix_format(const struct tw_prefix *prefix, char *text);

int tw_text_mac(const char *text, uint8_t ret[6]); /* 0 or -EINVAL */
void tw_mac_print(const uint8_t mac[6], struct tw_buf *out);
/* A decimal number up to `max`, without sign. 0; -EINVAL; -ERANGE. */
int tw_text_number(const char *text, uint32_t max, uint32_t *ret);
/* `N` or `N-M`. 0; -EINVAL; -ERANGE also when M < N. */
int tw_text_range(const char *text, uint32_t max, uint32_t *ret_lo, uint32_t *ret_hi);
/* A number and s, m, h or d; a bare number is seconds. 0; -EINVAL; -ERANGE. */
int tw_text_seconds(const char *text, uint32_t max, uint32_t *ret);
void tw_seconds_print(uint32_t seconds, struct tw_buf *out);

/* Whether lines of this text end in newlines and in nothing else that YAML takes for the end of one. */
bool tw_text_has_plain_lines(const char *text, size_t len);

/* Does the pattern, with * and ?, fit the whole text? Takes at most |pattern| * |text| steps. */
bool tw_text_glob(const char *pattern, const char *text);

/* A YAML scalar: plain where every reader takes it for this text, else in double quotes. */
void tw_yaml_print(const char *text, struct tw_buf *out);
