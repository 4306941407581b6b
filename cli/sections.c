/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Sections of the help and the manual of `tapwall` that concern all verbs. */
#include "cli/cli.h"

const struct tw_args_section tw_cli_sections[] = {
	{"EXIT STATUS", "*0*\n\tsuccess, or allowed\n\n"
			"*1*\n\tthe answer is no: denied, or the policy is invalid\n\n"
			"*2*\n\twrong usage\n\n"
			"*3*\n\tpermission denied, or the kernel lacks a feature\n\n"
			"*4*\n\tthe agent cannot be reached\n\n"
			"*5*\n\tinternal error\n"},
	{"ENVIRONMENT",
		"*NO\\_COLOR*\n\tif set, output has no colour; output that is not to a terminal never has any\n\n"
		"*TAPWALL\\_SOCKET*\n\tthe agent's socket, if *--socket* is not given\n\n"
		"*TAPWALL\\_SLOW*\n\tthe socket of *tapwall-slowd*, if *--slow* is not given\n"},
	{"FILES", "_/run/tapwall/agent.sock_\n\tthe agent's socket, accessible to root and the "
		  "group tapwall\n\n"
		  "_/etc/tapwall/policy.yaml_\n\tthe policy that the agent starts with\n"},
	{"SEE ALSO", "*tapwall*(1), *tapwalld*(8), *tapwall-slowd*(8)\n"},
};
