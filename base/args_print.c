/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "base/args.h"

#define HELP_INDENT 28
#define HELP_WIDTH  80

static const struct tw_arg common_args[] = {
	{.name = "help", .type = TW_ARG_FLAG, .letter = 'h', .help = "Print this help"},
	{.name = "version", .type = TW_ARG_FLAG, .help = "Print the version"},
};

static const char *placeholder(const struct tw_arg *arg)
{
	if (arg->value)
		return arg->value;
	switch (arg->type) {
	case TW_ARG_FILE:
		return "FILE";
	case TW_ARG_U32:
		return "N";
	case TW_ARG_FLAG:
	case TW_ARG_TEXT:
	case TW_ARG_CHOICE:
		break;
	}
	return "TEXT";
}

static void format_value(const struct tw_arg *arg, char *text, size_t max)
{
	size_t len = 0;

	text[0] = '\0';
	if (arg->type == TW_ARG_FLAG)
		return;
	if (arg->type != TW_ARG_CHOICE || arg->value) {
		snprintf(text, max, "%s", placeholder(arg));
		return;
	}
	for (size_t i = 0; arg->choices[i] && len < max; i++)
		len += (size_t)snprintf(
			text + len, max - len, "%s%s", i ? "|" : "", arg->choices[i]);
}

/* Returns the number of columns that `text` takes on a terminal. UTF-8 continuation bytes take
 * none. */
static size_t columns(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

/* Prints `text` in lines of at most HELP_WIDTH columns. The cursor must be at column
 * HELP_INDENT. */
static void print_wrapped(FILE *out, const char *text)
{
	size_t column = HELP_INDENT;

	while (*text) {
		size_t len = strcspn(text, " "), width = columns(text, len);

		if (column > HELP_INDENT && column + 1 + width > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		} else if (column > HELP_INDENT) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)len, text);
		column += width;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_row(FILE *out, const char *left, const char *right)
{
	size_t width = 2 + columns(left, strlen(left));

	fprintf(out, "  %s", left);
	if (width + 2 > HELP_INDENT)
		fprintf(out, "\n%*s", HELP_INDENT, "");
	else
		fprintf(out, "%*s", (int)(HELP_INDENT - width), "");
	print_wrapped(out, right);
}

static void print_arg(FILE *out, const struct tw_arg *arg)
{
	char left[160], value[128], right[512], letter[8] = "";

	format_value(arg, value, sizeof(value));
	if (arg->letter)
		snprintf(letter, sizeof(letter), "-%c, ", arg->letter);
	if (arg->positional)
		snprintf(left, sizeof(left), "%s", arg->name);
	else
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, arg->name, value[0] ? " " : "",
			value);
	snprintf(right, sizeof(right), "%s%s%s%s", arg->help, arg->fallback ? " (default " : "",
		arg->fallback ? arg->fallback : "", arg->fallback ? ")" : "");
	print_row(out, left, right);
}

static void print_usage(FILE *out, const struct tw_args_program *program,
	const struct tw_args_command *command, const char *bold)
{
	bool optional = false;

	fprintf(out, "%s%s%s%s%s", bold, program->name, command->name ? " " : "",
		command->name ? command->name : "", bold);
	for (size_t i = 0; i < command->n_args; i++) {
		const struct tw_arg *arg = &command->args[i];
		char value[128];

		if (arg->positional)
			continue;
		format_value(arg, value, sizeof(value));
		if (arg->required)
			fprintf(out, " --%s %s", arg->name, value);
		else
			optional = true;
	}
	if (optional)
		fputs(" [options]", out);
	for (size_t i = 0; i < command->n_args; i++)
		if (command->args[i].positional)
			fprintf(out, command->args[i].required ? " %s" : " [%s]",
				command->args[i].name);
	fputc('\n', out);
}

static void print_commands(FILE *out, const struct tw_args_program *program)
{
	fprintf(out, "usage: %s COMMAND [options]\n\n%s\n\ncommands:\n", program->name,
		program->summary);
	for (size_t i = 0; i < program->n_commands; i++)
		print_row(out, program->commands[i].name, program->commands[i].summary);
	fprintf(out, "\nRun '%s COMMAND --help' for the options of a command.\n", program->name);
}

