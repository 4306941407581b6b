/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* series.h: repeated measurements of one figure. */
#pragma once

#include <stddef.h>

struct tw_bench_series {
	double *at;
	size_t n;
	size_t max;
};

int tw_bench_series_add(struct tw_bench_series *series, double value); /* 0 or -ENOMEM */
/* Returns the quantile `q` (0 … 1), interpolated between two values. Sorts the series. 0 if it is
 * empty. */
double tw_bench_series_quantile(struct tw_bench_series *series, double q);
void tw_bench_series_done(struct tw_bench_series *series);
