/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/play.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/inet.h"
#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "sim/scene.h"
#include "tests/run/draft_text.h"
#include "tests/run/player.h"
#include "tests/run/reply.h"

#define FRAMES_MAX 8 /* ends of one frame's path */

/* ---- names ---- */

static const struct tw_vnic *find_vnic(const struct tw_player *p, const char *name)
{
	const struct tw_vnic *vnic = tw_policy_find_workload(p->policy, name);
	uint8_t mac[6];

	if (!vnic)
		vnic = tw_policy_find_port(p->policy, name);
	if (!vnic && !tw_word_mac(name, mac))
		vnic = tw_policy_find_mac(p->policy, mac);
	return vnic;
}

static bool is_host(const struct tw_prefix *prefix)
{
	return prefix->len == 128;
}

static void fill_end(const struct tw_vnic *vnic, struct tw_draft_end *ret)
{
	*ret = (struct tw_draft_end){.has_mac = vnic->has_mac};
	memcpy(ret->mac, vnic->mac, 6);
	for (size_t i = vnic->n_prefixes; i-- > 0;) {
		const struct tw_prefix *prefix = &vnic->prefixes[i];

		if (!is_host(prefix))
			continue;
		if (tw_inet_is_v4(prefix->addr.b)) {
			ret->has_v4 = true;
			ret->v4 = prefix->addr;
		} else {
			ret->has_v6 = true;
			ret->v6 = prefix->addr;
		}
	}
}

/* Fills the end for `outside`: a host beyond the ports of this one. */
static void fill_outside(struct tw_draft_end *ret)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0xfe};

	*ret = (struct tw_draft_end){.has_mac = true, .has_v4 = true, .has_v6 = true};
	memcpy(ret->mac, mac, 6);
	tw_addr_parse("203.0.113.1", &ret->v4);
	tw_addr_parse("2001:db8:ffff::1", &ret->v6);
}

static int find_end(void *arg, const char *name, struct tw_draft_end *ret)
{
	struct tw_player *p = arg;
	const struct tw_vnic *vnic;

	if (!strcmp(name, "outside")) {
		fill_outside(ret);
		return 0;
	}
	vnic = find_vnic(p, name);
	if (!vnic)
		return -ENOENT;
	fill_end(vnic, ret);
	return 0;
}

/* Finds a port outside the policy. Such ports are numbered from the top down, and keep their number
 * throughout the case. */
static int find_stray(struct tw_player *p, const char *name, bool make, uint32_t *ret)
{
	for (size_t i = 0; i < p->n_strays; i++) {
		if (!strcmp(p->strays[i], name)) {
			*ret = tw_scene_ifindex(TW_TARGET_PORTS_MAX - 1 - i);
			return 0;
		}
	}
	if (!make || p->n_strays == TW_PLAYER_STRAYS_MAX)
		return -ENOENT;
	snprintf(p->strays[p->n_strays], sizeof(p->strays[0]), "%s", name);
	*ret = tw_scene_ifindex(TW_TARGET_PORTS_MAX - 1 - p->n_strays++);
	return 0;
}

static int find_ifindex(struct tw_player *p, const char *name, bool make, uint32_t *ret)
{
	const struct tw_vnic *vnic = p->policy ? find_vnic(p, name) : NULL;

	if (!vnic)
		return find_stray(p, name, make, ret);
	if (vnic->index >= TW_TARGET_PORTS_MAX - TW_PLAYER_STRAYS_MAX)
		return -ENOENT;
	*ret = tw_scene_ifindex(vnic->index);
	return 0;
}

/* ---- frames ---- */

struct judgement {
	uint32_t ifindex;
	enum tw_dir dir;
	const char *port; /* the port's name in the case */
};

/* The ports at which the frame is judged, in order: "out X", "in X", "X -> Y, Z". */
struct path {
	struct judgement at[FRAMES_MAX];
	size_t n;
	struct tw_draft_names names;
	char *text;
};