void tw_args_print_help(
	FILE *out, const struct tw_args_program *program, const struct tw_args_command *command)
{
	if (!command) {
		print_commands(out, program);
		return;
	}
	fputs("usage: ", out);
	print_usage(out, program, command, "");
	fprintf(out, "\n%s\n\n", command->summary);
	for (size_t i = 0; i < command->n_args; i++)
		print_arg(out, &command->args[i]);
	for (size_t i = 0; i < TW_ARGS_N(common_args); i++)
		print_arg(out, &common_args[i]);
	for (size_t i = 0; i < command->n_examples; i++)
		fprintf(out, "%s  %s\n      %s\n", i ? "" : "\nexamples:\n",
			command->examples[i].call, command->examples[i].does);
}

/* Prints plain text as scdoc source: escapes the characters that scdoc reads as markup. */
static void print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("*_\\[]|#~", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void print_man_arg(FILE *out, const struct tw_arg *arg)
{
	char value[128];

	format_value(arg, value, sizeof(value));
	if (arg->letter)
		fprintf(out, "*-%c*, ", arg->letter);
	fprintf(out, "*%s%s*", arg->positional ? "" : "--", arg->name);
	if (value[0] && !arg->positional) {
		fputs(" _", out);
		print_escaped(out, value);
		fputc('_', out);
	}
	fputs("\n\t", out);
	print_escaped(out, arg->help);
	if (arg->fallback) {
		fputs(" (default ", out);
		print_escaped(out, arg->fallback);
		fputc(')', out);
	}
	fputs(".\n\n", out);
}

static void print_man_command(
	FILE *out, const struct tw_args_program *program, const struct tw_args_command *command)
{
	if (command->name) {
		fprintf(out, "## %s\n\n", command->name);
		print_usage(out, program, command, "*");
		fputc('\n', out);
		print_escaped(out, command->summary);
		fputs(".\n\n", out);
	}
	if (command->description)
		fprintf(out, "%s\n\n", command->description);
	for (size_t i = 0; i < command->n_args; i++)
		print_man_arg(out, &command->args[i]);
}

static void print_man_head(
	FILE *out, const struct tw_args_program *program, const char *page, const char *summary)
{
	fprintf(out, "%s(%u) \"tapwall %s\"\n\n# NAME\n\n%s - ", page, program->man_section,
		TW_VERSION, page);
	print_escaped(out, summary);
	fputs("\n\n# SYNOPSIS\n\n", out);
}

static void print_man_common(FILE *out)
{
	for (size_t i = 0; i < TW_ARGS_N(common_args); i++)
		print_man_arg(out, &common_args[i]);
}

static void print_man_sections(FILE *out, const struct tw_args_program *program)
{
	for (size_t i = 0; i < program->n_sections; i++)
		fprintf(out, "# %s\n\n%s\n", program->sections[i].title, program->sections[i].text);
}

static void print_man_examples(FILE *out, const struct tw_args_command *command)
{
	if (command->n_examples)
		fputs("# EXAMPLES\n\n", out);
	for (size_t i = 0; i < command->n_examples; i++) {
		fputc('*', out);
		print_escaped(out, command->examples[i].call);
		fputs("*\n\t", out);
		print_escaped(out, command->examples[i].does);
		fputs("\n\n", out);
	}
}

/* Prints the man page of one verb: program-verb(section). */
static void print_man_verb(
	FILE *out, const struct tw_args_program *program, const struct tw_args_command *command)
{
	char page[64];

	snprintf(page, sizeof(page), "%s-%s", program->name, command->name);
	print_man_head(out, program, page, command->summary);
	print_usage(out, program, command, "*");
	if (command->description)
		fprintf(out, "\n# DESCRIPTION\n\n%s\n", command->description);
	fputs("\n# OPTIONS\n\n", out);
	for (size_t i = 0; i < command->n_args; i++)
		print_man_arg(out, &command->args[i]);
	print_man_common(out);
	print_man_examples(out, command);
	print_man_sections(out, program);
}

void tw_args_print_man(
	FILE *out, const struct tw_args_program *program, const struct tw_args_command *command)
{
	bool verbs = program->commands[0].name != NULL;

	if (command && command->name) {
		print_man_verb(out, program, command);
		return;
	}
	print_man_head(out, program, program->name, program->summary);
	if (verbs)
		fprintf(out, "*%s* _COMMAND_ [options]\n\n", program->name);
	else
		print_usage(out, program, &program->commands[0], "*");
	if (program->description)
		fprintf(out, "\n# DESCRIPTION\n\n%s\n", program->description);
	fprintf(out, "\n# %s\n\n", verbs ? "COMMANDS" : "OPTIONS");
	for (size_t i = 0; i < program->n_commands; i++)
		print_man_command(out, program, &program->commands[i]);
	if (verbs)
		fputs("# OPTIONS\n\n", out);
	print_man_common(out);
	print_man_sections(out, program);
}

static void print_completion_words(FILE *out, const struct tw_args_command *command)
{
	const char *words = NULL;

	for (size_t i = 0; i < command->n_args; i++) {
		const struct tw_arg *arg = &command->args[i];

		if (!arg->positional)
			fprintf(out, "--%s ", arg->name);
		else if (arg->complete)
			words = arg->complete;
	}
	/* Positional arguments of one command complete to the same words. */
	if (words)
		fprintf(out, "%s ", words);
	fputs("--help", out);
}

/* Prints one `case` row for each option of the command that takes a value. */
static void print_completion_values(FILE *out, const struct tw_args_command *command)
{
	const char *verb = command->name ? command->name : "";

	for (size_t i = 0; i < command->n_args; i++) {
		const struct tw_arg *arg = &command->args[i];

		if (arg->positional || arg->type == TW_ARG_FLAG)
			continue;
		fprintf(out, "\t'%s --%s')", verb, arg->name);
		if (arg->type == TW_ARG_FILE) {
			fputs(" COMPREPLY=($(compgen -f -- \"$cur\"));", out);
		} else if (arg->complete) {
			fprintf(out, " COMPREPLY=($(compgen -W '%s' -- \"$cur\"));", arg->complete);
		} else if (arg->type == TW_ARG_CHOICE) {
			fputs(" COMPREPLY=($(compgen -W '", out);
			for (size_t j = 0; arg->choices[j]; j++)
				fprintf(out, "%s%s", j ? " " : "", arg->choices[j]);
			fputs("' -- \"$cur\"));", out);
		}
		fputs(" return ;;\n", out);
	}
}

static bool has_file(const struct tw_args_command *command)
{
	for (size_t i = 0; i < command->n_args; i++)
		if (command->args[i].positional && command->args[i].type == TW_ARG_FILE)
			return true;
	return false;
}

void tw_args_print_completion(FILE *out, const struct tw_args_program *program)
{
	bool verbs = program->commands[0].name != NULL;

	fprintf(out, "# bash completion for %s\n_%s()\n{\n", program->name, program->name);
	fputs("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=\n",
		out);
	if (verbs) {
		fputs("\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W '", out);
		for (size_t i = 0; i < program->n_commands; i++)
			fprintf(out, "%s ", program->commands[i].name);
		fputs("--help --version' -- \"$cur\"))\n\t\treturn\n\tfi\n", out);
		fputs("\tverb=${COMP_WORDS[1]}\n", out);
	}
	fputs("\tcase \"$verb $prev\" in\n", out);
	for (size_t i = 0; i < program->n_commands; i++)
		print_completion_values(out, &program->commands[i]);
	fputs("\tesac\n\tcase \"$verb\" in\n", out);
	for (size_t i = 0; i < program->n_commands; i++) {
		const struct tw_args_command *command = &program->commands[i];

		fprintf(out, "\t'%s') COMPREPLY=($(compgen %s-W '",
			command->name ? command->name : "", has_file(command) ? "-f " : "");
		print_completion_words(out, command);
		fputs("' -- \"$cur\")) ;;\n", out);
	}
	fprintf(out, "\tesac\n}\ncomplete -o filenames -F _%s %s\n", program->name, program->name);
}
