# One connection, refusals of every kind, traffic of others.
$ make_capture ethernet ethernet.pcap
$ tapwall replay --policy policy.yaml --pcap ethernet.pcap
      1      0.000000  allow        db-1 in         policy            web-to-db         tcp 10.0.0.11:40000 → 10.0.0.21:5432
      2      0.250000  allow        web-1 in        established       web-to-db         tcp 10.0.0.21:5432 → 10.0.0.11:40000
      3      0.500000  allow        db-1 in         established       web-to-db         tcp 10.0.0.11:40000 → 10.0.0.21:5432
      4      0.750000  reject       web-1 out       policy            no-telnet         tcp 10.0.0.11:40001 → 10.0.0.21:23
      5      1.000000  deny         web-1 out       spoofed-address                     udp 10.0.0.99:5000 → 10.0.0.21:53
      6      1.250000  allow        web-1 in        policy            users-to-web      tcp 10.20.1.1:33333 → 10.0.0.11:443
      7      1.500000  deny         db-1 in         policy            default           icmp 8.0 10.20.1.1 → 10.0.0.21
      8      1.750000  unprotected                                                      udp 192.0.2.1:1 → 192.0.2.2:2

8 frames: 4 allow, 2 deny, 1 reject, 1 unprotected; 2 connections opened

  VERDICT  FRAMES  REASON           MEANS
  allow         2  policy           a rule, or the default, decided the connection
  allow         2  established      belongs to an allowed connection
  deny          1  policy           a rule, or the default, decided the connection
  deny          1  spoofed-address  source address is not the workload's
  reject        1  policy           a rule, or the default, decided the connection
