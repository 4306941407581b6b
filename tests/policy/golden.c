/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* golden FOLDER: prints for each *.yaml there all messages about it, and, if it is valid, its
 * canonical form and its lowered rules. Compares that with the .txt beside it. TW_GOLDEN_WRITE=1 in
 * the environment writes the .txt files instead.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/files.h"
#include "policy/policy.h"

static int read_file(const char *path, struct tw_buf *ret)
{
	tw_autofile FILE *file = fopen(path, "r");
	char block[4096];
	size_t len;

	if (!file)
		return -errno;
	while ((len = fread(block, 1, sizeof(block), file)) > 0)
		tw_buf_add(ret, block, len);
	return ferror(file) || ret->failed ? -EIO : 0;
}

static int write_file(const char *path, const struct tw_buf *text)
{
	tw_autofile FILE *file = fopen(path, "w");

	return file && fwrite(text->data, 1, text->len, file) == text->len ? 0 : -EIO;
}

static void describe(const struct tw_buf *text, struct tw_buf *out)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	int err = tw_policy_read(text->data, text->len, &policy, &diags);

	if (tw_files_place(text->data, text->len, &diags) < 0)
		err = -ENOMEM;
	for (size_t i = 0; i < diags.n; i++) {
		const struct tw_diag *d = &diags.at[i];

		tw_buf_addf(out, "%s%s%u:%u: %s: %s%s%s\n", d->file ? d->file : "",
			d->file ? ":" : "", d->file ? d->file_line : d->line, d->column,
			d->severity == TW_SEV_ERROR ? "error" : "warning", d->text,
			d->hint ? "; " : "", d->hint ? d->hint : "");
	}
	tw_diags_done(&diags);
	if (err) {
		tw_buf_adds(out, err == -EINVAL ? "invalid\n" : "failed\n");
		return;
	}
	tw_buf_adds(out, "--- canonical\n");
	tw_policy_print(policy, out);
	tw_buf_adds(out, "--- lowered\n");
	tw_policy_print_lowered(policy, out);
}

/* Shows the first line that differs. */
static void show_difference(const char *path, const char *got, const char *wanted)
{
	size_t line = 1, start = 0;

	for (size_t i = 0; got[i] && got[i] == wanted[i]; i++)
		if (got[i] == '\n') {
			line++;
			start = i + 1;
		}
	printf("%s:%zu: differs\n  wanted: %.*s\n  got:    %.*s\n", path, line,
		(int)strcspn(wanted + start, "\n"), wanted + start, (int)strcspn(got + start, "\n"),
		got + start);
}

static int check(const char *yaml, bool write)
{
	tw_auto_buf struct tw_buf text = {0}, got = {0}, wanted = {0}, path = {0};

	tw_buf_addf(&path, "%.*s.txt", (int)(strlen(yaml) - strlen(".yaml")), yaml);
	tw_buf_adds(&text, "");
	if (read_file(yaml, &text) < 0) {
		printf("%s: cannot be read\n", yaml);
		return 1;
	}
	describe(&text, &got);
	if (write)
		return write_file(path.data, &got) < 0;
	if (read_file(path.data, &wanted) < 0) {
		printf("%s: cannot be read; TW_GOLDEN_WRITE=1 writes it\n", path.data);
		return 1;
	}
	if (got.len == wanted.len && !memcmp(got.data, wanted.data, got.len))
		return 0;
	show_difference(path.data, got.data, wanted.data ? wanted.data : "");
	return 1;
}

int main(int argc, char **argv)
{
	const char *write = getenv("TW_GOLDEN_WRITE");
	tw_auto_buf struct tw_buf pattern = {0};
	glob_t found;
	int failed = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: golden FOLDER\n");
		return 2;
	}
	tw_buf_addf(&pattern, "%s/*.yaml", argv[1]);
	if (pattern.failed || glob(pattern.data, 0, NULL, &found)) {
		fprintf(stderr, "golden: %s contains no policy\n", argv[1]);
		return 1;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		failed += check(found.gl_pathv[i], write && *write);
	printf("%zu policies, %d differ\n", found.gl_pathc, failed);
	globfree(&found);
	return failed ? 1 : 0;
}
