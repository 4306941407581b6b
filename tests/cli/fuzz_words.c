/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer: any bytes as a line of `explain --batch`. A JSON parser reads every line that the fast
 * reader accepts, with the same result. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check_word(const json_t *object, const char *key, const char *word)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	if (!value || json_is_null(value))
		require(!word);
	else if (text)
		require(word && !strcmp(word, text));
	else
		require(word && json_is_integer(value) &&
			strtoll(word, NULL, 10) == json_integer_value(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char room[TW_BATCH_ROOM];
	struct tw_tuple_words words;
	struct tw_err err = {0};
	json_t *object;
	char *line;

	if (memchr(data, '\n', len))
		return 0;
	line = malloc(len + 1);
	require(line != NULL);
	if (len)
		memcpy(line, data, len);
	object = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);
	if (tw_batch_words(line, len, room, &words, &err) < 0) {
		require(err.text[0] != '\0');
	} else {
		require(json_is_object(object));
		check_word(object, "from", words.end[TW_DIR_OUT]);
		check_word(object, "to", words.end[TW_DIR_IN]);
		check_word(object, "proto", words.proto);
		check_word(object, "sport", words.sport);
		check_word(object, "dport", words.dport);
		check_word(object, "type", words.type);
		check_word(object, "code", words.code);
	}
	json_decref(object);
	free(line);
	return 0;
}
