/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apps_captures [--verbose] [--misses] FOLDER: compares the applications that tapwall recognises with
 * those of nDPI, over captures with nDPI's results beside them (NAME and NAME.out). TW_INSPECT names
 * another folder. Exits with 77 if there is none, and with 1 below the bounds for precision and recall.
 *
 * If nDPI named a flow by its port, by an address or by a user's rule, the flow is not compared: its
 * bytes did not decide. Flows inside tunnels are not compared, because tapwall looks at the outer packet.
 * Only the first part of nDPI's name counts: TLS.Google is TLS.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "fastpath/abi/names.h"
#include "sim/apps.h"
#include "sim/asked.h"
#include "sim/capture.h"

#define SKIPPED	      77
#define CONNS_MAX     65536
#define PRECISION_MIN 0.98
#define RECALL_MIN    0.85
#define ASKED_MIN     0.98 /* names of hosts that nDPI has, too */

/* A name of nDPI's and tapwall's names for such bytes. */
struct meaning {
	const char *theirs;
	const char *ours[3];
	bool only_allowed; /* nDPI's application is carried by one of ours: not counted in recall */
};

static const struct meaning meanings[] = {
	{"TLS", {"tls"}, false},
	{"HTTP", {"http"}, false},
	{"HTTP_Connect", {"http"}, false},
	{"HTTP2", {"http2"}, false},
	{"SSH", {"ssh"}, false},
	{"QUIC", {"quic"}, false},
	{"DNS", {"dns"}, false},
	{"MDNS", {"mdns"}, false},
	{"LLMNR", {"llmnr"}, false},
	{"NetBIOS", {"netbios", "smb"}, false},
	{"SMTP", {"smtp"}, false},
	{"FTP_CONTROL", {"ftp"}, false},
	{"POP3", {"pop3"}, false},
	{"IMAP", {"imap"}, false},
	/* The same names with and without STARTTLS. */
	{"SMTPS", {"smtp", "tls"}, false},
	{"IMAPS", {"imap", "tls"}, false},
	{"POPS", {"pop3", "tls"}, false},
	{"FTPS", {"ftp", "tls"}, false},
	{"Usenet", {"nntp"}, false},
	{"SMBv1", {"smb"}, false},
	{"SMBv23", {"smb"}, false},
	{"DCERPC", {"dcerpc"}, false},
	{"NFS", {"nfs", "sunrpc"}, false},
	{"RSYNC", {"rsync"}, false},
	{"Git", {"git"}, false},
	{"TFTP", {"tftp"}, false},
	{"BitTorrent", {"bittorrent"}, false},
	{"RDP", {"rdp"}, false},
	{"VNC", {"vnc"}, false},
	{"Telnet", {"telnet"}, false},
	{"SOCKS", {"socks"}, false},
	{"PPTP", {"pptp"}, false},
	{"WireGuard", {"wireguard"}, false},
	{"OpenVPN", {"openvpn"}, false},
	{"IPSec", {"ike"}, false},
	{"MySQL", {"mysql"}, false},
	{"PostgreSQL", {"postgresql"}, false},
	{"MsSQL-TDS", {"mssql"}, false},
	{"MongoDB", {"mongodb"}, false},
	{"RESP", {"redis"}, false},
	{"Cassandra", {"cassandra"}, false},
	{"Oracle", {"oracle"}, false},
	{"Memcached", {"memcached"}, false},
	{"LDAP", {"ldap"}, false},
	{"Kerberos", {"kerberos"}, false},
	{"SNMP", {"snmp"}, false},
	{"Radius", {"radius"}, false},
	{"Diameter", {"diameter"}, false},
	{"NTP", {"ntp"}, false},
	{"Syslog", {"syslog"}, false},
	{"SSDP", {"ssdp"}, false},
	{"STUN", {"stun"}, false},
	/* Datagrams of these share a flow (RFC 7983), and STUN comes first. */
	{"DTLS", {"dtls", "stun"}, false},
	{"SRTP", {"stun", "dtls"}, true},
	{"RTP", {"stun"}, true},
	/* Carried by HTTP, XMPP, TLS or a NetBIOS session; each was looked at. */
	{"SOAP", {"http"}, true},
	{"MapleStory", {"http"}, true},
	{"TruPhone", {"xmpp"}, true},
	{"ApplePush", {"tls"}, true},
	{"SIP", {"sip"}, false},
	{"RTSP", {"rtsp"}, false},
	{"IRC", {"irc"}, false},
	{"Jabber", {"xmpp"}, false},
	{"XMPP", {"xmpp"}, false},
	{"MQTT", {"mqtt"}, false},
	{"AMQP", {"amqp"}, false},
	{"COAP", {"coap"}, false},
	{"Modbus", {"modbus"}, false},
	{"DNP3", {"dnp3"}, false},
	{"S7Comm", {"s7comm"}, false},
	{"BACnet", {"bacnet"}, false},
	{"OPC-UA", {"opcua"}, false},
	{"IEC60870", {"iec104"}, false},
	{"EthernetIP", {"ethernet-ip"}, false},
};

