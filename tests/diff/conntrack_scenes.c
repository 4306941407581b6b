/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/diff/conntrack_scenes.h"

#include <stddef.h>

#define HANDSHAKE "> S 0 0 w=8000\n< SA 0 1 w=8000\n> A 1 1 w=8000\n"
#define SCALED	  "> S 0 0 w=8000 s=7\n< SA 0 1 w=8000 s=5\n> A 1 1 w=100\n"
#define CLOSED	  "> FA 1 1 w=8000\n< A 1 2 w=8000\n< FA 1 2 w=8000\n> A 2 2 w=8000\n"

const struct tw_ct_scene tw_ct_scenes[] = {
	{"handshake, data, close",
		HANDSHAKE "> PA 1 1 500\n< A 1 501\n< PA 1 501 800\n> A 501 801\n"
			  "> FA 501 801\n< A 801 502\n< FA 801 502\n> A 502 802\n"},
	{"half-close", HANDSHAKE "> FA 1 1\n< A 1 2\n< PA 1 2 1000\n> A 2 1001\n< PA 1001 2 1000\n"
				 "> A 2 2001\n< FA 2001 2\n> A 2 2002\n"},
	{"simultaneous close", HANDSHAKE "> FA 1 1\n< FA 1 1\n> A 2 2\n< A 2 2\n"},
	{"FIN again",
		HANDSHAKE "> FA 1 1\n> FA 1 1\n< A 1 2\n> FA 1 1\n< A 1 2\n< FA 1 2\n> A 2 2\n"},
	{"simultaneous open", "> S 0 0\n< S 0 0\n> SA 0 1\n< SA 0 1\n> A 1 1\n< A 1 1\n"},
	{"split handshake", "> S 0 0\n< S 0 0\n> SA 0 1\n< A 1 1\n> PA 1 1 100\n< A 1 101\n"},
	{"split handshake with an ACK first",
		"> S 0 0\n< A 0 1\n< S 0 0\n> SA 0 1\n< A 1 1\n> A 1 1\n"},
	{"Fast Open", "> S 0 0 300\n< SA 0 301 200\n> A 301 201\n< PA 201 301 100\n> A 301 301\n"},
	{"Fast Open, data not taken", "> S 0 0 300\n< SA 0 1\n> A 1 1\n> PA 1 1 300\n< A 1 301\n"},
	{"Fast Open, several segments before the ACK",
		"> S 0 0 300\n< SA 0 301\n< PA 1 301 1000\n< PA 1001 301 1000\n> A 301 2001\n"},
	{"SYN again and again", "> S 0 0\n> S 0 0\n> S 0 0\n< SA 0 1\n> A 1 1\n"},
	{"SYN-ACK again", "> S 0 0\n< SA 0 1\n< SA 0 1\n> A 1 1\n< SA 0 1\n> A 1 1\n> PA 1 1 10\n"},
	{"SYN-ACK late", HANDSHAKE "> PA 1 1 500\n< A 1 501\n< SA 0 1\n> A 501 1\n< A 1 501\n"},
	{"port used again in TIME-WAIT", HANDSHAKE CLOSED "> S 70000 0\n< SA 90000 70001\n"
							  "> A 70001 90001\n> PA 70001 90001 10\n"},
	{"port used again, lower number", HANDSHAKE CLOSED "> S -70000 0\n< A 2 2\n> R 2 0\n"
							   "> S -70000 0\n< SA 100 -69999\n"
							   "> A -69999 101\n"},
	{"port used again by the other end", HANDSHAKE CLOSED "< S 70000 0\n> SA 90000 70001\n"
							      "< A 70001 90001\n"},
	{"SYN-ACK in TIME-WAIT", HANDSHAKE CLOSED "< SA 0 1\n> A 2 2\n"},
	{"stragglers in TIME-WAIT", HANDSHAKE CLOSED "< FA 1 2\n> A 2 2\n> FA 1 1\n< A 2 2\n"},
	{"SYN to an end that still knows",
		HANDSHAKE "> PA 1 1 10\n< A 1 11\n> S 500000 0\n< A 1 11\n"
			  "> R 11 0\n> S 500000 0\n< SA 800000 500001\n"
			  "> A 500001 800001\n"},
	{"both ends have forgotten", HANDSHAKE "> PA 1 1 10\n< A 1 11\n> S 500000 0\n"
					       "< SA 800000 500001\n> A 500001 800001\n"
					       "> PA 500001 800001 100\n< A 800001 500101\n"},
	{"the other end has forgotten and refuses",
		HANDSHAKE "> PA 1 1 10\n< A 1 11\n> S 500000 0\n< RA zero 500001\n"},
	{"RST where the receiver is", HANDSHAKE "> PA 1 1 100\n< A 1 101\n> R 101 0\n< A 1 101\n"},
	{"RST behind data", HANDSHAKE "> PA 1 1 100\n> R 101 0\n< A 1 101\n"},
	{"RST inside the window", HANDSHAKE "> PA 1 1 100\n< A 1 101\n> R 102 0\n< A 1 101\n"
					    "> PA 101 1 100\n< A 1 201\n"},
	{"RST at the window's edge", HANDSHAKE "> R 8001 0\n< A 1 1\n> R 8002 0\n> A 1 1\n"},
	{"RST before the window",
		HANDSHAKE "> PA 1 1 100\n< A 1 101\n> R 100 0\n> R 1 0\n> A 101 1\n"},
	{"RST far away", HANDSHAKE "> R 1000000 0\n< R 1000000 0\n> RA 1000000 1\n> A 1 1\n"},
	{"RST with a wrong ACK", HANDSHAKE "> RA 1 50000\n"},
	{"refused", "> S 0 0\n< RA zero 1\n> S 10 0\n< RA zero 11\n"},
	{"refused by an attacker who guesses",
		"> S 0 0\n< RA zero 2\n< RA zero 0\n< SA 0 1\n> A 1 1\n"},
	{"challenged SYN", "> S 0 0\n< A 5000 7000\n> R 7000 0\n> S 0 0\n< SA 0 1\n> A 1 1\n"},
	{"SYN-ACK for an older SYN",
		"> S 100000 0\n< SA 0 1\n> R 1 0\n> S 100000 0\n< SA 5 100001\n"
		"> A 100001 6\n"},
	{"SYN-ACK for no SYN yet", "> S 0 0\n< SA 0 500\n> R 500 0\n< SA 0 1\n> A 1 1\n"},
	{"new SYN before an answer", "> S 0 0\n> S 90000 0\n< SA 0 90001\n> A 90001 1\n"},
	{"keep-alive", HANDSHAKE "> PA 1 1 10\n< A 1 11\n> A 10 1\n< A 1 11\n> A 10 1 1\n< A 1 11\n"
				 "< A 0 11\n> A 11 1\n"},
	{"closed window, probed",
		HANDSHAKE "> PA 1 1 100\n< A 1 101 w=0\n> A 100 1\n< A 1 101 w=0\n"
			  "> A 101 1 1\n< A 1 101 w=0\n< A 1 101 w=500\n"
			  "> PA 101 1 500\n< A 1 601\n"},
	{"retransmission", HANDSHAKE "> PA 1 1 100\n> PA 1 1 100\n> PA 1 1 50\n< A 1 101\n"
				     "> PA 1 1 100\n> PA 51 1 200\n< A 1 251\n"},
	{"reordered", HANDSHAKE "> PA 101 1 100\n< A 1 1\n> PA 1 1 100\n< A 1 201\n< A 1 101\n"},
	{"window's edge", HANDSHAKE "> A 8001 1 1\n> A 8002 1 1\n> A 8000 1 100\n"},
	{"window's edge, scaled", SCALED "< A 1 1 w=1000\n> A 32001 1 1\n> A 32002 1 1\n"
					 "< A 12801 1 1\n< A 12802 1 1\n"},
	{"ACK of unsent data", HANDSHAKE "< A 1 2\n> PA 1 1 10\n< A 1 12\n< A 1 11\n"},
	{"very old ACK", HANDSHAKE "> PA 1 1 10\n< A 1 11\n< A 1 -65998\n< A 1 -66010\n"
				   "< PA 1 -66010 10\n> A 11 11\n"},
	{"sequence wraps", "> S -2000 0\n< SA -1000 -1999\n> A -1999 -999\n> PA -1999 -999 5000\n"
			   "< A -999 3001\n< PA -999 3001 3000\n> A 3001 2001\n> FA 3001 2001\n"},
	{"urgent", HANDSHAKE "> PAU 1 1 10\n< A 1 11\n> FAU 11 1\n< A 1 12\n"},
	{"super-frame", SCALED "< A 1 1 w=2000\n> PA 1 1 60000\n< A 1 60001 w=2000\n"},
	{"scale only in the SYN",
		"> S 0 0 w=8000 s=7\n< SA 0 1 w=8000\n> A 1 1 w=8000\n"
		"< A 1 1 w=8000\n> A 8001 1 1 w=8000\n< A 8001 1 1\n< A 8002 1 1\n"},
	{"SYN in the other direction", HANDSHAKE "< S 500000 0\n> A 1 1\n< R 1 0\n"},
	{"SYN-ACK from the originator", HANDSHAKE "> SA 0 1\n> SA 1 1\n> A 1 1\n"},
	{"no connection", "> A 1 1\n< SA 0 1\n> R 1 0\n> FA 1 1\n"},
	{"flags that no stack sends", HANDSHAKE "> SF 1 0\n> SR 1 0\n> P 1 0\n> FU 1 0\n> A 1 1\n"},
	{NULL, NULL},
};
