/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall-slowd: the slow path's command line. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "base/args.h"
#include "base/log.h"
#include "link/link.h"
#include "policy/text.h"
#include "slowpath/daemon.h"
#include "slowpath/issue.h"
#include "slowpath/revoked.h"
#include "slowpath/tokens.h"

#define LIFE_MIN_S 5
#define LIFE_MAX_S (3650u * 86400)

#define AT(field) .offset = offsetof(struct tw_slow_options, field)

/* Choices of --role, and the side of each in certificates. */
static const char *const roles[] = {"agent", "decider", NULL};
static const enum tw_identity_side sides[] = {TW_IDENTITY_AGENT, TW_IDENTITY_DECIDER};

static const struct tw_arg args[] = {
	{.name = "listen",
		.type = TW_ARG_TEXT,
		AT(listen),
		.value = "ADDRESS",
		.fallback = "[::]:7433",
		.help = "Listen for agents and deciders at this address by TLS: ADDRESS:PORT, where [::] is every IPv6 and "
			"IPv4 address, or vsock:PORT"},
	{.name = "socket",
		.type = TW_ARG_FILE,
		AT(socket),
		.value = "PATH",
		.fallback = TW_LINK_SLOW_SOCKET,
		.help = "Listen for clients at this socket, for root and the group tapwall"},
	{.name = "viewer-socket",
		.type = TW_ARG_FILE,
		AT(viewer_socket),
		.value = "PATH",
		.help = "Also listen at this socket, for root and the group tapwall-view. It accepts "
			"only requests that read; policies and captures are refused"},
	{.name = "decider-socket",
		.type = TW_ARG_FILE,
		AT(decider_socket),
		.value = "PATH",
		.help = "Also listen at this socket, for root and the group tapwall-decide. It accepts "
			"requests that read, and those of deciders"},
	{.name = "metrics",
		.type = TW_ARG_TEXT,
		AT(metrics),
		.value = "ADDRESS",
		.help = "Serve figures for Prometheus at http://ADDRESS/metrics: ADDRESS:PORT, or the path of "
			"a Unix socket for root and the group tapwall-view. There is no encryption and no "
			"password; 127.0.0.1:9434 reaches only this host"},
	{.name = "ipfix",
		.type = TW_ARG_TEXT,
		AT(ipfix),
		.value = "HOST:PORT",
		.help = "Send ended connections and denials to this IPFIX collector, by UDP"},
	{.name = "ipfix-tcp",
		.type = TW_ARG_FLAG,
		AT(ipfix_tcp),
		.help = "With --ipfix: send them by TCP"},
	{.name = "syslog",
		.type = TW_ARG_TEXT,
		AT(syslog),
		.value = "HOST:PORT",
		.help = "Send denials and this log to this syslog server, by TLS. Its certificate must be for HOST"},
	{.name = "syslog-ca",
		.type = TW_ARG_FILE,
		AT(syslog_ca),
		.value = "PATH",
		.help = "With --syslog: certificate of the CA that issues the server's certificate, as PEM"},
	{.name = "syslog-cert",
		.type = TW_ARG_FILE,
		AT(syslog_cert),
		.value = "PATH",
		.help = "With --syslog: certificate of this client, as PEM"},
	{.name = "syslog-key",
		.type = TW_ARG_FILE,
		AT(syslog_key),
		.value = "PATH",
		.help = "The key of that certificate, as PEM; the default is the file of --syslog-cert"},
	{.name = "syslog-what",
		.type = TW_ARG_TEXT,
		AT(syslog_what),
		.value = "LIST",
		.fallback = "denials,log",
		.help = "With --syslog: what to send, words among denials,connections,log"},
	{.name = "cert",
		.type = TW_ARG_FILE,
		AT(cert),
		.value = "PATH",
		.fallback = "/var/lib/tapwall-slowd/slowd.pem",
		.help = "The slow path's certificate, as PEM"},
	{.name = "key",
		.type = TW_ARG_FILE,
		AT(key),
		.value = "PATH",
		.fallback = "/var/lib/tapwall-slowd/slowd.pem",
		.help = "The key of that certificate, as PEM"},
	{.name = "ca",
		.type = TW_ARG_FILE,
		AT(ca),
		.value = "PATH",
		.fallback = "/var/lib/tapwall-slowd/ca.pem",
		.help = "Certificate of the CA that issues agents' certificates, as PEM"},
	{.name = "state-dir",
		.type = TW_ARG_FILE,
		AT(state_dir),
		.value = "PATH",
		.fallback = "/var/lib/tapwall-slowd",
		.help = "Directory of the CA that --init makes and --issue uses, and of the list that --revoke "
			"extends"},
	{.name = "history",
		.type = TW_ARG_FILE,
		AT(history),
		.value = "PLACE",
		.help = "Keep the history in the file PLACE, or in the database of a ClickHouse server, "
			"clickhouse://HOST[:PORT]/DATABASE, or clickhouses://... by TLS; the default is the file "
			"history.db in --state-dir"},
	{.name = "history-login",
		.type = TW_ARG_FILE,
		AT(history_login),
		.value = "PATH",
		.help = "Log in at the ClickHouse server with the name in the first line of this file and the "
			"password in the second; the default is the user default without a password"},
	{.name = "history-ca",
		.type = TW_ARG_FILE,
		AT(history_ca),
		.value = "PATH",
		.help = "Check the ClickHouse server's certificate with the CA certificates in this file, as PEM; "
			"the default is those of the system"},
	{.name = "history-size",
		.type = TW_ARG_U32,
		AT(history_mib),
		.value = "MIB",
		.fallback = "10240",
		.help = "Drop the oldest part of the history when it has more than this number of MiB; 0 "
			"means no limit"},
	{.name = "history-age",
		.type = TW_ARG_U32,
		AT(history_days),
		.value = "DAYS",
		.fallback = "90",
		.help = "Drop what is older than this number of days; 0 means no limit"},
	{.name = "no-history", .type = TW_ARG_FLAG, AT(no_history), .help = "Keep no history"},
	{.name = "init",
		.type = TW_ARG_FLAG,
		AT(init),
		.help = "Make a CA and the slow path's certificate, unless they exist, and exit"},
	{.name = "issue",
		.type = TW_ARG_TEXT,
		AT(issue),
		.value = "NAME",
		.help = "Print a new key and certificate for the agent or decider of this name, and exit. "
			"They are valid for the time of --lifetime"},
	{.name = "token",
		.type = TW_ARG_TEXT,
		AT(token),
		.value = "NAME",
		.help = "Print a token with which one host may enroll as the agent or decider of this name "
			"by tapwall enroll, once, and exit"},
	{.name = "role",
		.type = TW_ARG_CHOICE,
		.choices = roles,
		.fallback = "agent",
		AT(role),
		.help = "With --issue or --token: what the certificate is for. A decider may answer the "
			"questions of rules that ask, at every agent, and do nothing else"},
	{.name = "ttl",
		.type = TW_ARG_TEXT,
		AT(ttl),
		.value = "TIME",
		.fallback = "1h",
		.help = "With --token: time until the token expires, such as 30m or 2d, at most 7d"},
	{.name = "lifetime",
		.type = TW_ARG_TEXT,
		AT(life),
		.value = "TIME",
		.fallback = "365d",
		.help = "Time for which agents' certificates are valid, such as 90d. Agents renew them after two "
			"thirds of it"},
	{.name = "revoke",
		.type = TW_ARG_TEXT,
		AT(revoke),
		.value = "NAME",
		.help = "Revoke every certificate issued to this name so far, and exit. If tapwall-slowd is "
			"running, it closes the connections of the agent or decider"},
	{.name = "verbose",
		.type = TW_ARG_FLAG,
		AT(verbose),
		.letter = 'v',
		.help = "Log debug messages too"},
};

