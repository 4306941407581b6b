/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* metrics.h: the figures of tapwall-slowd for Prometheus. */
#pragma once

#include "base/buf.h"

/* Adds all figures; `context` is a struct tw_slow. This is `write` of struct tw_metrics_options. Returns 0
 * or -ENOMEM. */
int tw_slow_metrics(void *context, struct tw_buf *out);
