/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* text.h: the small notations of a policy: names, addresses, ports, times; read and written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "policy/policy.h"
#include "policy/set.h"

#define TW_PREFIX_TEXT_MAX 64

/* True if the text is a name: letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`,
 * at most TW_NAME_MAX. A tag may also contain `:`, `/`, `=`, `@` and `+`. */
bool tw_text_is_name(const char *text);
bool tw_text_is_tag(const char *text);
bool tw_text_is_tag_char(char c);

/* Parses an address or CIDR. Returns 0, with *ret_host_bits true if bits beyond the prefix were
 * set (they are cleared); -EINVAL: neither; -ERANGE: prefix length too large; -EAFNOSUPPORT:
 * IPv4-mapped IPv6. Outputs are untouched on failure. */
int tw_text_prefix(const char *text, struct tw_prefix *ret, bool *ret_host_bits);
/* Parses `FIRST-LAST`, two addresses of one family. Returns 0; -ENOENT: not two addresses; -ERANGE:
 * of different families, or LAST before FIRST. Outputs are untouched on failure. */
int tw_text_addresses(const char *text, tw_u128 *ret_first, tw_u128 *ret_last);
/* Parses an IPv4 netmask, such as 255.255.0.0. Returns its prefix length, 0 to 32, or -EINVAL. */
int tw_text_netmask(const char *text);
/* Returns the largest prefix that begins at `first` and does not go beyond `last`. */
struct tw_prefix tw_prefix_within(tw_u128 first, tw_u128 last);
/* Writes to `text` of TW_PREFIX_TEXT_MAX bytes and returns it. */
const char *tw_prefix_format(const struct tw_prefix *prefix, char *text);

int tw_text_mac(const char *text, uint8_t ret[6]); /* returns 0 or -EINVAL */
void tw_text_mac_print(const uint8_t mac[6], struct tw_buf *out);
/* Parses a decimal number up to `max`, without sign. Returns 0, -EINVAL or -ERANGE. */
int tw_text_number(const char *text, uint32_t max, uint32_t *ret);
/* Parses `N` or `N-M`. Returns 0, -EINVAL, or -ERANGE, also if M < N. */
int tw_text_range(const char *text, uint32_t max, uint32_t *ret_lo, uint32_t *ret_hi);
/* Parses a number and s, m, h or d; without a unit, seconds. Returns 0, -EINVAL or -ERANGE. */
int tw_text_seconds(const char *text, uint32_t max, uint32_t *ret);
void tw_text_seconds_print(uint32_t seconds, struct tw_buf *out);

/* True if the lines of this text end only in newlines and in no other line end of YAML. */
bool tw_text_has_plain_lines(const char *text, size_t len);

/* True if the pattern, with * and ?, matches the whole text. Takes at most |pattern| * |text|
 * steps. */
bool tw_text_glob(const char *pattern, const char *text);

/* Prints a YAML scalar: plain if every reader reads it as this text, otherwise in double quotes. */
void tw_text_yaml_print(const char *text, struct tw_buf *out);
