/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* options.h: the options of tapwall-slowd's command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Strings point into argv or the table of options. */
struct tw_slow_options {
	const char *listen; /* ADDRESS:PORT or vsock:PORT */
	const char *socket;
	const char *viewer_socket;  /* NULL: none */
	const char *metrics;	    /* ADDRESS:PORT or the path of a Unix socket; NULL: none */
	const char *decider_socket; /* NULL: none */
	const char *ipfix;	    /* HOST:PORT; NULL: none */
	bool ipfix_tcp;
	const char *syslog; /* HOST:PORT; NULL: none */
	const char *syslog_ca;
	const char *syslog_cert; /* NULL: none */
	const char *syslog_key;	 /* NULL: in the file of the certificate */
	const char *syslog_what; /* as tw_syslog_parse() reads it */
	const char *cert;
	const char *key;
	const char *ca;
	const char *state_dir; /* directory of the CA and of the files that tapwall-slowd keeps */
	const char *revoke;    /* the name of an agent or decider; NULL: none */
	const char *issue;     /* the name of an agent or decider; NULL: none */
	const char *token;     /* the name of an agent or decider; NULL: none */
	unsigned int role;     /* for --issue and --token: 0 agent, 1 decider */
	const char *ttl;       /* validity of the token, as text */
	const char *life;      /* validity of certificates, as text */
	uint32_t life_s;
	const char *history; /* file or server, as in place.h; NULL: history.db in state_dir */
	const char *history_login; /* file with a name and a password; NULL: none */
	const char *history_ca;	   /* NULL: the system's */
	uint32_t history_mib;	   /* 0: no limit */
	uint32_t history_days;	   /* 0: no limit */
	bool no_history;
	bool init;
	bool verbose;
};