$ tapwall replay --policy policy.yaml --pcap ethernet.pcap --json
{"n":1,"verdict":"allow","reason":"policy","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":2,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"web-1","direction":"in","application":null,"asked":null}
{"n":3,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":4,"verdict":"reject","reason":"policy","rule":"no-telnet","workload":"web-1","direction":"out","application":null,"asked":null}
{"n":5,"verdict":"deny","reason":"spoofed-address","rule":null,"workload":"web-1","direction":"out","application":null,"asked":null}
{"n":6,"verdict":"allow","reason":"policy","rule":"users-to-web","workload":"web-1","direction":"in","application":null,"asked":null}
{"n":7,"verdict":"deny","reason":"policy","rule":"default","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":8,"verdict":"unprotected","reason":null,"rule":null,"workload":null,"direction":null,"application":null,"asked":null}
{"summary":{"frames":8,"verdicts":{"allow":4,"would-deny":0,"deny":2,"reject":1,"unprotected":1,"unsupported":0},"connections":2,"applications":{}}}
# The same as pcapng, from stdin.
$ make_capture pcapng frames.pcapng
$ tapwall replay --policy policy.yaml --pcap - --json < frames.pcapng | tail -n 1
{"summary":{"frames":8,"verdicts":{"allow":4,"would-deny":0,"deny":2,"reject":1,"unprotected":1,"unsupported":0},"connections":2,"applications":{}}}
# At one port.
$ tapwall replay --policy policy.yaml --pcap ethernet.pcap --at db-1
      1      0.000000  allow        db-1 in         policy            web-to-db         tcp 10.0.0.11:40000 → 10.0.0.21:5432
      2      0.250000  allow        db-1 out        established       web-to-db         tcp 10.0.0.21:5432 → 10.0.0.11:40000
      3      0.500000  allow        db-1 in         established       web-to-db         tcp 10.0.0.11:40000 → 10.0.0.21:5432
      4      0.750000  reject       db-1 in         policy            no-telnet         tcp 10.0.0.11:40001 → 10.0.0.21:23
      5      1.000000  deny         db-1 in         policy            default           udp 10.0.0.99:5000 → 10.0.0.21:53
      6      1.250000  deny         db-1 in         not-for-port                        tcp 10.20.1.1:33333 → 10.0.0.11:443
      7      1.500000  deny         db-1 in         policy            default           icmp 8.0 10.20.1.1 → 10.0.0.21
      8      1.750000  deny         db-1 in         not-for-port                        udp 192.0.2.1:1 → 192.0.2.2:2

8 frames: 3 allow, 4 deny, 1 reject; 1 connection opened

  VERDICT  FRAMES  REASON        MEANS
  allow         1  policy        a rule, or the default, decided the connection
  allow         2  established   belongs to an allowed connection
  deny          2  policy        a rule, or the default, decided the connection
  deny          2  not-for-port  destination MAC or address is not the workload's
  reject        1  policy        a rule, or the default, decided the connection
$ tapwall replay --policy policy.yaml --pcap ethernet.pcap --at nobody
tapwall: --at: there is no workload 'nobody'; name one of the policy's workloads
[2]
# Link layers without Ethernet.
$ for form in raw null sll sll2; do make_capture $form $form.pcap; tapwall replay --policy policy.yaml --pcap $form.pcap --json > $form.out; cmp raw.out $form.out; done; cat raw.out
{"n":1,"verdict":"allow","reason":"policy","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":2,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"web-1","direction":"in","application":null,"asked":null}
{"n":3,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":4,"verdict":"reject","reason":"policy","rule":"no-telnet","workload":"web-1","direction":"out","application":null,"asked":null}
{"n":5,"verdict":"deny","reason":"policy","rule":"default","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":6,"verdict":"allow","reason":"policy","rule":"users-to-web","workload":"web-1","direction":"in","application":null,"asked":null}
{"n":7,"verdict":"deny","reason":"policy","rule":"default","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":8,"verdict":"unprotected","reason":null,"rule":null,"workload":null,"direction":null,"application":null,"asked":null}
{"summary":{"frames":8,"verdicts":{"allow":4,"would-deny":0,"deny":2,"reject":1,"unprotected":1,"unsupported":0},"connections":2,"applications":{}}}
$ make_capture usb usb.pcap
$ tapwall replay --policy policy.yaml --pcap usb.pcap | tail -n 3

8 frames: 8 unsupported; 0 connections opened
unsupported: the link layer is USB_LINUX, which is not Ethernet, bare IP, Linux cooked or BSD loopback, or the frame ends inside it
$ tapwall replay --policy policy.yaml --pcap usb.pcap --json | tail -n 2
{"n":8,"verdict":"unsupported","reason":null,"rule":null,"workload":null,"direction":null,"application":null,"asked":null}
{"summary":{"frames":8,"verdicts":{"allow":0,"would-deny":0,"deny":0,"reject":0,"unprotected":0,"unsupported":8},"connections":0,"applications":{},"unsupported":"USB_LINUX"}}
# Frames that were cut when captured.
$ make_capture cut cut.pcap
$ tapwall replay --policy policy.yaml --pcap cut.pcap
      1      0.000000  deny         web-1 out       truncated                           tcp 10.0.0.11:40000 → 10.0.0.21:5432
      2      0.250000  deny         db-1 out        truncated                           tcp 10.0.0.21:5432 → 10.0.0.11:40000
      3      0.500000  deny         web-1 out       truncated                           tcp 10.0.0.11:40000 → 10.0.0.21:5432
      4      0.750000  deny         web-1 out       truncated                           tcp 10.0.0.11:40001 → 10.0.0.21:23
      5      1.000000  deny         web-1 out       truncated                           udp 10.0.0.99:5000 → 10.0.0.21:53
      6      1.250000  deny         web-1 in        truncated                           tcp 10.20.1.1:33333 → 10.0.0.11:443
      7      1.500000  deny         db-1 in         truncated                           icmp 8.0 10.20.1.1 → 10.0.0.21
      8      1.750000  unprotected                                                      udp 192.0.2.1:1 → 192.0.2.2:2

8 frames: 7 deny, 1 unprotected; 0 connections opened

  VERDICT  FRAMES  REASON     MEANS
  deny          7  truncated  the frame ends inside a header
# A clock that goes back, then a month ahead: nothing is left of the connection.
$ make_capture clock clock.pcap
$ tapwall replay --policy policy.yaml --pcap clock.pcap | head -n 4
      1      0.000000  allow        db-1 in         policy            web-to-db         tcp 10.0.0.11:40000 → 10.0.0.21:5432
      2      0.000000  allow        web-1 in        established       web-to-db         tcp 10.0.0.21:5432 → 10.0.0.11:40000
      3  2592000.000000  deny         web-1 out       tcp-midstream                       tcp 10.0.0.11:40000 → 10.0.0.21:5432
      4  2592000.000000  reject       web-1 out       policy            no-telnet         tcp 10.0.0.11:40001 → 10.0.0.21:23
# Files that are no captures, or not to their end.
$ make_capture broken broken.pcap
$ tapwall replay --policy policy.yaml --pcap broken.pcap | tail -n 8
tapwall: broken.pcap: frame 8: the capture is broken: truncated dump file; tried to read 42 captured bytes, only got 32
7 frames: 4 allow, 2 deny, 1 reject; 2 connections opened

  VERDICT  FRAMES  REASON           MEANS
  allow         2  policy           a rule, or the default, decided the connection
  allow         2  established      belongs to an allowed connection
  deny          1  policy           a rule, or the default, decided the connection
  deny          1  spoofed-address  source address is not the workload's
  reject        1  policy           a rule, or the default, decided the connection
$ tapwall replay --policy policy.yaml --pcap broken.pcap --json > out; tail -n 1 out
tapwall: broken.pcap: frame 8: the capture is broken: truncated dump file; tried to read 42 captured bytes, only got 32
{"summary":{"frames":7,"verdicts":{"allow":4,"would-deny":0,"deny":2,"reject":1,"unprotected":0,"unsupported":0},"connections":2,"applications":{}}}
$ tapwall replay --policy policy.yaml --pcap policy.yaml
tapwall: policy.yaml: not a readable capture: unknown file format; give a pcap or pcapng file
[1]
$ tapwall replay --policy policy.yaml --pcap nowhere.pcap
tapwall: nowhere.pcap: cannot read it: No such file or directory
[2]
$ tapwall replay --policy policy.yaml
tapwall: replay: --pcap is missing; see --help
[2]
$ tapwall replay --policy bad.yaml --pcap ethernet.pcap
tapwall: bad.yaml:3:21: there is no group, workload or network nobody; define it under networks, workloads or groups
tapwall: bad.yaml:3:46: there is no action alow; did you mean allow?
tapwall: bad.yaml:4:12: the name a is used twice, first in line 3; choose another name
tapwall: bad.yaml:5:1: a policy has no key bogus; write one of: version, networks, services, workloads, groups, default, options, rules
[1]
# The timeouts of the policy, and those that it says nothing of.
$ make_capture late late.pcap; { sed '/^rules:/,$d' policy.yaml; echo 'rules: [{from: web-1, to: db-1, action: allow}]'; } > late.yaml; { cat late.yaml; echo 'options: {timeouts: {udp-unreplied: 5s}}'; } > short.yaml
$ tapwall replay --policy late.yaml --pcap late.pcap | head -n 2
      1      0.000000  allow        db-1 in         policy            rule-1            udp 10.0.0.11:4000 → 10.0.0.21:53
      2     10.000000  allow        web-1 in        established       rule-1            udp 10.0.0.21:53 → 10.0.0.11:4000
$ tapwall replay --policy short.yaml --pcap late.pcap | head -n 2
      1      0.000000  allow        db-1 in         policy            rule-1            udp 10.0.0.11:4000 → 10.0.0.21:53
      2     10.000000  deny         db-1 out        policy            default           udp 10.0.0.21:53 → 10.0.0.11:4000
# The applications of connections, once their bytes tell them: also from a SYN, and with segments that come twice or in another order.
$ make_capture apps apps.pcap
$ tapwall replay --policy policy.yaml --pcap apps.pcap
      1      0.000000  allow        db-1 in         policy            web-to-db         tcp 10.0.0.11:40000 → 10.0.0.21:5432
      2      0.250000  allow        web-1 in        established       web-to-db         tcp 10.0.0.21:5432 → 10.0.0.11:40000
      3      0.500000  allow        db-1 in         established       web-to-db         tcp 10.0.0.11:40000 → 10.0.0.21:5432  postgresql
      4      0.750000  allow        web-1 in        established       web-to-db         tcp 10.0.0.21:5432 → 10.0.0.11:40000  postgresql
      5      1.000000  allow        db-1 in         policy            web-to-db         tcp 10.0.0.11:40001 → 10.0.0.21:5432
      6      1.250000  allow        web-1 in        established       web-to-db         tcp 10.0.0.21:5432 → 10.0.0.11:40001
      7      1.500000  allow        db-1 in         established       web-to-db         tcp 10.0.0.11:40001 → 10.0.0.21:5432
      8      1.750000  allow        db-1 in         established       web-to-db         tcp 10.0.0.11:40001 → 10.0.0.21:5432
      9      2.000000  allow        db-1 in         established       web-to-db         tcp 10.0.0.11:40001 → 10.0.0.21:5432  ssh
     10      2.250000  allow        db-1 in         policy            web-to-db         tcp 10.0.0.11:40002 → 10.0.0.21:5432  http
     11      2.500000  allow        web-1 in        established       web-to-db         tcp 10.0.0.21:5432 → 10.0.0.11:40002  http
     12      2.750000  allow        db-1 in         policy            web-to-db         tcp 10.0.0.11:40003 → 10.0.0.21:5432
     13      3.000000  allow        web-1 in        established       web-to-db         tcp 10.0.0.21:5432 → 10.0.0.11:40003
     14      3.250000  allow        db-1 in         established       web-to-db         tcp 10.0.0.11:40003 → 10.0.0.21:5432

14 frames: 14 allow; 4 connections opened

  VERDICT  FRAMES  REASON       MEANS
  allow         4  policy       a rule, or the default, decided the connection
  allow        10  established  belongs to an allowed connection

  APPLICATION  CONNECTIONS
  http                   1
  ssh                    1
  postgresql             1
$ tapwall replay --policy policy.yaml --pcap apps.pcap --json
{"n":1,"verdict":"allow","reason":"policy","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":2,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"web-1","direction":"in","application":null,"asked":null}
{"n":3,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"db-1","direction":"in","application":"postgresql","asked":null}
{"n":4,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"web-1","direction":"in","application":"postgresql","asked":null}
{"n":5,"verdict":"allow","reason":"policy","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":6,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"web-1","direction":"in","application":null,"asked":null}
{"n":7,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":8,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":9,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"db-1","direction":"in","application":"ssh","asked":null}
{"n":10,"verdict":"allow","reason":"policy","rule":"web-to-db","workload":"db-1","direction":"in","application":"http","asked":null}
{"n":11,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"web-1","direction":"in","application":"http","asked":null}
{"n":12,"verdict":"allow","reason":"policy","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"n":13,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"web-1","direction":"in","application":null,"asked":null}
{"n":14,"verdict":"allow","reason":"established","rule":"web-to-db","workload":"db-1","direction":"in","application":null,"asked":null}
{"summary":{"frames":14,"verdicts":{"allow":14,"would-deny":0,"deny":0,"reject":0,"unprotected":0,"unsupported":0},"connections":4,"applications":{"http":1,"ssh":1,"postgresql":1}}}