static int add_judgement(struct tw_player *p, struct path *path, enum tw_dir dir, const char *name)
{
	struct judgement *j = &path->at[path->n];

	if (path->n == FRAMES_MAX)
		return tw_player_wrong(p, "too many ends");
	*j = (struct judgement){.dir = dir, .port = name};
	if (find_ifindex(p, name, false, &j->ifindex))
		return tw_player_wrong(p, "no workload is named '%s'", name);
	path->n++;
	return 0;
}

static void name_end(struct tw_player *p, const char *name, struct tw_draft_end *ret)
{
	/* A port outside the policy has no identity: the frame must give all addresses. */
	if (find_end(p, name, ret))
		fill_outside(ret);
}

static int read_path(struct tw_player *p, const char *text, struct path *path)
{
	char *at, *word, *arrow;
	int err = 0;

	path->text = tw_strdup(text);
	if (!path->text)
		return -ENOMEM;
	path->names.find = find_end;
	path->names.arg = p;
	fill_outside(&path->names.from);
	fill_outside(&path->names.to);
	at = path->text;
	word = tw_word_next(&at);
	arrow = tw_word_next(&at);
	if (!word || !arrow)
		return tw_player_wrong(p, "a path is 'out X', 'in X' or 'X -> Y'");
	if (!strcmp(word, "out") && !*at) {
		name_end(p, arrow, &path->names.from);
		return add_judgement(p, path, TW_DIR_OUT, arrow);
	}
	if (!strcmp(word, "in") && !*at) {
		name_end(p, arrow, &path->names.to);
		return add_judgement(p, path, TW_DIR_IN, arrow);
	}
	if (strcmp(arrow, "->"))
		return tw_player_wrong(p, "a path is 'out X', 'in X' or 'X -> Y'");
	name_end(p, word, &path->names.from);
	err = add_judgement(p, path, TW_DIR_OUT, word);
	for (bool first = true; !err && (word = strtok_r(first ? at : NULL, ", ", &arrow));
		first = false) {
		if (first)
			name_end(p, word, &path->names.to);
		err = add_judgement(p, path, TW_DIR_IN, word);
	}
	return !err && path->n < 2 ? tw_player_wrong(p, "'->' leads nowhere") : err;
}

/* Returns the application that the gates name; "looking" while payloads are looked at, else "none". */
static const char *app_of(const struct tw_outcome *o)
{
	uint32_t gates = tw_gate_decision(o->gate[0]) | tw_gate_decision(o->gate[1]);
	const char *name = tw_app_name(tw_decision_app(gates));

	return gates & TW_DECISION_LOOK ? "looking" : name ? name : "none";
}

/* Compares an expectation "VERDICT REASON [RULE] [state=S] [app=A] [new] [untracked] [cut]" with the
 * outcome. `again`: an earlier port had the same expectation, so "new" applies to that port. */
static int compare_expected(
	struct tw_player *p, char *text, bool again, const struct tw_native_result *result)
{
	const struct tw_outcome *o = &result->outcome;
	char *verdict = tw_word_next(&text);
	char *reason = tw_word_next(&text);
	char *word;

	if (!verdict || !reason || tw_verdict_from_name(verdict) < 0)
		return tw_player_wrong(p, "expected is VERDICT REASON [RULE] …");
	if (tw_reason_from_name(reason) < 0)
		return tw_player_wrong(p, "no reason is named '%s'", reason);
	if (o->verdict != tw_verdict_from_name(verdict) || o->reason != tw_reason_from_name(reason))
		return 1;
	while ((word = tw_word_next(&text))) {
		if (!strncmp(word, "state=", 6)) {
			if (!o->tracked || strcmp(tw_state_name(o->state), word + 6))
				return 1;
		} else if (!strncmp(word, "app=", 4)) {
			if (strcmp(app_of(o), word + 4))
				return 1;
		} else if (!strcmp(word, "new")) {
			if (!o->created && !again)
				return 1;
		} else if (!strcmp(word, "untracked")) {
			if (o->tracked)
				return 1;
		} else if (!strcmp(word, "queued")) {
			if (!o->queued)
				return 1;
		} else if (!strncmp(word, "sent=", 5)) {
			continue; /* check_sent() */
		} else if (!strcmp(word, "cut") || !strcmp(word, "bridged")) {
			if (!result->cut_ifindex != !strcmp(word, "bridged"))
				return 1;
		} else {
			size_t rule = tw_decision_rule(o->decision);

			if (!o->decision || rule > tw_policy_n_rules(p->policy) ||
				strcmp(tw_policy_rule(p->policy, rule)->name, word))
				return 1;
		}
	}
	return 0;
}

