/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/mend.h"

#include <string.h>

#include "agent/ports/host.h"
#include "agent/publish/confirm.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/kept.h"
#include "agent/state/images.h"
#include "agent/state/quarantines.h"
#include "agent/state/versions.h"
#include "agent/state/store.h"
#include "base/clock.h"
#include "base/log.h"

#define LOOK_NS 1000000000u

static void tell_missing(struct tw_enforcement *enforcement, const char *name, const char *instead)
{
	if (!tw_store_has(enforcement->store, name))
		tw_log(TW_LOG_ERR, "%s/%s is missing: %s", tw_store_path(enforcement->store), name,
			instead);
}

void tw_mend_begin(struct tw_enforcement *enforcement)
{
	bool any_image = false;

	for (size_t i = 1; i < TW_IMAGES_MAX; i++) {
		const struct tw_image_slot *slot = &enforcement->images->slots[i];

		any_image |= slot->used;
		/* Images in use that no file describes must be written, because the next agent
		 * would not know them. */
		enforcement->images->changed |= slot->used && !slot->saved;
	}
	if (enforcement->found.text)
		tell_missing(enforcement, TW_STORE_RULES,
			"the origin of the policy is unknown, and rule counters start at 0");
	if (enforcement->host->adopted.n)
		tell_missing(enforcement, TW_STORE_PORTS,
			"ports are restored from the kernel's entries");
	if (any_image)
		tell_missing(enforcement, TW_STORE_IMAGES, "images are identified by their keys");
}

static void write_again(struct tw_enforcement *enforcement, const char *name)
{
	if (!strcmp(name, TW_STORE_POLICY))
		tw_versions_doubt(enforcement->versions);
	if (!strcmp(name, TW_STORE_POLICY) || !strcmp(name, TW_STORE_RULES)) {
		enforcement->unstaged = enforcement->inforce != NULL;
		enforcement->restage_ns = 0;
	} else if (!strcmp(name, TW_STORE_PORTS)) {
		enforcement->unsaved = true;
	} else if (!strcmp(name, TW_STORE_IMAGES)) {
		enforcement->images->changed = true;
	} else if (!strcmp(name, TW_STORE_LEASES)) {
		tw_kept_rewrite(enforcement->kept);
	} else if (!strcmp(name, TW_STORE_QUARANTINE)) {
		enforcement->quarantines->unsaved = true;
	} else if (!strcmp(name, TW_STORE_CONFIRM)) {
		tw_confirm_rewrite(enforcement);
	} else if (!strcmp(name, TW_STORE_VERSIONS)) {
		enforcement->versions->unsaved = true;
	} else if (!strcmp(name, TW_STORE_PRESENT)) {
		enforcement->quarantines->unsaved = true;
		enforcement->unstaged = enforcement->inforce != NULL;
		enforcement->restage_ns = 0;
		tw_confirm_rewrite(enforcement);
	}
}

void tw_mend_tick(struct tw_enforcement *enforcement)
{
	uint64_t now = tw_clock_ns();
	const char *name;

	if (now < enforcement->mend_ns)
		return;
	enforcement->mend_ns = now + LOOK_NS;
	while ((name = tw_store_find_changed(enforcement->store))) {
		tw_degraded_begin(&enforcement->degraded, TW_DEGRADED_STORE,
			"%s/%s was deleted or changed by another program; writing it again",
			tw_store_path(enforcement->store), name);
		write_again(enforcement, name);
	}
}
