/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

static bool takes_value(const struct tw_arg *arg)
{
	return arg->type != TW_ARG_FLAG;
}

/* Returns the edit distance of two names, to suggest a name for a mistyped one; 64 if either is too
 * long. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], len_a = strlen(a), len_b = strlen(b);

	if (len_a >= 64 || len_b >= 64)
		return 64;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[len_b];
}

const struct tw_args_command *tw_args_find(const struct tw_args_program *program, const char *name)
{
	for (size_t i = 0; i < program->n_commands; i++)
		if (program->commands[i].name && !strcmp(program->commands[i].name, name))
			return &program->commands[i];
	return NULL;
}

static const struct tw_arg *find_option(
	const struct tw_args_command *command, const char *name, size_t len)
{
	for (size_t i = 0; i < command->n_args; i++) {
		const struct tw_arg *arg = &command->args[i];

		if (!arg->positional && strlen(arg->name) == len && !strncmp(arg->name, name, len))
			return arg;
	}
	return NULL;
}

static const struct tw_arg *find_letter(const struct tw_args_command *command, char letter)
{
	for (size_t i = 0; i < command->n_args; i++)
		if (command->args[i].letter == letter)
			return &command->args[i];
	return NULL;
}

static const struct tw_arg *find_positional(const struct tw_args_command *command, size_t index)
{
	for (size_t i = 0; i < command->n_args; i++)
		if (command->args[i].positional && !index--)
			return &command->args[i];
	return NULL;
}

/* Writes the argument as a user types it, --ports or FILE, and returns `text`. */
static const char *spelling(const struct tw_arg *arg, char *text, size_t max)
{
	snprintf(text, max, "%s%s", arg->positional ? "" : "--", arg->name);
	return text;
}

static int store_u32(const struct tw_arg *arg, const char *text, uint32_t *ret, struct tw_err *err)
{
	uint32_t max = arg->max ? arg->max : UINT32_MAX;
	unsigned long long number;
	char name[64], *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || number < arg->min || number > max)
		return tw_err_set(err, -EINVAL, spelling(arg, name, sizeof(name)), NULL,
			"'%s' is not a number from %u to %u", text, arg->min, max);
	*ret = (uint32_t)number;
	return 0;
}

static int store_choice(
	const struct tw_arg *arg, const char *text, unsigned int *ret, struct tw_err *err)
{
	char list[128] = "", name[64];

	for (unsigned int i = 0; arg->choices[i]; i++) {
		size_t len = strlen(list);

		if (!strcmp(arg->choices[i], text)) {
			*ret = i;
			return 0;
		}
		snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", arg->choices[i]);
	}
	return tw_err_set(err, -EINVAL, spelling(arg, name, sizeof(name)), NULL,
		"'%s' is not a choice; write one of: %s", text, list);
}

static int store(const struct tw_arg *arg, const char *text, void *values, struct tw_err *err)
{
	void *value = (char *)values + arg->offset;

	switch (arg->type) {
	case TW_ARG_FLAG:
		*(bool *)value = true;
		return 0;
	case TW_ARG_TEXT:
	case TW_ARG_FILE:
		*(const char **)value = text;
		return 0;
	case TW_ARG_U32:
		return store_u32(arg, text, value, err);
	case TW_ARG_CHOICE:
		return store_choice(arg, text, value, err);
	}
	return -EINVAL;
}

static int unknown_option(
	const struct tw_args_command *command, const char *given, struct tw_err *err)
{
	const char *name = given + strspn(given, "-"), *best = NULL;
	size_t best_distance = 3;
	char hint[96] = "";

	for (size_t i = 0; i < command->n_args; i++) {
		const struct tw_arg *arg = &command->args[i];

		if (!arg->positional && distance(name, arg->name) < best_distance) {
			best = arg->name;
			best_distance = distance(name, best);
		}
	}
	if (best)
		snprintf(hint, sizeof(hint), "did you mean --%s?", best);
	return tw_err_set(err, -EINVAL, given, best ? hint : "see --help", "unknown option");
}

/* Parses the option at argv[*i] and its value. If the value is the next word, moves `*i` to it. */
static int parse_option(const struct tw_args_command *command, int argc, char **argv, int *i,
	void *values, struct tw_err *err)
{
	const char *word = argv[*i], *value = NULL;
	const struct tw_arg *arg;

	if (word[1] == '-') {
		size_t len = strcspn(word + 2, "=");

		arg = find_option(command, word + 2, len);
		value = word[2 + len] ? word + 2 + len + 1 : NULL;
	} else {
		arg = find_letter(command, word[1]);
		value = word[2] ? word + 2 : NULL;
	}
	if (!arg)
		return unknown_option(command, word, err);
	if (!takes_value(arg) && value)
		return tw_err_set(err, -EINVAL, word, NULL, "takes no value");
	if (takes_value(arg) && !value) {
		if (*i + 1 >= argc)
			return tw_err_set(err, -EINVAL, word, "see --help", "needs a value");
		value = argv[++*i];
	}
	return store(arg, value, values, err);
}

static int check_required(
	const struct tw_args_command *command, const bool *given, struct tw_err *err)
{
	char name[64];

	for (size_t i = 0; i < command->n_args; i++) {
		const struct tw_arg *arg = &command->args[i];

		if (arg->required && !given[i])
			return tw_err_set(err, -EINVAL, command->name, "see --help",
				"%s is missing", spelling(arg, name, sizeof(name)));
	}
	return 0;
}

/* Returns the value of an option that is not given, or NULL. An empty variable counts as unset. */
static const char *fallback_of(const struct tw_arg *arg)
{
	const char *value = arg->environment ? getenv(arg->environment) : NULL;

	return value && *value ? value : arg->fallback;
}