struct flow {
	uint8_t proto;
	struct tw_addr addr[2];
	uint16_t port[2];
	char name[64];
	char asked[256]; /* nDPI's name of the host; may end in "..." */
	bool by_bytes;	 /* nDPI decided by the bytes */
	bool tunnel;
	enum tw_app app;
	char our_asked[256];
	bool seen;
};

struct run {
	bool verbose;
	bool misses;
	TW_VEC(struct flow) flows; /* of one capture */
	unsigned int n_captures, n_flows, n_apart, n_unseen;
	unsigned int named, right, theirs, found;
	unsigned int asked, asked_both, asked_wrong; /* names of hosts: nDPI's, both, different */
	unsigned int
		literal; /* named with the first meaning of nDPI's name, not with the carrier */
};

static const struct meaning *meaning_of(const char *theirs)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (!strcmp(meanings[i].theirs, theirs))
			return &meanings[i];
	return NULL;
}

static bool means(const struct meaning *meaning, const char *ours)
{
	for (size_t i = 0; meaning && i < 3 && meaning->ours[i]; i++)
		if (!strcmp(meaning->ours[i], ours))
			return true;
	return false;
}

/* ---- nDPI's results ---- */

/* Reads "1.2.3.4:80" or "[::1]:80". */
static bool read_end(const char *text, struct tw_addr *addr, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t len;

	if (!colon)
		return false;
	len = (size_t)(colon - text);
	if (*text == '[' && len >= 2) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	*port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return tw_addr_parse(host, addr) == 0;
}

/* Copies the first part of the name in "[proto: 91.126/TLS.Google]". */
static void read_name(const char *line, struct flow *flow)
{
	const char *proto = strstr(line, "[proto: ");
	const char *name = proto ? strchr(proto, '/') : NULL;
	const char *end = proto ? strchr(proto, ']') : NULL;
	size_t len = 0;

	if (!name || !end || name > end)
		return;
	flow->tunnel = memchr(proto + 8, ':', (size_t)(name - proto - 8)) != NULL;
	name++;
	while (name + len < end && name[len] != '.' && len < sizeof(flow->name) - 1)
		len++;
	memcpy(flow->name, name, len);
}

/* Copies the name in "[Hostname/SNI: www.example.com]". */
static void read_asked(const char *line, struct flow *flow)
{
	const char *name = strstr(line, "[Hostname/SNI: ");

	if (name)
		sscanf(name + strlen("[Hostname/SNI: "), "%255[^]]", flow->asked);
}

static void read_line(struct run *run, const char *line)
{
	char proto[8], from[80], arrow[4], to[80];
	struct flow flow = {0};

	if (sscanf(line, " %*u %7s %79s %3s %79s [", proto, from, arrow, to) != 4)
		return;
	flow.proto = !strcmp(proto, "TCP") ? IPPROTO_TCP : !strcmp(proto, "UDP") ? IPPROTO_UDP : 0;
	if (!flow.proto || (strcmp(arrow, "->") != 0 && strcmp(arrow, "<->") != 0) ||
		!read_end(from, &flow.addr[0], &flow.port[0]) ||
		!read_end(to, &flow.addr[1], &flow.port[1]))
		return;
	read_name(line, &flow);
	read_asked(line, &flow);
	flow.by_bytes = strstr(line, "[Confidence: DPI") != NULL ||
			strstr(line, "[Confidence: Unknown") != NULL;
	if (tw_vec_push(&run->flows, flow) < 0)
		exit(1);
}

static bool read_results(struct run *run, const char *path)
{
	tw_autofile FILE *file = fopen(path, "re");
	tw_autofree char *line = NULL;
	size_t room = 0;

	if (!file)
		return false;
	run->flows.n = 0;
	while (getline(&line, &room, file) > 0)
		read_line(run, line);
	return true;
}

/* ---- captures ---- */

static bool same_end(const struct flow *flow, int end, const struct tw_glance *glance, int dir)
{
	return flow->port[end] == glance->port[dir] &&
	       !memcmp(&flow->addr[end], &glance->addr[dir], sizeof(flow->addr[end]));
}

static struct flow *find_flow(struct run *run, const struct tw_glance *glance)
{
	tw_vec_foreach (&run->flows, flow)
		if (flow->proto == glance->proto &&
			((same_end(flow, 0, glance, TW_DIR_OUT) &&
				 same_end(flow, 1, glance, TW_DIR_IN)) ||
				(same_end(flow, 1, glance, TW_DIR_OUT) &&
					same_end(flow, 0, glance, TW_DIR_IN))))
			return flow;
	return NULL;
}

