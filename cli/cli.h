/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* cli.h: the verbs of `tapwall` and their options.
 *
 * commands.c has the table; parsing, help, man pages and completion derive from it. Each verb
 * has its own file, with one function that takes the options and returns an exit code.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/args.h"
#include "cli/filter.h"

extern const struct tw_args_program tw_cli_program;
extern const struct tw_args_section tw_cli_sections[4]; /* manual: sections about all verbs */

struct tw_check_options {
	const char *file;
	bool json;
	bool lowered;
	bool print;
	bool stats;
	bool all;
};

struct tw_apply_options {
	const char *file;
	const char *socket;
	bool json;
	const char *confirm;  /* time, as text; NULL: need not be confirmed */
	const char *comment;  /* NULL: none */
	const char *tripwire; /* number, as text; NULL: none */
	bool dry_run;
	bool allow_unprotect;
};

struct tw_diff_options {
	const char *socket;
	const char *what;
	const char *other; /* NULL: none */
	bool json;
};

struct tw_rollback_options {
	const char *socket;
	const char *number;  /* NULL: the policy before the present one */
	const char *confirm; /* time, as text; NULL: need not be confirmed */
	const char *comment; /* NULL: "rollback to policy" and its number */
	bool dry_run;
	bool allow_unprotect;
	bool json;
};

struct tw_confirm_options {
	const char *socket;
	bool json;
};

struct tw_adopt_options {
	const char *socket;
	const char *workload; /* NULL: all ports */
	const char *time;     /* as text; NULL: none */
	bool stop;
	bool json;
};

struct tw_quarantine_options {
	const char *socket;
	const char *workload; /* NULL: list */
	const char *reason;
	const char *time; /* NULL: until it is lifted */
	const char *slow; /* socket of tapwall-slowd */
	bool everywhere;  /* ask tapwall-slowd */
	bool ended;
	bool lift;
	bool json;
};

struct tw_block_options {
	const char *socket;
	const char *workload; /* NULL: list */
	const char *time;     /* NULL: until it is lifted */
	const char *why;
	bool json;
};

struct tw_kill_options {
	const char *socket;
	const char *workload;
	const char *from;
	const char *to;
	struct tw_filter filter;
	bool all;
	bool json;
};

struct tw_reload_options {
	const char *socket;
	bool json;
	bool allow_unprotect;
};

struct tw_explain_options {
	const char *policy;
	const char *socket;
	bool live;
	bool batch;
	bool json;
	const char *from;
	const char *to;
	const char *proto;
	const char *sport;
	const char *dport;
	const char *type;
	const char *code;
	const char *words[3]; /* FROM, TO and SERVICE without options */
};

struct tw_replay_options {
	const char *policy;
	const char *pcap;
	const char *at;
	bool json;
};

struct tw_status_options {
	const char *socket;
	bool json;
};

struct tw_ports_options {
	const char *socket;
	bool json;
};

struct tw_workloads_options {
	const char *socket;
	bool json;
};

struct tw_groups_options {
	const char *socket;
	bool json;
};

struct tw_agents_options {
	const char *socket;
	bool json;
};

#define TW_ENROLL_CERT "/var/lib/tapwall/link/agent.pem"
#define TW_ENROLL_CA   "/var/lib/tapwall/link/ca.pem"
#define TW_DECIDE_CERT "/var/lib/tapwall/link/decider.pem"

struct tw_enroll_options {
	const char *address;
	const char *token; /* file of the token; "-": stdin */
	const char *cert;
	const char *ca;
	bool replace;
	bool json;
};

enum tw_policy_action {
	TW_POLICY_CURRENT, /* the agent's policy; also for --history and --show */
	TW_POLICY_PUSH,
	TW_POLICY_LOG,
	TW_POLICY_SHOW,
	TW_POLICY_DIFF,
	TW_POLICY_STATUS,
	TW_POLICY_CONFIRM,
};

struct tw_policy_options {
	const char *agent;   /* socket of the agent */
	const char *socket;  /* socket of tapwall-slowd */
	unsigned int action; /* enum tw_policy_action */
	const char *show;    /* number of a policy of the agent; NULL: none */
	bool history;
	const char *what;
	const char *other;
	const char *agents;
	const char *message;
	const char *stored;  /* number of a version */
	const char *confirm; /* time, as text; NULL: need not be confirmed */
	uint32_t limit;	     /* 0: all */
	bool allow_unprotect;
	bool json;
};

enum tw_flow_sort {
	TW_FLOW_SORT_AUTO, /* by idle time as text, unsorted as JSON */
	TW_FLOW_SORT_IDLE,
	TW_FLOW_SORT_AGE,
	TW_FLOW_SORT_PACKETS,
	TW_FLOW_SORT_BYTES
};

struct tw_flows_options {
	const char *socket;
	const char *workload;
	struct tw_filter filter;
	unsigned int sort; /* enum tw_flow_sort */
	uint32_t limit;	   /* 0: all */
	bool denied;
	bool json;
};

