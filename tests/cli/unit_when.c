/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of points in time as people write them. */
#include <stdlib.h>
#include <time.h>

#include "cli/when.h"
#include "tests/unit/test.h"

#define NOW_US 1769864706500000u /* 2026-01-31 13:05:06.5 UTC, 14:05:06.5 in the zone of the test */

static void test_good(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} cases[] = {
		{"now", NOW_US},
		{"today", 1769814000000000},
		{"yesterday", 1769727600000000},
		{"90s", NOW_US - 90000000},
		{"10m", NOW_US - 600000000},
		{"2h", NOW_US - 7200000000},
		{"5d", NOW_US - 432000000000},
		{"3w", NOW_US - 1814400000000},
		{"999999999w", 0},
		{"@1769864706.25", 1769864706250000},
		{"14:05", 1769864700000000},
		{"14:05:06", 1769864706000000},
		{"2026-01-31", 1769814000000000},
		{"2026-01-31 14:05", 1769864700000000},
		{"2026-01-31T14:05:06.125", 1769864706125000},
		{"2026-01-31T13:05:06Z", 1769864706000000},
		{"2026-01-31Z", 1769817600000000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t us = 1;

		if (tw_when_read(cases[i].text, NOW_US, &us) || us != cases[i].us)
			fail_msg("%s: %llu", cases[i].text, (unsigned long long)us);
	}
}

static void test_bad(void **state)
{
	static const char *const texts[] = {"", " ", "h", "2", "2x", "2hh", "-2h", "@", "@x", "@1x",
		"@-1", "@1e300", "25:00", "14:60", "14", "14:", "14:05:", "14:05:06.", "14:05x",
		"14:05Z", "2026-", "2026-01", "2026-13-01", "2026-00-01", "2026-01-32",
		"2026-01-31x", "2026-01-31 14", "2026-01-31 14:05:06+01", "tomorrow", "-", "Z"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint64_t us = 1;

		if (!tw_when_read(texts[i], NOW_US, &us))
			fail_msg("'%s' was accepted", texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	setenv("TZ", "TST-1", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