static void print_outcome(
	struct tw_player *p, const struct tw_native_result *result, struct tw_buf *out)
{
	const struct tw_outcome *o = &result->outcome;
	size_t rule = tw_decision_rule(o->decision);

	tw_buf_addf(out, "%s %s", tw_verdict_name(o->verdict), tw_reason_name(o->reason));
	if (o->decision && rule <= tw_policy_n_rules(p->policy))
		tw_buf_addf(out, " %s", tw_policy_rule(p->policy, rule)->name);
	if (o->tracked)
		tw_buf_addf(out, " state=%s%s", tw_state_name(o->state), o->created ? " new" : "");
	else
		tw_buf_adds(out, " untracked");
	if (strcmp(app_of(o), "none") != 0)
		tw_buf_addf(out, " app=%s", app_of(o));
	if (result->cut_ifindex)
		tw_buf_adds(out, " cut");
	if (o->queued)
		tw_buf_adds(out, " queued");
}

/* Checks that hold for every outcome; returns the fault, or NULL. */
static const char *impossible(const struct judgement *j, uint32_t mark_before, uint32_t mark,
	const struct tw_native_result *result)
{
	const struct tw_outcome *o = &result->outcome;

	if (o->dir != j->dir)
		return "the outcome has the wrong direction";
	if (o->verdict != TW_V_ALLOW && o->verdict != TW_V_DENY && o->verdict != TW_V_REJECT)
		return "the outcome's verdict is not valid";
	if (o->reason == TW_R_NONE || o->reason >= TW_R__MAX)
		return "the outcome has no reason";
	if (result->replied && o->verdict != TW_V_REJECT)
		return "a refusal was sent for a frame that was not rejected";
	if (result->cut_ifindex && (o->verdict != TW_V_ALLOW || o->dir != TW_DIR_OUT))
		return "a frame that was not allowed was cut through";
	if (mark != (o->reason == TW_R_OWN_REPLY ? 0 : mark_before) && !result->replied)
		return "the frame's mark has changed";
	if (o->created && !o->tracked)
		return "an opened connection has no record";
	return NULL;
}

static int check_reply(struct tw_player *p, const struct tw_step *step, const struct tw_buf *sent,
	const struct tw_native_frame *frame, const struct tw_native_result *result)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_err err = {0};

	if (!result->replied) {
		if (result->outcome.verdict == TW_V_REJECT && step->reply &&
			strcmp(step->reply, "nothing"))
			return tw_player_fail(p, step, "no refusal was sent");
		return 0;
	}
	if (tw_reply_check((uint8_t *)sent->data, sent->len, frame->gso_size != 0, frame->data,
		    result->reply_len, &text, &err))
		return tw_player_fail(p, step, "%s", err.text);
	if (step->reply && strcmp(step->reply, text.data))
		return tw_player_fail(p, step, "refusal\n    expected %s\n    got      %s",
			step->reply, text.data);
	tw_buf_reset(&p->reply);
	tw_buf_add(&p->reply, frame->data, result->reply_len);
	p->reply_mark = frame->beside.mark;
	return p->reply.failed ? -ENOMEM : 0;
}

/* Judges the frame at one port; its metadata is passed in and out through `frame`. */
static int judge(struct tw_player *p, const struct tw_step *step, const struct judgement *j,
	const struct tw_buf *bytes, struct tw_native_frame *frame, const char *expected, bool again,
	struct tw_native_result *ret)
{
	tw_autofree char *copy = tw_strdup(expected);
	tw_auto_buf struct tw_buf got = {0};
	struct tw_err err = {0};
	const uint32_t mark = frame->beside.mark;
	const char *why;
	int failed;

