/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* options.h: the options of the agent's command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Uses of cut-through: VSWITCH: never; CUT_THROUGH: unless the host filters, limits or mirrors frames;
 * INSISTS: always. */
enum tw_forwarding {
	TW_FORWARDING_VSWITCH,
	TW_FORWARDING_CUT_THROUGH,
	TW_FORWARDING_INSISTS,
};

/* Strings point into argv or the table of options. */
struct tw_agent_options {
	const char *ports;
	const char *policy; /* NULL: the saved policy */
	uint32_t max_conns;
	unsigned int forwarding; /* enum tw_forwarding */
	const char *uplinks;	 /* patterns */
	bool hairpin;		 /* accept guests' addresses from outside the ports */
	const char *socket;
	const char *viewer_socket; /* NULL: none */
	const char *slow_path;	   /* HOST:PORT or vsock:CID:PORT; NULL: none */
	const char *slow_path_cert;
	const char *slow_path_key;
	const char *slow_path_ca;
	uint32_t spool_mib;  /* events kept for the slow path; 0: none */
	uint32_t snapshot_s; /* interval between reports of live connections; 0: none */
	const char *decider_socket;
	const char *metrics; /* ADDRESS:PORT or the path of a Unix socket; NULL: none */
	const char *log_to;  /* path, or journald; NULL: none */
	uint32_t log_mib;    /* size of a file of log_to */
	uint32_t ask_rate;   /* questions per second and port */
	const char *bpffs;
	const char *state_dir;
	bool force_clsact;
	bool verbose;
	bool release;
};
