/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/when.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clean.h"
#include "base/clock.h"
#include "cli/report.h"

#define US_PER_S    1000000u
#define SECONDS_MAX 253402300800.0 /* end of the year 9999 */

static int set_seconds(double seconds, uint64_t *ret_us)
{
	if (!(seconds >= 0 && seconds < SECONDS_MAX))
		return -EINVAL;
	*ret_us = (uint64_t)llround(seconds * US_PER_S);
	return 0;
}

/* Reads digits, at most `max`. Moves `*at` past them. */
static bool read_digits(const char **at, int max, int *ret)
{
	int n = 0, value = 0;

	while (n < max && (*at)[n] >= '0' && (*at)[n] <= '9')
		value = value * 10 + (*at)[n++] - '0';
	*at += n;
	*ret = value;
	return n > 0;
}

/* Reads a decimal fraction, with its point, if there is one. */
static bool read_fraction(const char **at, double *ret)
{
	double digit = 0.1;

	*ret = 0;
	if (**at != '.')
		return true;
	for (++*at; **at >= '0' && **at <= '9'; ++*at, digit /= 10)
		*ret += (**at - '0') * digit;
	return (*at)[-1] != '.';
}

static int read_ago(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	static const struct {
		char unit;
		double seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || !end[0] || end[1])
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == *end) {
			double seconds = (double)now_us / US_PER_S - (double)n * units[i].seconds;

			return set_seconds(seconds > 0 ? seconds : 0, ret_us);
		}
	return -EINVAL;
}

/* Reads 14:05[:06[.5]]. */
static bool read_clock(const char **at, struct tm *tm, double *ret_fraction)
{
	*ret_fraction = 0;
	if (!read_digits(at, 2, &tm->tm_hour) || **at != ':')
		return false;
	++*at;
	if (!read_digits(at, 2, &tm->tm_min))
		return false;
	if (**at == ':') {
		++*at;
		if (!read_digits(at, 2, &tm->tm_sec) || !read_fraction(at, ret_fraction))
			return false;
	}
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61;
}

/* Reads 2026-01-31. */
static bool read_date(const char **at, struct tm *tm)
{
	if (!read_digits(at, 4, &tm->tm_year) || *(*at)++ != '-' ||
		!read_digits(at, 2, &tm->tm_mon) || *(*at)++ != '-' ||
		!read_digits(at, 2, &tm->tm_mday))
		return false;
	if (tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 || tm->tm_mday > 31)
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return true;
}

/* Returns midnight, local time, of the day `back` days before today. */
static struct tm midnight(uint64_t now_us, int back)
{
	time_t now = (time_t)(now_us / US_PER_S);
	struct tm tm = {0};

	localtime_r(&now, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_mday -= back;
	tm.tm_isdst = -1;
	return tm;
}

static int read_calendar(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	bool dated = strchr(text, '-') != NULL, utc = false;
	struct tm tm = midnight(now_us, 0);
	const char *at = text;
	double fraction = 0;
	time_t time;

	if (dated && !read_date(&at, &tm))
		return -EINVAL;
	if (dated && (*at == ' ' || *at == 'T'))
		at++;
	else if (dated && *at && *at != 'Z')
		return -EINVAL;
	if (*at && *at != 'Z' && !read_clock(&at, &tm, &fraction))
		return -EINVAL;
	if (dated && *at == 'Z') {
		utc = true;
		at++;
	}
	if (*at || at == text)
		return -EINVAL;
	time = utc ? timegm(&tm) : mktime(&tm);
	return set_seconds((double)time + fraction, ret_us);
}

int tw_when_read(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	struct tm tm;

	if (!strcmp(text, "now")) {
		*ret_us = now_us;
		return 0;
	}
	if (!strcmp(text, "today") || !strcmp(text, "yesterday")) {
		tm = midnight(now_us, text[0] == 'y');
		return set_seconds((double)mktime(&tm), ret_us);
	}
	if (text[0] == '@') {
		char *end;
		double seconds = strtod(text + 1, &end);

		return end == text + 1 || *end ? -EINVAL : set_seconds(seconds, ret_us);
	}
	return read_ago(text, now_us, ret_us) ? read_calendar(text, now_us, ret_us) : 0;
}

int tw_when_option(const char *option, const char *text, uint64_t *ret_us)
{
	if (!text || !tw_when_read(text, tw_clock_unix_ns(tw_clock_ns()) / 1000, ret_us))
		return TW_EXIT_OK;
	return tw_report_error(TW_EXIT_USAGE, option,
		"write 2h (ago), 14:05, yesterday, \"2026-01-31 14:05\" or @UNIX-SECONDS",
		"'%s' is not valid", tw_cleaned(text).text);
}
