/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/confirm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "agent/state/present.h"
#include "agent/state/sealed.h"
#include "agent/state/store.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

static void drop_previous(struct tw_confirm *confirm)
{
	tw_shared_text_free(confirm->text);
	free(confirm->source);
	confirm->text = NULL;
	confirm->source = NULL;
	confirm->tripped[0] = '\0';
	confirm->pending = false;
}

static void forget_return(struct tw_confirm *confirm)
{
	free(confirm->returned_from);
	confirm->returned_from = NULL;
}

void tw_confirm_done(struct tw_confirm *confirm)
{
	drop_previous(confirm);
	forget_return(confirm);
}

/* Takes over one reference to the text, which is NULL if memory ran out. */
static int set_previous(struct tw_confirm *confirm, struct tw_shared_text *text, const char *source,
	uint64_t file_mark)
{
	confirm->text = text;
	confirm->source = tw_strdup(source);
	confirm->file_mark = file_mark;
	if (confirm->text && confirm->source)
		return 0;
	drop_previous(confirm);
	return -ENOMEM;
}

void tw_confirm_load(struct tw_enforcement *enforcement)
{
	json_t *root = tw_sealed_read_any(enforcement->store, TW_STORE_CONFIRM);
	const json_t *text = json_object_get(root, "text");
	const char *source = json_string_value(json_object_get(root, "source"));

	if (source && json_is_string(text) &&
		!set_previous(enforcement->confirm,
			tw_shared_text_new(json_string_value(text), json_string_length(text)),
			source, (uint64_t)json_integer_value(json_object_get(root, "file_mark"))))
		enforcement->confirm->pending = true;
	json_decref(root);
	if (!enforcement->confirm->pending &&
		tw_present_number(enforcement->store, TW_STORE_CONFIRM))
		tw_degraded_begin(&enforcement->degraded, TW_DEGRADED_CONFIRM,
			"%s in the state directory is missing or damaged: the previous policy cannot return; apply one",
			TW_STORE_CONFIRM);
}

static void delete_file(struct tw_enforcement *enforcement)
{
	struct tw_err err = {0};

	/* If this fails, the next start reports the file as missing, which does no harm. */
	tw_present_note(enforcement->store, TW_STORE_CONFIRM, 0, NULL);
	tw_degraded_end(&enforcement->degraded, TW_DEGRADED_CONFIRM);
	if (tw_store_delete(enforcement->store, TW_STORE_CONFIRM, &err) < 0)
		tw_log(TW_LOG_ERR, "%s: %s; delete it, or the next start returns to an old policy",
			err.place, err.text);
}

static int write_file(struct tw_enforcement *enforcement, struct tw_err *err)
{
	const struct tw_confirm *confirm = enforcement->confirm;
	int ret = tw_sealed_write(enforcement->store, TW_STORE_CONFIRM,
		json_pack("{s:s#, s:s, s:I}", "text", confirm->text->bytes, confirm->text->len,
			"source", confirm->source, "file_mark", (json_int_t)confirm->file_mark),
		err);

	return ret ? ret : tw_present_note(enforcement->store, TW_STORE_CONFIRM, 1, err);
}

void tw_confirm_rewrite(struct tw_enforcement *enforcement)
{
	struct tw_err err = {0};

	if (enforcement->confirm->pending && write_file(enforcement, &err) < 0)
		tw_log(TW_LOG_ERR, "%s: %s", err.place, err.text);
}

int tw_confirm_begin(struct tw_enforcement *enforcement, struct tw_err *err)
{
	const struct tw_inforce *inforce = enforcement->inforce;
	struct tw_confirm *confirm = enforcement->confirm;
	int ret;

	if (confirm->pending)
		return 0;
	if (!inforce)
		return tw_err_set(err, -ENOENT, "confirm", "apply it without --confirm",
			"no policy is in force to return to");
	ret = set_previous(
		confirm, tw_shared_text_ref(inforce->text), inforce->source, inforce->file_mark);
	if (ret < 0)
		return tw_err_set(err, ret, "confirm", NULL, "out of memory");
	ret = write_file(enforcement, err);
	if (ret < 0)
		drop_previous(confirm);
	return ret;
}

void tw_confirm_settle(struct tw_enforcement *enforcement, uint32_t seconds, int result)
{
	struct tw_confirm *confirm = enforcement->confirm;

	if (result < 0 && seconds && !confirm->pending) {
		drop_previous(confirm);
		delete_file(enforcement);
	}
	if (result < 0)
		return;
	forget_return(confirm);
	if (seconds) {
		confirm->pending = true;
		confirm->until_ns = tw_clock_ns() + seconds * 1000000000ull;
		tw_log(TW_LOG_WARNING,
			"policy %s must be confirmed within %u s; otherwise policy %s is put in force again",
			enforcement->inforce->source, seconds, confirm->source);
	} else if (confirm->pending) {
		drop_previous(confirm);
		delete_file(enforcement);
	} else if (enforcement->degraded.text[TW_DEGRADED_CONFIRM][0]) {
		delete_file(enforcement);
	}
}

int tw_confirm_keep(struct tw_enforcement *enforcement, struct tw_err *err)
{
	struct tw_confirm *confirm = enforcement->confirm;

	if (!confirm->pending)
		return tw_err_set(err, -ENOENT, "confirm",
			"tapwall status shows the policy in force",
			confirm->returned_from ? "too late: the previous policy is in force again"
					       : "no policy waits for its confirmation");
	drop_previous(confirm);
	delete_file(enforcement);
	tw_log(TW_LOG_INFO, "policy %s is confirmed", enforcement->inforce->source);
	return 0;
}

bool tw_confirm_is_over(const struct tw_confirm *confirm)
{
	return confirm->pending && tw_clock_ns() >= confirm->until_ns;
}

void tw_confirm_trip(struct tw_confirm *confirm, const char *why)
{
	snprintf(confirm->tripped, sizeof(confirm->tripped), "%s", why);
	confirm->until_ns = tw_clock_ns();
}

void tw_confirm_why(const struct tw_confirm *confirm, char ret[TW_CONFIRM_WHY_MAX])
{
	snprintf(ret, TW_CONFIRM_WHY_MAX, "%s",
		confirm->tripped[0] ? confirm->tripped
		: confirm->until_ns ? "it was not confirmed in time"
				    : "the agent started again before it was confirmed");
}

void tw_confirm_retry(struct tw_confirm *confirm)
{
	confirm->until_ns = tw_clock_ns() + TW_CONFIRM_RETRY_NS;
}

void tw_confirm_note_return(struct tw_enforcement *enforcement, const char *from)
{
	struct tw_confirm *confirm = enforcement->confirm;

	forget_return(confirm);
	confirm->returned_from = tw_strdup(from);
	tw_confirm_why(confirm, confirm->returned_why);
	confirm->returned_ns = tw_clock_ns();
	tw_log(TW_LOG_WARNING, "policy %s: %s; policy %s is in force again", from,
		confirm->returned_why, confirm->source);
	drop_previous(confirm);
	delete_file(enforcement);
}
