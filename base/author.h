/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* author.h: names the user at the other end of a Unix socket. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Writes the name that /etc/passwd has for a uid, or `uid N`. Other sources of users, such as
 * LDAP, are not asked, because their servers may not answer. */
void tw_author_name(uint32_t uid, char *ret, size_t max);
