/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* args.h: commands and options as data, from which parsing, help, man page and completion derive.
 *
 *	struct check { const char *file; bool json; };
 *	static const struct tw_arg check_args[] = {
 *		{"FILE", TW_ARG_FILE, offsetof(struct check, file), .positional = true,
 *			.required = true, .help = "Policy to read"},
 *		{"json", TW_ARG_FLAG, offsetof(struct check, json), .help = "Print JSON"},
 *	};
 *	static int check_run(const void *values) { const struct check *o = values; … }
 *	static const struct tw_args_command commands[] = {
 *		{"check", "Check a policy", check_args,
 *			TW_ARGS_N(check_args), sizeof(struct check), check_run},
 *	};
 *	static const struct tw_args_program program = {"tapwall", 8, "…", commands, 1};
 *	int main(int argc, char **argv) { return tw_args_main(&program, argc, argv); }
 *
 * A program without verbs has one command whose name is NULL. Every program understands --help,
 * --version, --print-man and --print-completion without a row in its table. After a verb,
 * --print-man prints that verb's page.
 * Callers:    the programs' mains. Texts are UTF-8. One-line texts have no final full stop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/exit.h"

enum tw_arg_type {
	TW_ARG_FLAG,   /* bool */
	TW_ARG_TEXT,   /* const char *, points into argv or the table */
	TW_ARG_FILE,   /* const char *, completed as a file name */
	TW_ARG_U32,    /* uint32_t, decimal, within min … max */
	TW_ARG_CHOICE, /* unsigned int, index into choices */
};

/* One option or positional argument. */
struct tw_arg {
	const char *name; /* long option without dashes, or the name of a positional in the help */
	enum tw_arg_type type;
	size_t offset; /* offset of its value in the command's values */
	char letter;   /* short option, or 0 */
	bool positional;
	bool required;
	const char *value; /* placeholder for the value in the help; NULL: chosen by type */
	const char *const *choices; /* NULL-terminated */
	const char *fallback;	    /* default value as text; NULL: all zero */
	const char *environment;    /* variable whose value replaces `fallback`, or NULL */
	const char *complete; /* words that complete a TW_ARG_TEXT, as compgen -W takes them */
	uint32_t min, max;    /* limits of a TW_ARG_U32; max 0 means no limit */
	const char *help;
};

/* An example for the help and the man page: a command line and what it does. */
struct tw_args_example {
	const char *call;
	const char *does;
};

struct tw_args_command {
	const char *name; /* NULL for the only command of a program without verbs */
	const char *summary;
	const struct tw_arg *args;
	size_t n_args;
	size_t values_size;
	int (*run)(const void *values);		/* returns the exit code */
	const char *description;		/* paragraphs for the man page, scdoc(5), or NULL */
	const struct tw_args_example *examples; /* NULL: none */
	size_t n_examples;
};

struct tw_args_section {
	const char *title;
	const char *text; /* scdoc(5) source, ends with a newline */
};

struct tw_args_program {
	const char *name;
	unsigned int man_section;
	const char *summary;
	const struct tw_args_command *commands;
	size_t n_commands;
	const char *description;		/* paragraphs for the man page, scdoc(5), or NULL */
	const struct tw_args_section *sections; /* further parts of the man page, or NULL */
	size_t n_sections;
};

#define TW_ARGS_N(table) (sizeof(table) / sizeof((table)[0]))

/* Runs a command-line program: finds the command, parses its arguments, runs it and returns the
 * exit code. If the usage is wrong, prints why to stderr and returns TW_EXIT_USAGE. */
int tw_args_main(const struct tw_args_program *program, int argc, char **argv);

/* Returns the command called `name`, or NULL. */
const struct tw_args_command *tw_args_find(const struct tw_args_program *program, const char *name);

/* Parses argv[0 … argc) (without program and verb) into `values`, which has values_size bytes.
 * Returns 0, or -EINVAL with `err` filled; the contents of `values` are then undefined. */
int tw_args_parse(const struct tw_args_command *command, int argc, char **argv, void *values,
	struct tw_err *err);

/* Prints the help of one command. If `command` is NULL, prints the program's list of commands. */
void tw_args_print_help(
	FILE *out, const struct tw_args_program *program, const struct tw_args_command *command);
/* Prints scdoc source of a verb's man page. If `command` is NULL, prints the program's page. */
void tw_args_print_man(
	FILE *out, const struct tw_args_program *program, const struct tw_args_command *command);
/* Prints the completion for bash. */
void tw_args_print_completion(FILE *out, const struct tw_args_program *program);