/* Reads a time, or prints why it is invalid. */
static bool read_time(
	const char *option, const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	struct tw_err err;

	if (!tw_text_seconds(text, max, ret) && *ret >= min)
		return true;
	tw_err_set(&err, -EINVAL, option, "write a time such as 90s, 30m, 12h or 7d",
		"%s is no time from %u s to %u d", text, min, max / 86400);
	tw_err_print(stderr, "tapwall-slowd", &err);
	return false;
}

static int run(const void *values)
{
	struct tw_slow_options options = *(const struct tw_slow_options *)values;
	uint32_t ttl_s;

	tw_log_init("tapwall-slowd", options.verbose ? TW_LOG_DEBUG : TW_LOG_INFO);
	if (!read_time("--lifetime", options.life, LIFE_MIN_S, LIFE_MAX_S, &options.life_s) ||
		!read_time("--ttl", options.ttl, 1, TW_TOKENS_TTL_MAX, &ttl_s))
		return TW_EXIT_USAGE;
	if (options.init)
		return tw_issue_init(options.state_dir);
	if (options.issue)
		return tw_issue_client(
			options.state_dir, options.issue, sides[options.role], options.life_s);
	if (options.token)
		return tw_tokens_add(options.state_dir, options.token, sides[options.role], ttl_s);
	if (options.revoke)
		return tw_revoked_add(options.state_dir, options.revoke);
	return tw_slow_run(&options);
}

