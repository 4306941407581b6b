/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* args.h: commands and options as data, from which parsing, help, man page and completion derive.
 *
 *	struct check { const char *file; bool json; };
 *	static const struct tw_arg check_args[] = {
 *		{"FILE", TW_ARG_FILE, offsetof(struct check, file), .positional = true,
 *			.required = true, .help = "the policy"},
 *		{"json", TW_ARG_FLAG, offsetof(struct check, json), .help = "one object a line"},
 *	};
 *	static int check_run(const void *values) { const struct check *o = values; … }
 *	static const struct tw_args_command commands[] = {
 *		{"check", "reads a policy and tells what is wrong", check_args,
 *			TW_ARGS_N(check_args), sizeof(struct check), check_run},
 *	};
 *	static const struct tw_args_program program = {"tapwall", 8, "…", commands, 1};
 *	int main(int argc, char **argv) { return tw_args_main(&program, argc, argv); }
 *
 * A program without verbs has one command whose name is NULL. --help, --version, --print-man and
 * --print-completion are understood everywhere and need no row; behind a verb --print-man gives the
 * verb's own page.
 * Callers:    the programs' mains; texts are UTF-8, without a final full stop where one line.
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
	const char *name; /* long option without dashes; of a positional its name in the help */
	enum tw_arg_type type;
	size_t offset; /* of its value in the command's values */
	char letter;   /* short option, or 0 */
	bool positional;
	bool required;
	const char *value;	    /* what stands for the value in the help; NULL: by type */
	const char *const *choices; /* NULL-terminated */
	const char *fallback;	    /* the value when not given, as text; NULL: all zero */
	const char *complete; /* words that complete a TW_ARG_TEXT, as compgen -W takes them */
	uint32_t min, max;    /* of TW_ARG_U32; max 0: no limit */
	const char *help;
};

/* A call worth showing, and what it does. */
struct tw_args_example {
	const char *call;
	const char *does;
};

struct tw_args_command {
	const char *name; /* NULL: the program itself */
	const char *summary;
	const struct tw_arg *args;
	size_t n_args;
	size_t values_size;
	int (*run)(const void *values);		/* returns the exit code */
	const char *description;		/* paragraphs for the man page, scdoc(5), or NULL */
	const struct tw_args_example *examples; /* or NULL */
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
	const char *description;		/* as of a command */
	const struct tw_args_section *sections; /* further parts of the man page, or NULL */
	size_t n_sections;
};

#define TW_ARGS_N(table) (sizeof(table) / sizeof((table)[0]))

/* Whole life of a command-line program: finds the command, parses, runs it, returns the exit code.
 * Wrong usage is told on stderr and returns TW_EXIT_USAGE. */
int tw_args_main(const struct tw_args_program *program, int argc, char **argv);

/* The command called `name`, or NULL. */
const struct tw_args_command *tw_args_find(const struct tw_args_program *program, const char *name);

/* Parses argv[0 … argc) (without program and verb) into `values`, which has values_size bytes.
 * 0, or -EINVAL with `err` filled; `values` is then of no use. */
int tw_args_parse(const struct tw_args_command *command, int argc, char **argv, void *values,
	struct tw_err *err);

/* `command` NULL: the program with the list of its commands. */
void tw_args_print_help(
	FILE *out, const struct tw_args_program *program, const struct tw_args_command *command);
/* scdoc source; `command` NULL: the page of the program, else the page of one verb. */
void tw_args_print_man(
	FILE *out, const struct tw_args_program *program, const struct tw_args_command *command);
void tw_args_print_completion(FILE *out, const struct tw_args_program *program); /* for bash */
