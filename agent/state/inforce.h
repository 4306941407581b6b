/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* inforce.h: a policy in force and its state, reference-counted.
 *
 * Invariants: the policy, its text and its slots never change. The image slots of its vNICs are
 *             filled in as they are compiled.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/state/shared_text.h"
#include "base/cleanup.h"
#include "policy/policy.h"

struct tw_inforce {
	_Atomic unsigned int refs;
	struct tw_policy *written; /* as in its text, without learned addresses */
	struct tw_policy *policy;  /* enforced; equals `written` if nothing was learned */
	struct tw_shared_text *text;
	char *source;		      /* name given by the client, usually a file */
	uint64_t mark;		      /* tw_policy_text_mark() of its text */
	uint64_t file_mark;	      /* mark of the --policy file when this took effect; 0: none */
	uint64_t generation;	      /* counts policies on this host, from 1 */
	uint64_t since_ns;	      /* monotonic */
	uint32_t *slots;	      /* rule number → rule slot; n_rules + 1 */
	uint32_t *images;	      /* vNIC → image slot; 0: not looked up yet */
	struct tw_compiler *compiler; /* NULL until the first image is needed */
	/* Addresses from DHCP in `policy`, ascending by vNIC and address. */
	struct tw_learned *learned;
	size_t n_learned;
	int64_t next_until_s;	 /* tw_policy_next_until() of `written` */
	bool learns;		 /* some vNIC learns addresses */
	struct tw_mac_row *macs; /* vNICs with a MAC, ascending by its last five bytes */
	size_t n_macs;
};

struct tw_mac_row {
	uint64_t tail; /* the last five bytes */
	const struct tw_vnic *vnic;
};

/* Reads a policy, without the warnings of tw_policy_check(). If the text is similar to that of
 * `old`, which may be NULL, reads only the differences. Ends the rules whose time is over at `now_s`.
 * Slots are zero until assigned. Returns 0, -EINVAL (see diags) or -ENOMEM. */
int tw_inforce_new(const char *text, size_t len, const char *source, const struct tw_inforce *old,
	int64_t now_s, struct tw_diags *diags, struct tw_inforce **ret);
/* Makes a policy with these learned addresses, which are copied. */
int tw_inforce_learn(const struct tw_inforce *from, const struct tw_learned *learned, size_t n,
	struct tw_diags *diags, struct tw_inforce **ret);
struct tw_inforce *tw_inforce_ref(struct tw_inforce *inforce);
void tw_inforce_free(struct tw_inforce *inforce); /* releases one reference */
TW_DEFINE_AUTO(tw_inforce)

bool tw_inforce_has_learned(
	const struct tw_inforce *inforce, const struct tw_learned *learned, size_t n);
