/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

int tw_bench_series_add(struct tw_bench_series *series, double value)
{
	if (series->n == series->max) {
		size_t max = series->max ? 2 * series->max : 64;
		double *at = tw_realloc(series->at, max * sizeof(*at));

		if (!at)
			return -ENOMEM;
		series->at = at;
		series->max = max;
	}
	series->at[series->n++] = value;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double tw_bench_series_median(struct tw_bench_series *series)
{
	size_t half = series->n / 2;

	if (!series->n)
		return 0;
	qsort(series->at, series->n, sizeof(*series->at), by_value);
	return series->n % 2 ? series->at[half] : (series->at[half - 1] + series->at[half]) / 2;
}

void tw_bench_series_done(struct tw_bench_series *series)
{
	free(series->at);
	*series = (struct tw_bench_series){0};
}