int tw_args_parse(const struct tw_args_command *command, int argc, char **argv, void *values,
	struct tw_err *err)
{
	tw_autofree bool *given = tw_alloc_array(command->n_args, sizeof(*given));
	bool only_positional = false;
	size_t n_positional = 0;
	int ret;

	if (!given)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "out of memory");
	memset(values, 0, command->values_size);
	for (size_t i = 0; i < command->n_args; i++) {
		const char *fallback = fallback_of(&command->args[i]);

		ret = fallback ? store(&command->args[i], fallback, values, err) : 0;
		if (ret < 0)
			return ret;
	}
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];
		const struct tw_arg *arg;

		if (!only_positional && !strcmp(word, "--")) {
			only_positional = true;
			continue;
		}
		if (!only_positional && word[0] == '-' && word[1]) {
			ret = parse_option(command, argc, argv, &i, values, err);
			arg = word[1] == '-'
				      ? find_option(command, word + 2, strcspn(word + 2, "="))
				      : find_letter(command, word[1]);
		} else {
			arg = find_positional(command, n_positional++);
			if (!arg)
				return tw_err_set(err, -EINVAL, command->name, "see --help",
					"unexpected argument '%s'", word);
			ret = store(arg, word, values, err);
		}
		if (ret < 0)
			return ret;
		given[arg - command->args] = true;
	}
	return check_required(command, given, err);
}

static int fail(const struct tw_args_program *program, const struct tw_err *err)
{
	tw_err_print(stderr, program->name, err);
	return TW_EXIT_USAGE;
}

static int fail_command(const struct tw_args_program *program, const char *name)
{
	size_t best_distance = 3;
	const char *best = NULL;
	struct tw_err err;
	char hint[96] = "";

	for (size_t i = 0; i < program->n_commands; i++)
		if (distance(name, program->commands[i].name) < best_distance) {
			best = program->commands[i].name;
			best_distance = distance(name, best);
		}
	if (best)
		snprintf(hint, sizeof(hint), "did you mean %s?", best);
	else
		snprintf(hint, sizeof(hint), "%s",
			name[0] == '-' ? "write the command first" : "see --help");
	tw_err_set(&err, -EINVAL, name, hint,
		name[0] == '-' ? "a command is missing" : "unknown command");
	return fail(program, &err);
}

/* Handles the options that every program has. True if `word` was one of them. */
static bool answer_common(const struct tw_args_program *program,
	const struct tw_args_command *command, const char *word)
{
	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		tw_args_print_help(stdout, program, command);
	else if (!strcmp(word, "--version"))
		printf("%s %s\n", program->name, TW_VERSION);
	else if (!strcmp(word, "--print-man"))
		tw_args_print_man(stdout, program, command);
	else if (!strcmp(word, "--print-completion"))
		tw_args_print_completion(stdout, program);
	else
		return false;
	return true;
}

/* Returns the number of words that `--name` takes with its value: 1 or 2, or 0 if that depends on the
 * command. */
static int count_words(const struct tw_args_program *program, const char *name)
{
	int words = 0;

	for (size_t i = 0; i < program->n_commands; i++) {
		const struct tw_arg *arg = find_option(&program->commands[i], name, strlen(name));
		int n = !arg ? words : takes_value(arg) ? 2 : 1;

		if (words && n != words)
			return 0;
		words = n;
	}
	return words ? words : 1;
}

/* Moves the command to the front of the long options that precede it. The command is not moved past options
 * whose meaning depends on it, such as letters. */
static void move_command(const struct tw_args_program *program, int argc, char **argv)
{
	int at = 1, words = 1;

	while (at < argc && words && !strncmp(argv[at], "--", 2)) {
		words = count_words(program, argv[at] + 2);
		at += words;
	}
	if (words && at < argc) {
		char *command = argv[at];

		memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof(*argv));
		argv[1] = command;
	}
}

/* Answers `help` and `help COMMAND`. */
static int answer_help(const struct tw_args_program *program, const char *name)
{
	const struct tw_args_command *command = name ? tw_args_find(program, name) : NULL;

	if (name && !command)
		return fail_command(program, name);
	tw_args_print_help(stdout, program, command);
	return fflush(stdout) ? TW_EXIT_INTERNAL : 0;
}

int tw_args_main(const struct tw_args_program *program, int argc, char **argv)
{
	const struct tw_args_command *command = NULL;
	tw_autofree void *values = NULL;
	struct tw_err err = {0};
	int first = 1;

	if (!program->commands[0].name) {
		command = &program->commands[0];
	} else if (argc < 2) {
		tw_args_print_help(stderr, program, NULL);
		return TW_EXIT_USAGE;
	} else {
		move_command(program, argc, argv);
		if (!strcmp(argv[1], "help"))
			return answer_help(program, argc > 2 && argv[2][0] != '-' ? argv[2] : NULL);
		if (argv[1][0] != '-') {
			command = tw_args_find(program, argv[1]);
			if (!command)
				return fail_command(program, argv[1]);
			first = 2;
		}
	}
	for (int i = first; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (answer_common(program, command, argv[i]))
			return fflush(stdout) ? TW_EXIT_INTERNAL : 0;
	if (!command)
		return fail_command(program, argv[1]);
	values = tw_alloc(command->values_size);
	if (!values) {
		tw_err_set(&err, -ENOMEM, NULL, NULL, "out of memory");
		tw_err_print(stderr, program->name, &err);
		return TW_EXIT_INTERNAL;
	}
	if (tw_args_parse(command, argc - first, argv + first, values, &err) < 0)
		return fail(program, &err);
	return command->run(values);
}
