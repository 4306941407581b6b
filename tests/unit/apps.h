/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apps.h: payloads made by hand for the unit tests of applications: at least one of each application, and
 * payloads that are almost one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/path/app/app.h"

struct sample {
	enum tw_app app;
	bool udp;
	uint16_t port;	      /* of the second end; 0: any */
	const char *bytes[2]; /* by way */
	size_t len[2];
};

#define ONE(text)     .bytes = {text, ""}, .len = {sizeof(text) - 1, 0}
#define TWO(a, b)     .bytes = {a, b}, .len = {sizeof(a) - 1, sizeof(b) - 1}
#define LONG(text, n) .bytes = {(const char[n]){text}, ""}, .len = {n, 0}

static const struct sample samples[] = {
	{TW_APP_TLS, ONE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
	{TW_APP_TLS, ONE("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03")},
	{TW_APP_TLS, ONE("\x17\x03\x03\x00\x20"
			 "0123456789")},
	{TW_APP_TLS, ONE("\x15\x03\x03\x00\x02\x02\x28")},
	{TW_APP_TLS, ONE("\x14\x03\x03\x00\x01\x01")},
	{TW_APP_TLS, ONE("\x80\x0e\x01\x03\x01\x00\x03\x00\x00\x00\x02"
			 "abc12")},
	{TW_APP_HTTP, ONE("GET /index.html HTTP/1.1\r\n")},
	{TW_APP_HTTP, ONE("OPTIONS * HTTP/1.1\r\n")},
	{TW_APP_HTTP, ONE("CONNECT a:443 HTTP/1.1\r\n")},
	{TW_APP_HTTP, TWO("", "HTTP/1.0 200 OK\r\n")},
	{TW_APP_HTTP2, ONE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
	{TW_APP_SSH, ONE("SSH-2.0-OpenSSH_9.9\r\n")},
	{TW_APP_SSH, ONE("SSH-1.99-x\r\n")},
	{TW_APP_QUIC, true, .port = 443,
		LONG("\xc3\x00\x00\x00\x01\x08"
		     "12345678",
			1200)},
	{TW_APP_QUIC, true,
		LONG("\xd3\x6b\x33\x43\xcf\x08"
		     "12345678",
			1200)},
	{TW_APP_QUIC, true,
		LONG("\xc3\x1a\x2a\x3a\x4a\x08"
		     "12345678",
			1200)},
	{TW_APP_QUIC, true,
		ONE("\x0d"
		    "12345678"
		    "Q043"
		    "\x01")},
	{TW_APP_DNS, true,
		ONE("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
		    "example\x03net\x00\x00\x01\x00\x01")},
	{TW_APP_DNS, true,
		ONE("\x12\x34\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00\x07"
		    "example\x03net\x00\x00\x01\x00\x01")},
	{TW_APP_DNS, ONE("\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
			 "example\x03net\x00\x00\x01\x00\x01")},
	{TW_APP_MDNS, true, 5353,
		ONE("\x00\x00\x00\x00\x00\x02\x00\x01\x00\x00\x00\x00\x05"
		    "_http\x04_tcp\x05local\x00\x00\x0c\x00\x01")},
	{TW_APP_LLMNR, true, 5355,
		ONE("\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04"
		    "wpad\x00\x00\x01\x00\x01")},
	{TW_APP_NETBIOS, true, 137,
		ONE("\x80\xf0\x00\x10\x00\x01\x00\x00\x00\x00\x00\x00\x20"
		    "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x00\x00\x21\x00\x01")},
	{TW_APP_SMTP, ONE("EHLO mail.example.net\r\n")},
	{TW_APP_SMTP, ONE("helo x\r\n")},
	{TW_APP_FTP, TWO("USER anonymous\r\n", "220 ready\r\n")},
	{TW_APP_POP3, TWO("USER bob\r\n", "+OK ready\r\n")},
	{TW_APP_IMAP, TWO("", "* OK IMAP4rev1\r\n")},
	{TW_APP_NNTP, TWO("MODE READER\r\n", "200 news\r\n")},
	{TW_APP_SMB, ONE("\x00\x00\x00\x2f\xff"
			 "SMBr\x00\x00\x00\x00")},
	{TW_APP_SMB, ONE("\x00\x00\x00\x7c\xfe"
			 "SMB@\x00\x00\x00\x00")},
	{TW_APP_DCERPC,
		ONE("\x05\x00\x0b\x03\x10\x00\x00\x00\x14\x00\x00\x00\x01\x00\x00\x00\xb8\x10\xb8\x10")},
	{TW_APP_NFS, true,
		ONE("\x12\x34\x56\x78\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86\xa3\x00\x00\x00\x03")},
	{TW_APP_NFS,
		ONE("\x80\x00\x00\x14\x12\x34\x56\x78\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86\xa3\x00\x00\x00\x03")},
	{TW_APP_RPC, true,
		ONE("\x12\x34\x56\x78\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86\xa0\x00\x00\x00\x02")},
	{TW_APP_RSYNC, TWO("", "@RSYNCD: 31.0\n")},
	{TW_APP_GIT, ONE("0033git-upload-pack /project.git")},
	{TW_APP_TFTP, true,
		ONE("\x00\x01"
		    "pxelinux.0\x00octet\x00")},
	{TW_APP_TFTP, true,
		ONE("\x00\x02"
		    "a.conf\x00NetASCII\x00")},
	{TW_APP_TFTP, true,
		TWO("\x00\x03\x00\x01"
		    "data",
			"\x00\x04\x00\x01")},
	{TW_APP_BITTORRENT, ONE("\x13"
				"BitTorrent protocol")},
	{TW_APP_BITTORRENT, true, ONE("d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping")},
	{TW_APP_BITTORRENT, true,
		ONE("\x41\x00\x12\x34\x00\x00\x11\x11\x00\x00\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00")},
	{TW_APP_RDP,
		ONE("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00")},
	{TW_APP_RDP, ONE("\x03\x00\x00\x20\x1b\xe0\x00\x00\x00\x00\x00"
			 "Cookie: mstshash=bob\r")},
	{TW_APP_RDP, TWO("\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x00\x00",
			     "\x03\x00\x00\x0b\x06\xd0\x00\x00\x12\x34\x00")},
	{TW_APP_VNC, TWO("", "RFB 003.008\n")},
	{TW_APP_TELNET, TWO("", "\xff\xfd\x18\xff\xfd\x20")},
	{TW_APP_TELNET, TWO("\xff\xfd\x03", "\xff\xfb\x03")},
	{TW_APP_SOCKS, TWO("\x05\x01\x00", "\x05\x00")},
	{TW_APP_SOCKS,
		TWO("\x04\x01\x00\x50\x0a\x00\x00\x01\x00", "\x00\x5a\x00\x00\x00\x00\x00\x00")},
	{TW_APP_PPTP, ONE("\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x01")},
	{TW_APP_WIREGUARD, true, LONG("\x01\x00\x00\x00", 148)},
	{TW_APP_WIREGUARD, true, LONG("\x02\x00\x00\x00", 92)},
	{TW_APP_OPENVPN, true,
		ONE("\x38"
		    "12345678"
		    "\x00\x00\x00\x00\x00")},
	{TW_APP_OPENVPN, ONE("\x00\x0e\x38"
			     "12345678"
			     "\x00\x00\x00\x00\x00")},
	{TW_APP_IKE, true, 500,
		ONE("12345678\x00\x00\x00\x00\x00\x00\x00\x00\x21\x20\x22\x08\x00\x00\x00\x00\x00\x00\x00\x20"
		    "1234")},
	{TW_APP_IKE, true, 4500,
		ONE("\x00\x00\x00\x00"
		    "12345678\x00\x00\x00\x00\x00\x00\x00\x00\x21\x20\x22\x08\x00\x00\x00\x00\x00\x00\x00\x20"
		    "1234")},
	{TW_APP_MYSQL, TWO("", "\x0a\x00\x00\x00\x0a"
			       "8.0.36\x00\x01\x02")},
	{TW_APP_MYSQL, TWO("", "\x07\x00\x00\x00\xff\x6a\x04"
			       "host")},
	{TW_APP_POSTGRESQL, ONE("\x00\x00\x00\x13\x00\x03\x00\x00"
				"user\x00"
				"bob\x00\x00\x00")},
	{TW_APP_POSTGRESQL, ONE("\x00\x00\x00\x08\x04\xd2\x16\x2f")},
	{TW_APP_MSSQL,
		ONE("\x12\x01\x00\x14\x00\x00\x01\x00\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff\x00")},
	{TW_APP_MONGODB,
		ONE("\x1c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x08\x00\x00")},
	{TW_APP_REDIS, ONE("*1\r\n$4\r\nPING\r\n")},
	{TW_APP_REDIS, TWO("PING\r\n", "+PONG\r\n")},
	{TW_APP_CASSANDRA, ONE("\x04\x00\x00\x00\x05\x00\x00\x00\x00")},
	{TW_APP_CASSANDRA, ONE("\x04\x00\x00\x01\x01\x00\x00\x00\x16\x00\x01\x00\x0b"
			       "CQL_VERSION\x00\x05"
			       "3.0.0")},
	{TW_APP_ORACLE,
		ONE("\x00\x18\x00\x00\x01\x00\x00\x00\x01\x39\x01\x2c\x00\x00\x20\x00\x7f\xff"
		    "123456")},
	{TW_APP_MEMCACHED, TWO("get key\r\n", "END\r\n")},
	{TW_APP_LDAP, ONE("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")},
	{TW_APP_LDAP,
		ONE("\x30\x84\x00\x00\x00\x10\x02\x01\x01\x60\x84\x00\x00\x00\x07\x02\x01\x03\x04\x00\x80\x00")},
	{TW_APP_KERBEROS, true,
		ONE("\x6a\x10\x30\x0e\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4\x02\x30\x00")},
	{TW_APP_KERBEROS,
		ONE("\x00\x00\x00\x12\x6a\x10\x30\x0e\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4\x02\x30\x00")},
	{TW_APP_SNMP, true,
		ONE("\x30\x14\x02\x01\x01\x04\x06"
		    "public\xa0\x07\x02\x01\x01\x02\x01\x00\x02")},
	{TW_APP_RADIUS, true, 1812,
		ONE("\x01\x2a\x00\x1f"
		    "0123456789abcdef\x01\x05"
		    "bob\x04\x06\x0a\x00\x00\x01")},
	{TW_APP_DIAMETER,
		ONE("\x01\x00\x00\x1c\x80\x00\x01\x01\x00\x00\x00\x00\x12\x34\x56\x78\x12\x34\x56\x78\x00\x00\x01\x08\x40\x00\x00\x08")},
	{TW_APP_NTP, true, 123, LONG("\x23\x00\x06\xec", 48)},
	{TW_APP_SYSLOG, true, ONE("<34>1 2026-01-01T00:00:00Z host app")},
	{TW_APP_SYSLOG, true, ONE("<13>Oct 11 22:14:15 host su: x")},
	{TW_APP_SYSLOG, true, ONE("<165>Aug 24 05:34:00 host x")},
	{TW_APP_SSDP, true, 1900, ONE("M-SEARCH * HTTP/1.1\r\n")},
	{TW_APP_DTLS, true,
		ONE("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00")},
	{TW_APP_STUN, true,
		ONE("\x00\x01\x00\x00\x21\x12\xa4\x42"
		    "0123456789ab")},
	{TW_APP_STUN, true,
		ONE("\x00\x01\x00\x08"
		    "0123456789abcdef\x00\x03\x00\x04\x00\x00\x00\x00")},
	{TW_APP_SIP, true, ONE("OPTIONS sip:a@b SIP/2.0\r\n")},
	{TW_APP_SIP, ONE("SIP/2.0 200 OK\r\n")},
	{TW_APP_RTSP, ONE("OPTIONS rtsp://a/b RTSP/1.0\r\n")},
	{TW_APP_RTSP, ONE("OPTIONS * RTSP/1.0\r\n")},
	{TW_APP_IRC, ONE("NICK bob\r\nUSER bob 0 * :b\r\n")},
	{TW_APP_IRC, TWO("USER bob 0 * :b\r\n", ":irc.example.net 001 bob\r\n")},
	{TW_APP_XMPP, ONE("<?xml version='1.0'?><stream:stream to='a'>")},
	{TW_APP_MQTT, ONE("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")},
	{TW_APP_AMQP, ONE("AMQP\x00\x00\x09\x01")},
	{TW_APP_COAP, true, 5683, ONE("\x40\x01\x12\x34\xb4test")},
	{TW_APP_MODBUS, TWO("\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x02",
				"\x00\x01\x00\x00\x00\x07\x01\x03\x04\x00\x00\x00\x00")},
	{TW_APP_DNP3, ONE("\x05\x64\x05\xc9\x03\x00\x04\x00\xbd\x71")},
	{TW_APP_S7COMM,
		ONE("\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02\x03\x00\x00\x19\x02\xf0\x80\x32\x01\x00")},
	{TW_APP_BACNET, true, ONE("\x81\x0b\x00\x0c\x01\x20\xff\xff\x00\xff\x10\x08")},
	{TW_APP_OPCUA, ONE("HELF\x0c\x00\x00\x00\x00\x00\x00\x00")},
	{TW_APP_IEC104, ONE("\x68\x04\x07\x00\x00\x00")},
	{TW_APP_ENIP, ONE("\x65\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			  "12345678\x00\x00\x00\x00\x01\x00\x00\x00")},
};

static const size_t n_samples = sizeof(samples) / sizeof(samples[0]);

static const struct sample near_misses[] = {
	{TW_APP_NONE, ONE("hello, world\r\n")},
	{TW_APP_NONE, ONE("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")},
	{TW_APP_NONE, true,
		ONE("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")},
	{TW_APP_NONE, true, LONG("", 48)},
	{TW_APP_NONE, LONG("", 64)},
	{TW_APP_NONE, ONE("\xff\xff\xff\xff\xff\xff\xff\xff")},
	{TW_APP_NONE, ONE("The quick brown fox jumps over the lazy dog")},
	{TW_APP_NONE, true, ONE("The quick brown fox jumps over the lazy dog")},
	{TW_APP_NONE, ONE("{\"jsonrpc\": \"2.0\", \"method\": \"get\"}")},
	{TW_APP_NONE, ONE("GET key")},
	{TW_APP_NONE, ONE("GET")},
	{TW_APP_NONE, ONE("SSH-2.0")},
	{TW_APP_NONE, ONE("HTTP/2")},
	{TW_APP_NONE, ONE("OPTIONS icap://a")},
	/* TLS records: too long, of an unknown version, of an unknown handshake message. */
	{TW_APP_NONE, ONE("\x16\x03\x01\xff\xff\x01\x00\x01\xfc\x03\x03")},
	{TW_APP_NONE, ONE("\x16\x04\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
	{TW_APP_NONE, ONE("\x16\x03\x01\x02\x00\x63\x00\x01\xfc\x03\x03")},
	/* A greeting of two applications; a client's command of two. */
	{TW_APP_NONE, TWO("", "220 mail.example.net ESMTP\r\n")},
	{TW_APP_NONE, TWO("QUIT\r\n", "220 ready\r\n")},
	{TW_APP_NONE, ONE("USER bob\r\n")},
	{TW_APP_NONE, TWO("\x05\x01\x00", "HELLO")},
	/* Lengths that disagree. */
	{TW_APP_NONE, TWO("", "\x0b\x00\x00\x00\x0a"
			      "8.0.36\x00\x01\x02")},
	{TW_APP_NONE, ONE("\x00\x00\x00\x14\x00\x03\x00\x00"
			  "user\x00"
			  "bob\x00\x00\x00")},
	{TW_APP_NONE, ONE("\x10\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00")},
	{TW_APP_NONE, true, ONE("\x81\x0b\x00\x0d\x01\x20\xff\xff\x00\xff\x10\x08")},
	{TW_APP_NONE, true, LONG("\x01\x00\x00\x00", 147)},
	{TW_APP_NONE, true,
		ONE("\x00\x01\x00\x04\x21\x12\xa4\x42"
		    "0123456789ab")},
	{TW_APP_NONE, ONE("\x00\x1e\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
			  "example\x03net\x00\x00\x01\x00\x01")},
	/* Formats that need their port. */
	{TW_APP_NONE, true, 7777, LONG("\x23\x00\x06\xec", 48)},
	{TW_APP_NONE, true, 7777, ONE("\x40\x01\x12\x34\xb4test")},
	{TW_APP_NONE, true, 427,
		ONE("\x01\x2a\x00\x1f"
		    "0123456789abcdef\x01\x05"
		    "bob\x04\x06\x0a\x00\x00\x01")},
	/* TFTP without a mode; DNS with a label that is too long. */
	{TW_APP_NONE, true,
		ONE("\x00\x01"
		    "pxelinux.0\x00other\x00")},
	{TW_APP_NONE, true,
		ONE("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x77"
		    "example\x03net\x00\x00\x01\x00\x01")},
	/* COTP without a service that follows. */
	{TW_APP_NONE,
		ONE("\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02")},
	/* XML that is no XMPP; a syslog priority beyond 191. */
	{TW_APP_NONE, ONE("<?xml version=\"1.0\"?><note/>")},
	{TW_APP_NONE, true, ONE("<999>Oct 11 22:14:15 host")},
};

static const size_t n_near_misses = sizeof(near_misses) / sizeof(near_misses[0]);
