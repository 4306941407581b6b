/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/series.h"

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

double tw_bench_series_quantile(struct tw_bench_series *series, double q)
{
	double place = q * (double)(series->n - (series->n > 0));
	size_t below = (size_t)place;
	double part = place - (double)below;

	if (!series->n)
		return 0;
	qsort(series->at, series->n, sizeof(*series->at), by_value);
	if (part <= 0)
		return series->at[below];
	return series->at[below] + part * (series->at[below + 1] - series->at[below]);
}

void tw_bench_series_done(struct tw_bench_series *series)
{
	free(series->at);
	*series = (struct tw_bench_series){0};
}
