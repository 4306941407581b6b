/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/human.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

struct tw_short tw_human_bytes(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	struct tw_short ret;
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(ret.text, sizeof(ret.text), "%.*f %s", unit && value < 9.95 ? 1 : 0, value,
		units[unit]);
	return ret;
}

struct tw_short tw_human_rate(double rate)
{
	static const char *const units[] = {"", "k", "M", "G", "T"};
	struct tw_short ret = {"0"};
	size_t unit = 0;

	if (!(rate > 0))
		return ret;
	while (rate >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		rate /= 1000;
		unit++;
	}
	snprintf(ret.text, sizeof(ret.text), "%.*f%s", rate < 9.95 ? 1 : 0, rate, units[unit]);
	return ret;
}

struct tw_short tw_human_count(uint64_t count)
{
	struct tw_short ret = {{0}};
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			ret.text[at++] = ',';
		ret.text[at++] = digits[i];
	}
	return ret;
}

struct tw_short tw_human_span(double seconds)
{
	struct tw_short ret;
	unsigned long long s;

	if (!(seconds >= 0))
		snprintf(ret.text, sizeof(ret.text), "never");
	else if (seconds < 9.95)
		snprintf(ret.text, sizeof(ret.text), "%.1fs", seconds);
	else if (seconds >= 1e15)
		snprintf(ret.text, sizeof(ret.text), "ages");
	else if ((s = (unsigned long long)(seconds + 0.5)) < 60)
		snprintf(ret.text, sizeof(ret.text), "%llus", s);
	else if (s < 3600)
		snprintf(ret.text, sizeof(ret.text), "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(ret.text, sizeof(ret.text), "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(ret.text, sizeof(ret.text), "%llud%02lluh", s / 86400, s / 3600 % 24);
	return ret;
}

struct tw_short tw_human_time(double unix_time)
{
	double whole = floor(unix_time);
	int ms = (int)((unix_time - whole) * 1000);
	struct tw_short ret = {"?"};
	struct tm tm;
	time_t t;
	size_t n;

	/* End of the year 9999, the last one with four digits; well inside time_t. */
	if (!(unix_time >= 0 && unix_time < 253402300800.0))
		return ret;
	t = (time_t)whole;
	if (!localtime_r(&t, &tm))
		return ret;
	n = strftime(ret.text, sizeof(ret.text), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(ret.text + n, sizeof(ret.text) - n, ".%03d", ms);
	return ret;
}

struct tw_short tw_human_ms(double milliseconds)
{
	struct tw_short ret;
	int digits = milliseconds < 0.995 ? 2 : milliseconds < 99.5 ? 1 : 0;

	snprintf(ret.text, sizeof(ret.text), "%.*f ms", digits, milliseconds);
	return ret;
}
