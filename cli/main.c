/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "cli/style.h"

int main(int argc, char **argv)
{
	int exit_code;

	tw_style_init();
	exit_code = tw_args_main(&tw_cli_program, argc, argv);
	if (fflush(stdout) || ferror(stdout))
		return tw_report_error(TW_EXIT_INTERNAL, "stdout", NULL, "cannot write the output");
	return exit_code;
}