	if (!copy)
		return -ENOMEM;
	memcpy(p->room, bytes->data, bytes->len);
	frame->data = p->room;
	frame->len = bytes->len;
	frame->max = TW_TARGET_FRAME_MAX;
	*ret = (struct tw_native_result){0};
	failed = p->target->ops->run(
		p->target, j->ifindex, j->dir, p->c->start_ns + step->at_ns, frame, ret, &err);
	if (failed)
		return tw_player_fail(p, step, "%s",
			failed == -E2BIG ? "this target does not accept such a frame" : err.text);
	p->last = frame->beside;
	p->play->n_judgements++;
	p->play->seen[ret->outcome.reason % TW_R__MAX][j->dir] = true;
	print_outcome(p, ret, &got);
	if (p->play->verbose)
		fprintf(p->play->out, "%s:%u: %s %s: %s\n", p->name, step->line,
			tw_dir_name(j->dir), j->port, got.data);
	why = impossible(j, mark, frame->beside.mark, ret);
	if (why)
		return tw_player_fail(p, step, "%s: %s", why, got.data);
	failed = compare_expected(p, copy, again, ret);
	if (failed == 1)
		return tw_player_fail(p, step, "%s %s\n    expected %s\n    got      %s",
			tw_dir_name(j->dir), j->port, expected, got.data);
	if (failed)
		return failed;
	return check_reply(p, step, bytes, frame, ret);
}

/* Judges the fragments that were queued until this frame and now follow it: each must pass every
 * port from `first` on. */
static int judge_sent(struct tw_player *p, const struct tw_step *step, const struct path *path,
	size_t first, uint32_t port_id, uint32_t origin, uint32_t *ret_n)
{
	struct tw_fragq *queued = p->queued;
	struct tw_native_result result = {0};
	struct tw_native_frame frame;
	int err = 0;

	for (uint32_t n = 0; !err && n < TW_FRAGQS; n++) {
		tw_auto_buf struct tw_buf bytes = {0};

		if (!p->target->ops->take_sent(p->target, port_id, n, queued))
			continue;
		if (!queued->len)
			return tw_player_fail(p, step, "the targets release different fragments");
		++*ret_n;
		tw_buf_add(&bytes, queued->bytes, queued->len);
		if (bytes.failed)
			return -ENOMEM;
		frame = (struct tw_native_frame){.beside = {.mark = queued->mark, .origin = origin},
			.has_vlan = queued->has_vlan,
			.vlan = queued->vlan_tci};
		result.cut_ifindex = 0;
		for (size_t i = first; !err && i < path->n; i++)
			err = judge(p, step, &path->at[i], &bytes, &frame,
				result.cut_ifindex ? "allow cut-through" : "allow established",
				true, &result);
	}
	return err;
}

/* Checks "sent=N" in one port's expectation; if it is absent, N is 0. */
static int check_sent(struct tw_player *p, const struct tw_step *step, const struct path *path,
	size_t at, const char *expected, uint32_t origin, const struct tw_outcome *o)
{
	const char *word = strstr(expected, "sent=");
	uint32_t wanted = word ? (uint32_t)strtoul(word + 5, NULL, 10) : 0, n = 0;
	int err = 0;

	if (o->verdict == TW_V_ALLOW && o->release)
		err = judge_sent(p, step, path, at, o->release, origin, &n);
	if (!err && n != wanted)
		err = tw_player_fail(p, step, "%u fragments were released, expected %u", n, wanted);
	return err;
}

