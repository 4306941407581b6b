/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fuzz_policy: fuzzer of the policy reader: any bytes as policy text.
 *
 * Checks more than the absence of crashes: a refused text has an error message with a place within
 * the text; an accepted text reads back from its canonical form as the same policy, and its images
 * compile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

/* Not assert(): the check must be present in every build. */
static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_refusal(const char *text, size_t len, const struct tw_diags *diags)
{
	unsigned int n_lines = 1;

	for (size_t i = 0; i < len; i++)
		n_lines += text[i] == '\n' || text[i] == '\r' || (unsigned char)text[i] >= 0x80;
	must(diags->n_errors > 0 && diags->n > 0);
	for (size_t i = 0; i < diags->n; i++) {
		must(diags->at[i].line <= n_lines);
		must(*diags->at[i].text);
	}
}

static void check_images(const struct tw_policy *policy)
{
	for (size_t i = 0; i < tw_policy_n_vnics(policy) && i < 3; i++) {
		struct tw_diags diags = {0};
		struct tw_image *image = NULL;
		int err = tw_policy_compile(
			policy, tw_policy_vnic(policy, i), NULL, &image, &diags);

		must(err == 0 || (err == -E2BIG && diags.n_errors == 1));
		tw_image_free(image);
		tw_diags_done(&diags);
	}
}

static void check_round_trip(const struct tw_policy *policy)
{
	tw_auto_buf struct tw_buf text = {0}, again = {0}, lowered = {0}, lowered_again = {0};
	tw_auto(tw_policy) struct tw_policy *copy = NULL;
	struct tw_diags diags = {0};

	tw_policy_print(policy, &text);
	must(tw_policy_read(text.data, text.len, &copy, &diags) == 0);
	tw_diags_done(&diags);
	tw_policy_print(copy, &again);
	tw_policy_print_lowered(policy, &lowered);
	tw_policy_print_lowered(copy, &lowered_again);
	must(!strcmp(text.data, again.data));
	must(!strcmp(lowered.data, lowered_again.data));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	int err = tw_policy_read((const char *)data, len, &policy, &diags);

	must(err == 0 || err == -EINVAL);
	if (err)
		check_refusal((const char *)data, len, &diags);
	tw_diags_done(&diags);
	if (err)
		return 0;
	check_images(policy);
	check_round_trip(policy);
	return 0;
}