static void play(struct run *run, const char *path)
{
	tw_auto(tw_capture) struct tw_capture *capture = NULL;
	tw_auto(tw_apps) struct tw_apps *apps = NULL;
	tw_auto(tw_asked_names) struct tw_asked_names *asked = NULL;
	struct tw_capture_frame frame;
	struct tw_err err = {0};

	if (tw_apps_new(&apps, CONNS_MAX) < 0 || tw_asked_new(&asked, CONNS_MAX) < 0 ||
		tw_capture_open(path, &capture, &err) < 0)
		return;
	while (tw_capture_next(capture, &frame, &err) > 0) {
		struct tw_glance glance;
		struct tw_asked_name name;
		struct tw_key key = {0};
		struct flow *flow;
		enum tw_app app;

		if (frame.unsupported)
			continue;
		tw_glance_read(frame.data, frame.len, &glance);
		flow = glance.has_addrs && glance.has_ports ? find_flow(run, &glance) : NULL;
		if (!flow)
			continue;
		key.lo = flow->addr[0];
		key.hi = flow->addr[1];
		key.lo_port = htons(flow->port[0]);
		key.hi_port = htons(flow->port[1]);
		key.proto = flow->proto;
		flow->seen = true;
		app = tw_apps_see(apps, &key, false, &glance, frame.data);
		if (!flow->app)
			flow->app = app;
		if (tw_asked_see(asked, &key, false, &glance, frame.data, &name))
			snprintf(flow->our_asked, sizeof(flow->our_asked), "%s", name.text);
	}
}

/* Compares the names of hosts. A flow of DNS has several questions: tapwall tells the first one, nDPI the last. */
static void judge_asked(struct run *run, const char *capture, const struct flow *flow)
{
	const char *ours = tw_app_name(flow->app);
	bool reads = ours &&
		     (!strcmp(ours, "tls") || !strcmp(ours, "http") || !strcmp(ours, "dns"));

	if (!*flow->asked || !reads || flow->tunnel || !flow->seen)
		return;
	run->asked++;
	if (!*flow->our_asked) {
		if (run->misses)
			printf("no name: %s %s %s port %u %u\n", ours, flow->asked, capture,
				flow->port[0], flow->port[1]);
		return;
	}
	run->asked_both++;
	if (!strcmp(ours, "dns") || !strcasecmp(flow->asked, flow->our_asked))
		return;
	run->asked_wrong++;
	printf("another name: %s, nDPI %s, %s port %u %u\n", flow->our_asked, flow->asked, capture,
		flow->port[0], flow->port[1]);
}

static void judge_flow(struct run *run, const char *capture, const struct flow *flow)
{
	const struct meaning *meaning = meaning_of(flow->name);
	const char *ours = tw_app_name(flow->app);
	bool right = ours && means(meaning, ours);

	run->n_flows++;
	if (!flow->seen || !flow->by_bytes || flow->tunnel) {
		run->n_apart += flow->seen;
		run->n_unseen += !flow->seen;
		return;
	}
	run->named += ours != NULL;
	run->right += right;
	run->literal += right && !meaning->only_allowed && !strcmp(meaning->ours[0], ours);
	if (meaning && !meaning->only_allowed) {
		run->theirs++;
		run->found += right;
	}
	if (run->verbose && ours && !right)
		printf("wrong  %-12s nDPI %-20s %s port %u %u\n", ours, flow->name, capture,
			flow->port[0], flow->port[1]);
	if (run->misses && !ours && meaning && !meaning->only_allowed)
		printf("missed %-33s %s port %u %u\n", flow->name, capture, flow->port[0],
			flow->port[1]);
}

static int is_result(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 4 && !strcmp(entry->d_name + len - 4, ".out");
}

static void play_all(struct run *run, const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_result, alphasort);

	for (int i = 0; i < n; i++) {
		char path[4096];
		int len = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);

		if (len < (int)sizeof(path) && read_results(run, path)) {
			path[len - 4] = '\0';
			play(run, path);
			run->n_captures++;
			tw_vec_foreach (&run->flows, flow) {
				judge_flow(run, strrchr(path, '/') + 1, flow);
				judge_asked(run, strrchr(path, '/') + 1, flow);
			}
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	const char *folder = getenv("TW_INSPECT");
	struct run run = {0};
	double precision, recall;

	for (int i = 1; i < argc; i++) {
		run.verbose |= !strcmp(argv[i], "--verbose");
		run.misses |= !strcmp(argv[i], "--misses");
		if (argv[i][0] != '-' && !folder)
			folder = argv[i];
	}
	if (folder)
		play_all(&run, folder);
	if (!run.n_captures) {
		printf("skipped: no captures in %s (TW_INSPECT names another place)\n",
			folder ? folder : "?");
		return SKIPPED;
	}
	precision = run.named ? (double)run.right / run.named : 0;
	recall = run.theirs ? (double)run.found / run.theirs : 0;
	printf("%u captures, %u flows of TCP and UDP; apart: %u by port, address or rule, or in a tunnel; %u not found\n",
		run.n_captures, run.n_flows, run.n_apart, run.n_unseen);
	printf("precision %.2f %% (%u of %u named; %u to the letter), recall %.2f %% (%u of %u)\n",
		precision * 100, run.right, run.named, run.literal, recall * 100, run.found,
		run.theirs);
	printf("names of hosts: %u of nDPI's %u, %u of them different\n", run.asked_both, run.asked,
		run.asked_wrong);
	tw_vec_done(&run.flows);
	return precision >= PRECISION_MIN && recall >= RECALL_MIN && !run.asked_wrong &&
			       run.asked_both >= ASKED_MIN * run.asked
		       ? 0
		       : 1;
}
