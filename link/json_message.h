/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* json_message.h: messages of link.proto as JSON, as `tapwall VERB --json` and the API show them.
 *
 * The caller owns what is returned. NULL: there is no memory.
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
json_t *tw_json_counter(const Tapwall__V1__Counter *counter);
json_t *tw_json_log_entry(const Tapwall__V1__LogEntry *entry);

/* The body of a response, where that alone is the JSON of its verb: a status, or a row of a list. NULL also for
 * every other body. */
json_t *tw_json_response(const Tapwall__V1__Response *response);