static int judge_path(struct tw_player *p, const struct tw_step *step, const struct path *path,
	const struct tw_buf *bytes, struct tw_native_frame *frame)
{
	tw_autofree char *copy = tw_strdup(step->expect);
	struct tw_native_result result[FRAMES_MAX];
	const char *said[FRAMES_MAX];
	char *expected = copy;
	bool again = false;
	struct tw_beside beside = frame->beside;
	size_t i, n;
	int err;

	if (!copy)
		return -ENOMEM;
	for (i = 0; i < path->n; i++) {
		char *then = strstr(expected, " then ");

		if (then)
			*then = '\0';
		/* Every port after the first sees the metadata that the first one left. */
		frame->beside = beside;
		said[i] = expected;
		err = judge(p, step, &path->at[i], bytes, frame, expected, again, &result[i]);
		if (err)
			return err;
		if (result[i].outcome.verdict != TW_V_ALLOW)
			tw_talk_refused(&p->talks);
		again = !then;
		if (then)
			expected = then + 6;
		if (i == 0) {
			beside = frame->beside;
			if (result[i].outcome.verdict != TW_V_ALLOW)
				break;
		}
	}
	if (i < path->n && strstr(step->expect, " then "))
		return tw_player_fail(p, step, "the frame ended at its first port");
	n = i < path->n ? i + 1 : i;
	for (i = 0, err = 0; i < n && !err; i++)
		err = check_sent(p, step, path, i, said[i], beside.origin, &result[i].outcome);
	return err;
}

static int build_frame(struct tw_player *p, const struct tw_step *step, const struct path *path,
	struct tw_buf *bytes, struct tw_native_frame *ret)
{
	tw_autofree struct tw_draft *draft = NULL;
	struct tw_err err = {0};

	if (!strcmp(step->text, "reply")) {
		if (!p->reply.len)
			return tw_player_wrong(p, "no refusal has been sent yet");
		tw_buf_add(bytes, p->reply.data, p->reply.len);
		*ret = (struct tw_native_frame){.beside = {.mark = p->reply_mark}};
		return bytes->failed ? -ENOMEM : 0;
	}
	draft = tw_alloc(sizeof(*draft));
	if (!draft)
		return -ENOMEM;
	if (tw_draft_read(step->text, &path->names, draft, &err))
		return tw_player_wrong(p, "%s", err.text);
	tw_talk_fill(&p->talks, draft);
	if (tw_draft_build(draft, bytes))
		return tw_player_wrong(p, "the frame cannot be built");
	*ret = (struct tw_native_frame){
		.wire_len = draft->wire_len,
		.gso_size = draft->gso_size,
		.offload = draft->offload,
		.beside = draft->goes_on ? p->last : (struct tw_beside){.mark = draft->mark},
		.has_vlan = draft->has_outside_tag,
		.vlan = draft->outside_tag,
	};
	if (*draft->via && !draft->goes_on &&
		find_ifindex(p, draft->via, true, &ret->beside.origin))
		return tw_player_wrong(p, "there are too many ports");
	if (ret->has_vlan && !p->target->can_tag_outside)
		return tw_player_wrong(p, "a tag outside the frame makes a case native-only");
	return 0;
}

static int play_frame(struct tw_player *p, const struct tw_step *step)
{
	tw_auto_buf struct tw_buf bytes = {0};
	struct tw_native_frame frame;
	struct path path = {0};
	int err;

	if (!p->policy)
		return tw_player_wrong(p, "a frame comes before the first policy");
	err = read_path(p, step->path, &path);
	if (!err)
		err = build_frame(p, step, &path, &bytes, &frame);
	if (!err)
		err = judge_path(p, step, &path, &bytes, &frame);
	free(path.text);
	return err;
}

/* ---- policy ---- */

