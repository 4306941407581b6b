/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* read.h: converts the tree of a policy text to the policy as written; shared by read*.c. */
#pragma once

#include "policy/reader.h"

/* Read one section each, given the value of its key in the top mapping. */
void tw_read_services(struct tw_reader *r, const struct tw_node *map);
void tw_read_workloads(struct tw_reader *r, const struct tw_node *map);
void tw_read_groups(struct tw_reader *r, const struct tw_node *map);
/* Reads a list of rules, the first of which has the given number. */
void tw_read_rules(struct tw_reader *r, const struct tw_node *list, size_t number);
void tw_read_options(struct tw_reader *r, const struct tw_node *map);
/* Reads one service, literal or object, and appends it to r->parts. */
void tw_read_service_part(struct tw_reader *r, const struct tw_node *node);
/* Reads the tag expression of a group. Returns NULL after an error. */
const struct tw_tag_expr *tw_read_tags(struct tw_reader *r, const struct tw_node *node);
