/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/sharing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/path/bytes.h"
#include "policy/diag.h"
#include "policy/text.h"

#define NAMED_MAX 3 /* workloads named in a warning */

/* An address or CIDR of a vNIC. */
struct row {
	tw_u128 lo;
	tw_u128 hi;
	uint32_t nic;
	uint32_t at; /* number in `written` */
};

/* Some workloads by name, without duplicates. */
struct names {
	const char *at[NAMED_MAX + 1];
	size_t n;
};

/* A CIDR and the workloads concerned. */
struct cidr {
	const struct row *row; /* row of its second workload, otherwise of its only one */
	struct names holders;
	struct names inside; /* other workloads with addresses in it */
};

struct sharing {
	const struct tw_policy *policy;
	struct tw_diags *diags;
	TW_VEC(struct row) rows;
	struct cidr open[129]; /* CIDRs that contain the current row, widest first */
	size_t n_open;
};

static const struct tw_nic *nic_of(const struct sharing *s, const struct row *row)
{
	return &s->policy->nics.at[row->nic];
}

static bool is_v4(const struct sharing *s, const struct row *row)
{
	return tw_addr_is_v4(&nic_of(s, row)->written[row->at].addr);
}

static void note_name(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strcmp(names->at[i], name))
			return;
	if (names->n <= NAMED_MAX)
		names->at[names->n++] = name;
}

/* Orders rows so that a CIDR comes before everything in it, and equal ones are in the order of the
 * text. */
static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	if (x->hi != y->hi)
		return x->hi > y->hi ? -1 : 1;
	return (x->nic > y->nic) - (x->nic < y->nic);
}

/* True if the prefix is the whole of a family: only a router has that, and it contains every guest. */
static bool is_everything(const struct tw_prefix *prefix)
{
	return !prefix->len || (prefix->len == 96 && tw_addr_is_v4(&prefix->addr));
}

static int list_rows(struct sharing *s)
{
	bool wide = false;
	int err = 0;

	for (uint32_t i = 0; i < s->policy->nics.n && !err; i++) {
		const struct tw_nic *nic = &s->policy->nics.at[i];

		wide |= nic->pub.transit;
		for (uint32_t k = 0; k < nic->n_written && !err; k++) {
			const struct tw_prefix *prefix = &nic->written[k];
			struct row row = {
				tw_set_number(&prefix->addr), tw_prefix_last(prefix), i, k};

			if (!is_everything(prefix))
				err = tw_vec_push(&s->rows, row);
		}
	}
	if (!wide)
		s->rows.n = 0;
	if (s->rows.n)
		qsort(s->rows.at, s->rows.n, sizeof(*s->rows.at), compare_rows);
	return err;
}

/* Writes the names as "a, b and c". */
static const char *list_names(const struct names *names, char *to, size_t max)
{
	size_t shown = names->n > NAMED_MAX ? NAMED_MAX : names->n, len = 0;

	to[0] = '\0';
	for (size_t i = 0; i < shown; i++)
		len += (size_t)snprintf(to + len, max - len, "%s%s",
			!i				      ? ""
			: i + 1 == shown && names->n == shown ? " and "
							      : ", ",
			names->at[i]);
	if (names->n > shown)
		snprintf(to + len, max - len, " and others");
	return to;
}

static int close_cidr(struct sharing *s)
{
	const struct cidr *cidr = &s->open[--s->n_open];
	const struct tw_nic *nic = nic_of(s, cidr->row);
	char text[TW_PREFIX_TEXT_MAX], names[(NAMED_MAX + 1) * (TW_NAME_MAX + 5)];
	const struct tw_place *place = &nic->places[cidr->row->at];

	tw_prefix_format(&nic->written[cidr->row->at], text);
	if (cidr->holders.n > 1)
		return tw_diags_add(s->diags, TW_SEV_WARNING, nic->line + place->line,
			place->column,
			"list the addresses of each, unless they are routers for this prefix",
			"%s share %s: each may send from any address in it, and a rule that names one matches all",
			list_names(&cidr->holders, names, sizeof(names)), text);
	if (cidr->inside.n)
		return tw_diags_add(s->diags, TW_SEV_WARNING, nic->line + place->line,
			place->column, "list its own addresses, unless it is their router",
			"%s of %s contains addresses of %s: %s may send from them, and a rule that names %s matches them",
			text, nic->pub.workload, list_names(&cidr->inside, names, sizeof(names)),
			nic->pub.workload, nic->pub.workload);
	return 0;
}

/* Notes a row at the CIDRs that contain it, and opens it if it is a CIDR itself. */
static int enter_row(struct sharing *s, const struct row *row)
{
	const char *name = nic_of(s, row)->pub.workload;
	struct cidr *last;
	int err = 0;

	while (s->n_open && s->open[s->n_open - 1].row->hi < row->lo && !err)
		err = close_cidr(s);
	last = s->n_open ? &s->open[s->n_open - 1] : NULL;
	if (last && last->row->lo == row->lo && last->row->hi == row->hi) {
		note_name(&last->holders, name);
		if (last->holders.n == 2 && !strcmp(last->holders.at[1], name))
			last->row = row;
	} else if (row->lo < row->hi && !err) {
		s->open[s->n_open++] = (struct cidr){.row = row, .holders = {{name}, 1}};
	}
	for (size_t i = 0; i < s->n_open; i++) {
		struct cidr *cidr = &s->open[i];

		if (strcmp(cidr->holders.at[0], name) != 0 && is_v4(s, cidr->row) == is_v4(s, row))
			note_name(&cidr->inside, name);
	}
	return err;
}

int tw_sharing_check(const struct tw_policy *policy, struct tw_diags *diags)
{
	struct sharing s = {.policy = policy, .diags = diags};
	int err = list_rows(&s);

	for (size_t i = 0; i < s.rows.n && !err; i++)
		err = enter_row(&s, &s.rows.at[i]);
	while (s.n_open && !err)
		err = close_cidr(&s);
	tw_vec_done(&s.rows);
	return err;
}