static int put_policy(struct tw_player *p, const struct tw_step *step,
	const struct tw_learned *learned, size_t n_learned)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	struct tw_err err = {0};
	int failed;

	failed = tw_policy_read_learned(
		p->policy_text, strlen(p->policy_text), learned, n_learned, &policy, &diags);
	if (failed)
		failed = tw_player_wrong(p, "the policy is invalid: line %u: %s",
			diags.n ? step->line + diags.at[0].line : step->line,
			diags.n ? diags.at[0].text : "no memory");
	tw_diags_done(&diags);
	if (failed)
		return failed;
	if (tw_policy_n_vnics(policy) > TW_TARGET_PORTS_MAX - TW_PLAYER_STRAYS_MAX)
		return tw_player_wrong(p, "more ports than a case can have");
	p->epoch++;
	if (p->target->ops->load(p->target, policy, p->epoch, &err))
		return tw_player_wrong(p, "%s", err.text);
	tw_policy_free(p->policy);
	p->policy = TW_TAKE_PTR(policy);
	return tw_player_reapply(p);
}

static int play_policy(struct tw_player *p, const struct tw_step *step)
{
	p->policy_text = step->text;
	return put_policy(p, step, NULL, 0);
}

/* ---- learn: what the agent does when leases change ---- */

static size_t list_leases(
	struct tw_leases *leases, size_t vnic, uint64_t now_ns, struct tw_learned *ret)
{
	size_t n = 0;

	for (uint32_t i = 0; i < TW_LEASE_SLOTS; i++) {
		const struct tw_lease *lease = tw_lease_slot(leases, i);

		if (lease->until_ns > now_ns)
			ret[n++] = (struct tw_learned){vnic, lease->addr};
	}
	return n;
}

static int play_learn(struct tw_player *p, const struct tw_step *step)
{
	struct tw_learned learned[TW_TARGET_PORTS_MAX * TW_LEASE_SLOTS];
	size_t n = 0;

	if (!p->policy)
		return tw_player_wrong(p, "learn comes before the first policy");
	for (uint32_t i = 0; i < tw_policy_n_vnics(p->policy); i++) {
		struct tw_leases leases;
		int failed;

		if (!tw_vnic_learns(tw_policy_vnic(p->policy, i)))
			continue;
		failed = p->target->ops->get_leases(p->target, 1 + i, &leases);
		if (failed)
			return tw_player_fail(p, step, "%s",
				failed == -EIO ? "the native leases differ from those in the kernel"
					       : "the leases cannot be read");
		n += list_leases(&leases, i, p->c->start_ns + step->at_ns, learned + n);
	}
	return put_policy(p, step, learned, n);
}

int tw_player_find_port(struct tw_player *p, const char *name, uint32_t *ret)
{
	return find_ifindex(p, name, true, ret);
}

enum tw_played tw_case_play(
	const char *name, const struct tw_case *c, struct tw_target *target, struct tw_play *play)
{
	struct tw_player p = {.name = name, .c = c, .target = target, .play = play};
	struct tw_err err = {0};
	int failed = 0;

	if (c->native_only && !target->can_tag_outside)
		return TW_PLAYED_SKIP;
	p.room = tw_alloc(TW_TARGET_FRAME_MAX);
	p.queued = tw_alloc(sizeof(struct tw_fragq));
	if (!p.room || !p.queued || target->ops->reset(target, c->max_conns, &err)) {
		fprintf(play->out, "%s: %s\n", name, err.code ? err.text : "no memory");
		free(p.room);
		free(p.queued);
		return TW_PLAYED_FAIL;
	}
	for (size_t i = 0; i < c->n_steps && !failed; i++) {
		const struct tw_step *step = &c->steps[i];

		p.step = step;
		switch (step->kind) {
		case TW_STEP_POLICY:
			failed = play_policy(&p, step);
			break;
		case TW_STEP_LEARN:
			failed = play_learn(&p, step);
			break;
		case TW_STEP_FRAME:
			failed = play_frame(&p, step);
			break;
		case TW_STEP_PORT:
		case TW_STEP_SET:
		case TW_STEP_CHECK:
		case TW_STEP_ANSWER:
			failed = tw_player_do(&p, step);
			break;
		}
	}
	if (failed == -ENOMEM)
		fprintf(play->out, "%s: no memory\n", name);
	tw_policy_free(p.policy);
	tw_buf_done(&p.reply);
	free(p.room);
	free(p.queued);
	return failed ? TW_PLAYED_FAIL : TW_PLAYED_PASS;
}
