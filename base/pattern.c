/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/pattern.h"

#include <errno.h>
#include <string.h>

/* True if the text is accepted as an interface name. Such names are also used in nftables syntax. */
static bool is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || strchr("/\"\\*?[]{}", text[i]))
			return false;
	return true;
}

int tw_patterns_parse(
	const char *option, const char *text, struct tw_patterns *ret, struct tw_err *err)
{
	struct tw_patterns patterns = {0};

	for (const char *word = text;; word++) {
		size_t len = strcspn(word, ",");
		bool prefix = len && word[len - 1] == '*';
		struct tw_pattern *pattern = &patterns.at[patterns.n];
		size_t name_len = len - prefix;

		if (!len || name_len >= IFNAMSIZ || !is_name(word, name_len))
			return tw_err_set(err, -EINVAL, option,
				"give interface names, or beginnings of names followed by one *",
				"'%.*s' is not a pattern", (int)len, word);
		if (patterns.n == TW_PATTERNS_MAX)
			return tw_err_set(err, -EINVAL, option, "use beginnings of names",
				"more than %d patterns", TW_PATTERNS_MAX);
		memcpy(pattern->text, word, name_len);
		pattern->prefix = prefix;
		patterns.n++;
		word += len;
		if (!*word)
			break;
	}
	*ret = patterns;
	return 0;
}

bool tw_patterns_match(const struct tw_patterns *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->n; i++) {
		const struct tw_pattern *pattern = &patterns->at[i];
		size_t len = strlen(pattern->text);

		if (!strncmp(name, pattern->text, len) && (pattern->prefix || !name[len]))
			return true;
	}
	return false;
}