enum tw_rule_sort {
	TW_RULE_SORT_NONE, /* as in the policy */
	TW_RULE_SORT_HITS,
	TW_RULE_SORT_PACKETS,
	TW_RULE_SORT_BYTES,
	TW_RULE_SORT_LAST
};

struct tw_rules_options {
	const char *socket;
	const char *name;  /* name of a rule, or pattern; NULL: all */
	unsigned int sort; /* enum tw_rule_sort */
	bool unused;
	bool json;
};

struct tw_log_options {
	const char *socket;
	const char *workload;
	const char *since;
	struct tw_filter filter;
	uint32_t limit;
	bool follow;
	bool all;
	bool json;
};

struct tw_capture_options {
	const char *socket;
	const char *workload;
	const char *write; /* NULL: text */
	bool dropped;
	uint32_t count;	   /* 0: no limit */
	uint32_t seconds;  /* 0: no limit */
	uint32_t snap_len; /* 0: whole frames */
	uint32_t buffer;   /* MiB */
	bool json;
};

struct tw_decide_options {
	const char *socket;
	const char *connect; /* address of tapwall-slowd for TLS; NULL: use `socket` */
	const char *cert;    /* with `connect`: file of key and certificate */
	const char *ca;	     /* with `connect`: file of the slow path's CA */
	const char *exec;    /* NULL: answers come from stdin */
	unsigned int scope;  /* index into tw_decide_scopes */
	uint32_t ttl;	     /* seconds; 0: the agent's default */
	uint32_t window;
	bool json;
};

extern const char *const tw_decide_scopes[]; /* NULL-terminated */

enum tw_history_what {
	TW_HISTORY_WHAT_CONNECTIONS,
	TW_HISTORY_WHAT_TALKERS,
	TW_HISTORY_WHAT_DESTINATIONS,
	TW_HISTORY_WHAT_SERVICES,
	TW_HISTORY_WHAT_RULES,
	TW_HISTORY_WHAT_WHO,
	TW_HISTORY_WHAT_STATUS
};

struct tw_history_options {
	const char *socket; /* socket of tapwall-slowd */
	unsigned int what;  /* enum tw_history_what */
	const char *subject;
	const char *since;
	const char *until;
	const char *workload;
	const char *address;
	const char *from;
	const char *to;
	uint32_t port;
	const char *proto;
	const char *rule;
	unsigned int verdict; /* 0: any */
	const char *reason;
	const char *agent;
	const char *page;
	const char *unused_since;
	unsigned int order; /* enum tw_history_order */
	uint32_t limit;	    /* 0: all */
	bool oldest_first;
	bool live;
	bool count;
	bool json;
};

enum tw_gather_source { TW_GATHER_AUTO, TW_GATHER_JOURNAL, TW_GATHER_HISTORY };

/* Source and selection of the connections to gather. */
struct tw_gather_options {
	const char *socket;
	const char *slow;    /* socket of tapwall-slowd */
	unsigned int source; /* enum tw_gather_source */
	const char *since;
	const char *workload;
	struct tw_filter filter;
};

struct tw_observe_options {
	struct tw_gather_options gather;
	bool allowed; /* list also what is allowed */
	uint32_t limit;
	bool json;
};

struct tw_propose_options {
	struct tw_gather_options gather;
	bool fresh;   /* leave out the rules of the policy in force */
	bool observe; /* draft: mode: observe */
	bool rights;  /* grant the rights that frames lacked */
	uint32_t min; /* connections that a pair must have */
};

struct tw_top_options {
	const char *socket;
	bool once;
	uint32_t interval; /* seconds */
	uint32_t count;	   /* 0: until the user quits, or 1 if stdout is not a terminal */
	unsigned int view; /* 0: all, or the first on a screen; otherwise 1 + enum tw_top_view */
	unsigned int sort; /* enum tw_top_sort */
	uint32_t limit;
	bool json;
};

struct tw_counters_options {
	const char *socket;
	bool all;
	bool json;
};

struct tw_version_options {
	const char *socket;
	bool json;
};

int tw_check_run(const void *values);
int tw_apply_run(const void *values);
int tw_diff_run(const void *values);
int tw_rollback_run(const void *values);
int tw_confirm_run(const void *values);
int tw_adopt_run(const void *values);
int tw_quarantine_run(const void *values);
int tw_block_run(const void *values);
int tw_unblock_run(const void *values);
int tw_kill_run(const void *values);
int tw_reload_run(const void *values);
int tw_explain_run(const void *values);
int tw_replay_run(const void *values);
int tw_status_run(const void *values);
int tw_ports_run(const void *values);
int tw_workloads_run(const void *values);
int tw_groups_run(const void *values);
int tw_agents_run(const void *values);
int tw_enroll_run(const void *values);
int tw_policy_run(const void *values);
int tw_flows_run(const void *values);
int tw_rules_run(const void *values);
int tw_log_run(const void *values);
int tw_history_run(const void *values);
int tw_observe_run(const void *values);
int tw_propose_run(const void *values);
int tw_capture_run(const void *values);
int tw_decide_run(const void *values);
int tw_top_run(const void *values);
int tw_counters_run(const void *values);
int tw_version_run(const void *values);
