/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/propose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clean.h"
#include "cli/gather.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/seen_text.h"
#include "policy/print.h"

/* ---- the comment at the head ---- */

static void add_left_out(const struct tw_propose *propose, struct tw_buf *out)
{
	tw_vec_foreach (&propose->refused, refused)
		tw_buf_addf(out, "# propose: left out: %llu connections that the rule %s refuses\n",
			(unsigned long long)refused->n,
			tw_policy_rule(propose->policy, refused->rule)->name);
	if (propose->n_always)
		tw_buf_addf(out,
			"# propose: left out: %llu frames that an enforced port denied, or with a reason other than policy\n",
			(unsigned long long)propose->n_always);
}

/* Lists the rights that frames lacked. The draft grants them only with --rights, because any guest can send
 * such frames. */
static void add_rights(const struct tw_rights *rights, bool granted, struct tw_buf *out)
{
	if (rights->rows.n)
		tw_buf_addf(out, "# propose: rights that frames lacked; %s\n",
			granted ? "the draft grants vlans, macs and may"
				: "the draft grants none; --rights grants vlans, macs and may");
	tw_vec_foreach (&rights->rows, row) {
		tw_buf_adds(out, "# propose:   ");
		tw_rights_print(rights, row, out);
		if (granted && tw_rights_is_doubtful(row))
			tw_buf_adds(out, " (not granted)");
		tw_buf_adds(out, "\n");
	}
}

static void add_head(
	const struct tw_gathered *g, const struct tw_propose *propose, struct tw_buf *out)
{
	tw_buf_adds(out,
		"# propose: a draft: read each rule before you apply it. Rules with enabled: false need a decision.\n");
	tw_buf_addf(out, "# propose: data: %s until %s, %s%s, and live connections\n",
		g->since > 0 ? tw_human_span(g->until - g->since).text : "an unknown time",
		tw_seen_time(g->until).text,
		g->history ? "from the history of " : "from the agent's journal",
		g->history ? tw_cleaned(g->source).text : "");
	if (g->lost || g->unread || g->seen.n_beyond)
		tw_buf_addf(out,
			"# propose: INCOMPLETE: %llu events lost, %llu not read, %llu connections beyond the limits\n",
			(unsigned long long)g->lost, (unsigned long long)g->unread,
			(unsigned long long)g->seen.n_beyond);
	add_left_out(propose, out);
	add_rights(&g->rights, propose->granted, out);
}

/* ---- proof ---- */

/* True if the draft allows an entry at each end that a port judges. */
static bool is_allowed(const struct tw_policy *draft, const struct tw_seen_entry *entry)
{
	size_t rule[TW_DIR__MAX];

	tw_propose_judge(draft, entry, rule);
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		if (rule[dir] != SIZE_MAX && tw_policy_rule(draft, rule[dir])->action != TW_V_ALLOW)
			return false;
	return true;
}

/* Reads the draft, as apply would. Counts the connections that it allows and those that it does not.
 * Returns an exit code. */
static int prove(const struct tw_buf *draft, const struct tw_gathered_policy *in_force,
	const struct tw_seen *seen, uint64_t *ret_allowed, uint64_t *ret_left)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	int ret = tw_policy_read_unchecked(draft->data, draft->len, in_force->learned.at,
		in_force->learned.n, &policy, &diags);

	if (ret < 0)
		tw_report_diags(
			&(struct tw_report_source){
				.file = "draft", .text = draft->data, .len = draft->len},
			&diags);
	tw_diags_done(&diags);
	if (ret < 0)
		return ret == -ENOMEM ? tw_report_memory() : TW_EXIT_INTERNAL;
	tw_vec_foreach (&seen->entries, entry) {
		if (entry->verdict != TW_V_ALLOW && entry->verdict != TW_V_WOULD_DENY)
			continue;
		*(is_allowed(policy, entry) ? ret_allowed : ret_left) += entry->n;
	}
	return TW_EXIT_OK;
}

static void tell(const struct tw_gathered *g, const struct tw_propose *propose, uint64_t allowed,
	uint64_t left)
{
	size_t n_off = 0;

	tw_vec_foreach (&propose->rules, rule)
		n_off += rule->why != TW_PROPOSE_ON;
	fprintf(stderr, "%s rules added", tw_human_count(propose->rules.n).text);
	if (n_off)
		fprintf(stderr, ", %s of them switched off", tw_human_count(n_off).text);
	fprintf(stderr, "; the draft allows %s", tw_human_count(allowed).text);
	fprintf(stderr, " of %s connections seen\n", tw_human_count(allowed + left).text);
	tw_seen_warn(g, stderr);
}

static int draft(const struct tw_propose_options *options, const struct tw_gathered *g,
	const struct tw_gathered_policy *in_force)
{
	struct tw_propose propose = {.policy = in_force->policy,
		.seen = &g->seen,
		.fresh = options->fresh,
		.observe = options->observe,
		.granted = options->rights,
		.min = options->min};
	tw_auto_buf struct tw_buf head = {0}, out = {0};
	uint64_t allowed = 0, left = 0;
	int code = TW_EXIT_OK, ret = tw_propose_pair_up(&propose);

	if (!ret)
		ret = tw_propose_merge(&propose);
	if (!ret)
		add_head(g, &propose, &head);
	propose.head = head.data;
	if (!ret)
		ret = head.failed ? -ENOMEM
				  : tw_propose_print(&propose, in_force->text.data,
					    in_force->text.len, &out);
	if (ret < 0)
		code = tw_report_memory();
	if (!code)
		code = prove(&out, in_force, &g->seen, &allowed, &left);
	if (!code && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout)))
		code = tw_report_error(TW_EXIT_INTERNAL, "stdout", NULL, "cannot write the output");
	if (!code)
		tell(g, &propose, allowed, left);
	tw_propose_done(&propose);
	return code;
}

int tw_propose_run(const void *values)
{
	struct tw_propose_options options = *(const struct tw_propose_options *)values;
	struct tw_gathered_policy in_force = {0};
	struct tw_gathered gathered = {0};
	tw_rights_granted granted = {0};
	int code = tw_filter_init(&options.gather.filter);

	if (!code)
		code = tw_gather_policy(options.gather.socket, &in_force);
	if (!code && !in_force.policy)
		code = tw_report_error(TW_EXIT_NO, options.gather.socket,
			"apply one with the workloads, no rules, and options: {mode: observe}",
			"no policy is in force");
	if (!code)
		code = tw_gather(&options.gather, &gathered);
	if (!code)
		tw_rights_settle(&gathered.rights, in_force.policy);
	if (!code && options.rights &&
		tw_rights_grant(&gathered.rights, in_force.policy, &granted) < 0)
		code = tw_report_memory();
	if (!code)
		code = draft(&options, &gathered, &in_force);
	tw_gathered_done(&gathered);
	tw_gathered_policy_done(&in_force);
	tw_vec_done(&granted);
	return code;
}
