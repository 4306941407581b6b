/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* inforce.h: a policy with all that goes with being in force, shared by whoever still reads it.
 *
 * Invariants: the policy, its text and its slots never change; image slots found for its vNICs are
 *             filled in as they are compiled.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "policy/policy.h"

struct tw_inforce {
	unsigned int refs;
	struct tw_policy *written; /* as its text has it, whatever guests have learned */
	struct tw_policy *policy;  /* what ports are judged by; often the same */
	char *text;
	size_t text_len;
	char *source;		      /* file name given by whoever applied it */
	uint64_t mark;		      /* of its text, tw_loads_mark() */
	uint64_t file_mark;	      /* of the file of --policy when this took effect; 0: none */
	uint64_t generation;	      /* counts policies on this host, from 1 */
	uint64_t since_ns;	      /* monotonic */
	uint32_t *slots;	      /* rule number → rule slot; n_rules + 1 */
	uint32_t *images;	      /* vNIC → image slot, 0 = not looked for */
	struct tw_compiler *compiler; /* NULL until the first image is looked for */
	/* What `policy` has beside what is written: from DHCP, ascending by vNIC and address. */
	struct tw_learned *learned;
	size_t n_learned;
	bool learns;		 /* some vNIC has `dhcp` */
	struct tw_mac_row *macs; /* vNICs with a MAC, ascending by its last five bytes */
	size_t n_macs;
};

struct tw_mac_row {
	uint64_t tail; /* the last five bytes */
	const struct tw_vnic *vnic;
};

/* Reads a policy, without the warnings of tw_policy_check(); 0, -EINVAL (see diags) or -ENOMEM. Slots
 * are zero until assigned. Where the text is nearly that of `old`, which may be NULL, only what differs
 * is read. */
int tw_inforce_new(const char *text, size_t len, const char *source, const struct tw_inforce *old,
	struct tw_diags *diags, struct tw_inforce **ret);
/* The same policy while its vNICs have these addresses, which are copied. */
int tw_inforce_learn(const struct tw_inforce *from, const struct tw_learned *learned, size_t n,
	struct tw_diags *diags, struct tw_inforce **ret);
struct tw_inforce *tw_inforce_ref(struct tw_inforce *inforce);
void tw_inforce_free(struct tw_inforce *inforce); /* gives one reference back */
TW_DEFINE_AUTO(tw_inforce)

bool tw_inforce_has_learned(
	const struct tw_inforce *inforce, const struct tw_learned *learned, size_t n);
