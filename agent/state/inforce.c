/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/inforce.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state/policy_file.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/mac.h"

static int compare_tails(const void *a, const void *b)
{
	const struct tw_mac_row *left = a, *right = b;

	if (left->tail != right->tail)
		return left->tail < right->tail ? -1 : 1;
	return left->vnic->index < right->vnic->index ? -1 : 1;
}

static int index_macs(struct tw_inforce *inforce)
{
	size_t n = tw_policy_n_vnics(inforce->policy);

	inforce->macs = tw_alloc_array(n, sizeof(*inforce->macs));
	if (!inforce->macs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(inforce->policy, i);

		inforce->learns |= tw_vnic_learns(vnic);
		if (vnic->has_mac)
			inforce->macs[inforce->n_macs++] = (struct tw_mac_row){
				tw_mac_tail(vnic->mac), vnic};
	}
	qsort(inforce->macs, inforce->n_macs, sizeof(*inforce->macs), compare_tails);
	return 0;
}

/* Makes the state of a policy. Takes over one reference to each of `written`, `policy` and `text`, which may be NULL if
 * memory ran out. */
static int new_inforce(struct tw_policy *written, struct tw_policy *policy,
	struct tw_shared_text *text, const char *source, struct tw_inforce **ret)
{
	tw_auto(tw_inforce) struct tw_inforce *inforce = tw_alloc(sizeof(*inforce));
	int err;

	if (!inforce) {
		tw_policy_free(written);
		tw_policy_free(policy);
		tw_shared_text_free(text);
		return -ENOMEM;
	}
	inforce->refs = 1;
	inforce->since_ns = tw_clock_ns();
	inforce->written = written;
	inforce->policy = policy;
	inforce->next_until_s = tw_policy_next_until(written);
	inforce->text = text;
	if (!text)
		return -ENOMEM;
	inforce->mark = tw_policy_text_mark(text->bytes, text->len);
	inforce->source = tw_strdup(source);
	inforce->slots = tw_alloc_array(
		tw_policy_n_rules(inforce->policy) + 1, sizeof(*inforce->slots));
	inforce->images = tw_alloc_array(
		tw_policy_n_vnics(inforce->policy), sizeof(*inforce->images));
	if (!inforce->source || !inforce->slots || !inforce->images)
		return -ENOMEM;
	err = index_macs(inforce);
	if (err < 0)
		return err;
	*ret = TW_TAKE_PTR(inforce);
	return 0;
}

int tw_inforce_new(const char *text, size_t len, const char *source, const struct tw_inforce *old,
	int64_t now_s, struct tw_diags *diags, struct tw_inforce **ret)
{
	struct tw_policy *policy = NULL;
	int err = old ? tw_policy_reread(old->written, old->text->bytes, old->text->len, text, len,
				&policy, diags)
		      : tw_policy_read_unchecked(text, len, NULL, 0, &policy, diags);

	if (!err)
		tw_policy_expire(policy, now_s);
	return err ? err
		   : new_inforce(tw_policy_ref(policy), policy, tw_shared_text_new(text, len),
			     source, ret);
}

int tw_inforce_learn(const struct tw_inforce *from, const struct tw_learned *learned, size_t n,
	struct tw_diags *diags, struct tw_inforce **ret)
{
	tw_auto(tw_inforce) struct tw_inforce *inforce = NULL;
	struct tw_policy *policy = NULL;
	int err = n ? tw_policy_learn(from->written, learned, n, &policy, diags) : 0;

	if (err)
		return err;
	err = new_inforce(tw_policy_ref(from->written),
		policy ? policy : tw_policy_ref(from->written), tw_shared_text_ref(from->text),
		from->source, &inforce);
	if (err)
		return err;
	inforce->learned = tw_alloc_array(n, sizeof(*learned));
	if (!inforce->learned)
		return -ENOMEM;
	if (n)
		memcpy(inforce->learned, learned, n * sizeof(*learned));
	inforce->n_learned = n;
	*ret = TW_TAKE_PTR(inforce);
	return 0;
}

struct tw_inforce *tw_inforce_ref(struct tw_inforce *inforce)
{
	inforce->refs++;
	return inforce;
}

void tw_inforce_free(struct tw_inforce *inforce)
{
	if (!inforce || --inforce->refs)
		return;
	tw_compiler_free(inforce->compiler);
	tw_policy_free(inforce->written);
	tw_policy_free(inforce->policy);
	tw_shared_text_free(inforce->text);
	free(inforce->source);
	free(inforce->slots);
	free(inforce->images);
	free(inforce->macs);
	free(inforce->learned);
	free(inforce);
}

bool tw_inforce_has_learned(
	const struct tw_inforce *inforce, const struct tw_learned *learned, size_t n)
{
	return n == inforce->n_learned &&
	       (!n || !memcmp(learned, inforce->learned, n * sizeof(*learned)));
}
