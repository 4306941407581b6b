/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* print.h: prints one named thing of a policy, for printing and comparing policies. No newline. */
#pragma once

#include "policy/model.h"

void tw_print_network(const struct tw_policy *policy, size_t index, struct tw_buf *out);
void tw_print_service(const struct tw_policy *policy, size_t index, struct tw_buf *out);
void tw_print_workload(const struct tw_policy *policy, size_t index, struct tw_buf *out);
void tw_print_group(const struct tw_policy *policy, size_t index, struct tw_buf *out);
void tw_print_options(const struct tw_policy *policy, struct tw_buf *out);
