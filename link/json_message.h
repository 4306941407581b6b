/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* json_message.h: converts messages of link.proto to the JSON that `tapwall VERB --json` prints.
 *
 * The caller owns the result, which is NULL if memory runs out.
 * Callers:    cli/; one thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "link/link.h"

json_t *tw_json_names(char *const *names, size_t n);

json_t *tw_json_status(const Tapwall__V1__Status *status);
json_t *tw_json_applied(const Tapwall__V1__Applied *applied, bool dry_run, bool refused);
json_t *tw_json_features(const Tapwall__V1__Version *version);

/* One row of a list. */
json_t *tw_json_port(const Tapwall__V1__Port *port);
json_t *tw_json_workload(const Tapwall__V1__Workload *workload);
json_t *tw_json_group(const Tapwall__V1__Group *group);
json_t *tw_json_rule(const Tapwall__V1__Rule *rule);
json_t *tw_json_question(const Tapwall__V1__Question *q);
json_t *tw_json_counter(const Tapwall__V1__Counter *counter);
json_t *tw_json_agent(const Tapwall__V1__Agent *agent);
json_t *tw_json_quarantine_target(const Tapwall__V1__QuarantineTarget *t);
json_t *tw_json_quarantine(const Tapwall__V1__Quarantine *q);
json_t *tw_json_policy_version(const Tapwall__V1__PolicyVersion *v);
json_t *tw_json_policy_target(const Tapwall__V1__PolicyTarget *t);
json_t *tw_json_log_entry(const Tapwall__V1__LogEntry *entry);
json_t *tw_json_history_row(const Tapwall__V1__HistoryRow *row);
json_t *tw_json_history_total(const Tapwall__V1__HistoryTotal *total);
json_t *tw_json_history_use(const Tapwall__V1__HistoryUse *use);
json_t *tw_json_history_source(const Tapwall__V1__HistorySource *source);
json_t *tw_json_history_state(const Tapwall__V1__HistoryState *state);

/* Returns the body of a response if it is the complete JSON of its verb: a status, or a row of a
 * list. NULL for every other body, and if memory runs out. */
json_t *tw_json_response(const Tapwall__V1__Response *response);
