/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* slow_args.h: the options and descriptions of the verbs about the slow path.
 *
 * Callers:    commands.c, which includes it after SLOW() and JSON().
 */
#pragma once

static const struct tw_arg agents_args[] = {
	JSON(struct tw_agents_options, "one object per agent"),
	SLOW(struct tw_agents_options),
};

#define AGENTS_DESCRIPTION                                                               \
	"*tapwall-slowd*(8) answers. Each agent has one line, by the name in its "       \
	"certificate: its version, the number of the policy that it has in force, the "  \
	"address that it is connected from, for how long it has been connected or "      \
	"away, and when it last sent something. WHY shows why it is away, or that its "  \
	"certificate expires within a week. Lines before the table tell that the slow "  \
	"path's own certificate or that of its CA ends soon, that many connections are " \
	"in their handshake, or that incomplete messages take much memory.\n\n"          \
	"With *--json* each object has _name_, _host_ (as it calls itself), _version_, " \
	"_connected_, _address_, _since_s_, _contact_s_, _policy_generation_, "          \
	"_policy_source_, _connects_ (times that it connected since *tapwall-slowd* "    \
	"started), _why_ and _certificate_left_s_ (time until its newest certificate "   \
	"expires, null if it has)."

static const struct tw_arg enroll_args[] = {
	{.name = "ADDRESS",
		.type = TW_ARG_TEXT,
		.offset = offsetof(struct tw_enroll_options, address),
		.positional = true,
		.required = true,
		.help = "Address of the slow path: HOST:PORT, [ADDRESS]:PORT for IPv6, or vsock:CID:PORT"},
	{.name = "token",
		.type = TW_ARG_FILE,
		.value = "FILE",
		.fallback = "-",
		.offset = offsetof(struct tw_enroll_options, token),
		.help = "Read the token from this file; - reads a line from stdin. The token itself is "
			"not accepted here, because every user of this host could see it"},
	{.name = "cert",
		.type = TW_ARG_FILE,
		.value = "PATH",
		.fallback = TW_ENROLL_CERT,
		.offset = offsetof(struct tw_enroll_options, cert),
		.help = "Write the key and its certificate to this file, readable by root only"},
	{.name = "ca",
		.type = TW_ARG_FILE,
		.value = "PATH",
		.fallback = TW_ENROLL_CA,
		.offset = offsetof(struct tw_enroll_options, ca),
		.help = "Write the certificate of the slow path's CA to this file"},
	{.name = "replace",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_enroll_options, replace),
		.help = "Replace the certificate that this host has"},
	JSON(struct tw_enroll_options, "one object"),
};

static const struct tw_args_example enroll_examples[] = {
	{"tapwall enroll slow.example:7433 < token", "Enroll with the token in a file"},
	{"tapwall enroll '[fd09::1]:7433'", "Type or paste the token"},
};

#define ENROLL_DESCRIPTION                                                                  \
	"*tapwall-slowd --token* _NAME_ prints a token on the slow path's side. It is "     \
	"valid once, for a limited time, for the agent of that name, or with *--role* "     \
	"_decider_ for a decider. This command "                                            \
	"makes a key on this host, which never leaves it, and gets a certificate for "      \
	"that name.\n\n"                                                                    \
	"The token has the fingerprint of the slow path's CA. An end that cannot prove "    \
	"that its certificate is from that CA is refused before anything is sent to "       \
	"it, so a machine in the middle learns nothing.\n\n"                                \
	"*tapwalld*(8) with *--slow-path* then connects, and renews the certificate by "    \
	"itself.\n\n"                                                                       \
	"A decider gives another file with *--cert*, and uses it with *tapwall-decide*(1) " \
	"*--connect*. Its certificate is not renewed.\n\n"                                  \
	"With *--json* the object has _name_, _role_ (_agent_ or _decider_), _address_, "   \
	"_slow_path_ (the name in its "                                                     \
	"certificate), _ca_sha256_, _cert_ and _ca_ (the files) and _expires_, as Unix "    \
	"time."
