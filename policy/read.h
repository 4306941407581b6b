/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* read.h: from the tree of a policy text to the policy as written; shared by read*.c. */
#pragma once

#include "policy/reader.h"

/* Sections; each takes the value of its key in the top mapping. */
void tw_read_services(struct tw_reader *r, const struct tw_node *map);
void tw_read_workloads(struct tw_reader *r, const struct tw_node *map);
void tw_read_groups(struct tw_reader *r, const struct tw_node *map);
/* The first of them has this number. */
void tw_read_rules(struct tw_reader *r, const struct tw_node *list, size_t number);
void tw_read_options(struct tw_reader *r, const struct tw_node *map);
/* One service, literal or object, onto r->parts. */
void tw_read_service_part(struct tw_reader *r, const struct tw_node *node);
/* The tag expression of a group. NULL after a complaint. */
const struct tw_tag_expr *tw_read_tags(struct tw_reader *r, const struct tw_node *node);
