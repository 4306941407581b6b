/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/both.h"

int tw_target_both(
	enum tw_port_kind kind, bool by_lookup, struct tw_target **ret, struct tw_err *err)
{
	struct tw_target *native, *kernel;
	int failed = tw_netns_enter(kind, TW_TARGET_PORTS_MAX, err);

	if (!failed)
		failed = by_lookup ? tw_target_by_lookup(&kernel, err)
				   : tw_target_kernel(&kernel, err);
	if (failed)
		return failed;
	failed = tw_target_native(&native, err);
	if (failed) {
		tw_target_free(kernel);
		return failed;
	}
	return tw_target_pair(native, kernel, ret);
}