static const struct tw_args_command command = {
	.summary = "Serve the agents of many hosts",
	.args = args,
	.n_args = TW_ARGS_N(args),
	.values_size = sizeof(struct tw_slow_options),
	.run = run,
};

static const struct tw_args_section sections[] = {
	{"A NEW AGENT",
		"*--init* makes the CA; the service does so at its first start. *tapwall-slowd --token host-a* prints a token for the agent host-a. Give it to *tapwall-enroll*(1) on that host. It makes the key there, recognises this slow path by the CA's fingerprint in the token, and gets the certificate. A token is valid once. Its secret is not stored here. While no token is valid, a connection without a certificate is refused.\n\n"
		"Without a token: on each host, save the output of *--issue* as _/var/lib/tapwall/link/agent.pem_, readable by root only, and a copy of _ca.pem_ beside it.\n\n"
		"Then start *tapwalld*(8) with *--slow-path*.\n\n"
		"Agents renew their certificates over the link after two thirds of their validity. tapwall-slowd renews its own in the same way, if it is in one file with its key and from the CA in *--state-dir*, and reads the file again whenever it changes. The CA is valid for ten years; *tapwall-agents*(1) and the log tell when it ends within half a year.\n"},
	{"A DECIDER ON ANOTHER MACHINE",
		"*tapwall-slowd --issue dave --role decider* prints a key and a certificate with which *tapwall-decide*(1) *--connect* answers the questions of agents from another machine; or a token of *--token dave --role decider* gets one by *tapwall-enroll*(1). The role is in the certificate, as the organizational unit tapwall-decider of its subject. tapwall-slowd refuses everything but questions and answers to a decider, and questions and answers to an agent. A decider's certificate is not renewed: issue another one before it expires.\n"},
	{"A HISTORY IN CLICKHOUSE",
		"With *--history clickhouses://HOST/DATABASE*, a ClickHouse server of version 18.16 or newer keeps the history. tapwall-slowd makes the database and its tables, and brings them up to date. Each database has one tapwall-slowd: if a second one starts, the first records no more. While the server is away, agents keep their events, and *tapwall-history*(1) *status* shows why.\n"},
	{"EXPORTS",
		"*--ipfix* and *--syslog* send events to collectors. Nothing waits for these: each has a "
		"queue of 8 MiB. What does not fit is lost, counted in *--metrics* and logged. Over TCP "
		"and TLS, what was not acknowledged is sent again after a disconnection. "
		"docs/export.md lists what is sent.\n\n"
		"The files of *--syslog* are read again for each connection.\n"},
	{"SIGNALS",
		"*SIGTERM*, *SIGINT*\n\tstop; the agents keep filtering and try to connect again.\n"},
	{"EXIT STATUS",
		"0 stopped by a signal, or done; 1 the name of an agent is invalid, or a file exists; 2 wrong usage, or a file is missing; 3 permission denied; 5 internal error.\n"},
	{"FILES",
		"_/var/lib/tapwall-slowd/_\n\tthe CA, _ca.pem_ and _ca-key.pem_, and the slow path's own "
		"_slowd.pem_; _tokens_, a file for each token, with a name and two times; _revoked.kept_, which says that there is a list of revoked certificates; _revoked_, lines of a name and a time: the certificates of that name that are valid "
		"from then or before are refused.\n\n"
		"_/var/lib/tapwall-slowd/history.db_\n\tthe history, an SQLite database; *tapwall-history*(1) reads it.\n\n"
		"_/usr/share/tapwall/clickhouse/_\n\tthe schema of a history in ClickHouse, a file for each version.\n\n"
		"_/run/tapwall-slowd/slowd.sock_\n\tsocket for *tapwall*(1); accessible to root "
		"and the group tapwall.\n"},
	{"SEE ALSO", "*tapwall-agents*(1), *tapwall-enroll*(1), *tapwall*(1), *tapwalld*(8)\n"},
};

static const struct tw_args_program program = {
	.name = "tapwall-slowd",
	.man_section = 8,
	.summary = "the slow path of the tapwall firewall",
	.commands = &command,
	.n_commands = 1,
	.description =
		"Agents, *tapwalld*(8) with *--slow-path*, connect to tapwall-slowd by TLS 1.3. Both ends need a certificate of one CA: tapwall-slowd one for TLS servers, an agent one for TLS clients whose common name is the agent's name. tapwall-slowd needs no privileges. No packet waits for it: while it is down, agents filter with the policy that they have.",
	.sections = sections,
	.n_sections = TW_ARGS_N(sections),
};

int main(int argc, char **argv)
{
	return tw_args_main(&program, argc, argv);
}
