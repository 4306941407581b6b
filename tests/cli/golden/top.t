# What is busy, as text: one interval when stdout is no terminal.
$ fake_agent good tapwall top --socket agent.sock
2023-11-14 22:13:20, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s

PORT      WORKLOAD  STATE      OUT/s  IN/s  BYTES OUT/s  BYTES IN/s  NEW OUT  NEW IN  DENIED
tap-web1  web-1     protected   1.2k   980       79 KiB     1.3 MiB       12       0     3.0
tap-db1   db-1      protected    30k   0.5      2.0 KiB        33 B        0     0.5       0

PROTO  FROM                      TO                   STATE        OUT/s  IN/s  BYTES OUT/s  BYTES IN/s    AGE  RULE
tcp    web-1 10.0.0.11:40000  →  db-1 10.0.0.21:5432  established   1.0k   950       64 KiB     1.3 MiB  2h00m  web-to-db

RULE       ACTION  HITS/s  PACKETS/s  BYTES/s    HITS  LINE
no-telnet  reject     3.0        3.0    222 B  12,345    21

REASON  OUT/s  IN/s  MEANS
policy     16     0  a rule, or the default, decided the connection
$ fake_agent good tapwall top --socket agent.sock --once --view ports --sort packets
2023-11-14 22:13:20, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s

PORT      WORKLOAD  STATE      OUT/s  IN/s  BYTES OUT/s  BYTES IN/s  NEW OUT  NEW IN  DENIED
tap-db1   db-1      protected    30k   0.5      2.0 KiB        33 B        0     0.5       0
tap-web1  web-1     protected   1.2k   980       79 KiB     1.3 MiB       12       0     3.0
$ fake_agent good tapwall top --socket agent.sock --view ports --sort name --limit 1 --count 2
2023-11-14 22:13:20, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s

PORT     WORKLOAD  STATE      OUT/s  IN/s  BYTES OUT/s  BYTES IN/s  NEW OUT  NEW IN  DENIED
tap-db1  db-1      protected    30k   0.5      2.0 KiB        33 B        0     0.5       0

2023-11-14 22:13:21, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s

PORT     WORKLOAD  STATE      OUT/s  IN/s  BYTES OUT/s  BYTES IN/s  NEW OUT  NEW IN  DENIED
tap-db1  db-1      protected    30k   0.5      2.0 KiB        33 B        0     0.5       0
$ fake_agent empty tapwall top --socket agent.sock
2023-11-14 22:13:20, 1.0 s: 0 of 262,144 connections, 0 moved, 0 new/s
out 0/s, 0 B/s   in 0/s, 0 B/s   denied 0/s

no ports

no traffic

no rule has matched

no frames
# For programs.
$ fake_agent good tapwall top --socket agent.sock --json
{"time":1700000000.0,"seconds":1.004,"n_connections":1234,"connections_max":262144,"moved":56,"opened_s":12.5,"ports":[{"name":"tap-web1","workload":"web-1","state":"protected","open":false,"denied_s":{"out":3.0,"in":0.0},"opened_s":{"out":12.5,"in":0.0},"packets_s":{"out":1250.0,"in":980.4},"bytes_s":{"out":81250.0,"in":1400000.0}},{"name":"tap-db1","workload":"db-1","state":"protected","open":false,"denied_s":{"out":0.0,"in":0.0},"opened_s":{"out":0.0,"in":0.5},"packets_s":{"out":30000.0,"in":0.5},"bytes_s":{"out":2000.0,"in":33.0}}],"connections":[{"proto":"tcp","from":{"address":"10.0.0.11","port":40000,"workload":"web-1"},"to":{"address":"10.0.0.21","port":5432,"workload":"db-1"},"state":"established","packets":{"out":0,"in":0},"bytes":{"out":0,"in":0},"age_s":7200.0,"idle_s":0.0,"out":{"verdict":"allow","rule":"web-to-db"},"in":{"verdict":"allow","rule":"web-to-db"},"network":"br0","vlan":0,"adopted":false,"application":null,"packets_s":{"out":1000.0,"in":950.0},"bytes_s":{"out":66000.0,"in":1380000.0}}],"rules":[{"name":"no-telnet","action":"reject","line":21,"hits_s":3.0,"packets_s":3.0,"bytes_s":222.0}],"reasons":[{"reason":"policy","packets_s":{"out":15.5,"in":0.0}}]}
$ fake_agent good tapwall top --socket agent.sock --json --count 2 | jq -c '[.time, (.ports | length)]'
[1700000000,2]
[1700000001,2]
# An agent that goes, and one that refuses.
$ fake_agent good tapwall top --socket agent.sock --view rules --count 3
2023-11-14 22:13:20, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s

RULE       ACTION  HITS/s  PACKETS/s  BYTES/s    HITS  LINE
no-telnet  reject     3.0        3.0    222 B  12,345    21

2023-11-14 22:13:21, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s

RULE       ACTION  HITS/s  PACKETS/s  BYTES/s    HITS  LINE
no-telnet  reject     3.0        3.0    222 B  12,345    21
tapwall: agent.sock: the agent closed the connection; see what tapwalld logs
[4]
$ fake_agent refuse tapwall top --socket agent.sock
tapwall: tap-web1: cannot attach: Operation not permitted; give the agent CAP_BPF and CAP_NET_ADMIN
[3]
$ tapwall top --interval 0
tapwall: --interval: '0' is not a number from 1 to 3600
[2]
$ tapwall top --view nothing
tapwall: --view: 'nothing' is not a choice; write one of: all, ports, connections, rules, reasons
[2]
# The screen: views, sorting, pause, another size, a narrow one, the end.
$ fake_agent calm on_screen 24x80 '' tapwall top --socket agent.sock
|2023-11-14 22:13:21, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
|out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s
| ports   connections   rules   reasons    by bytes
|PORT      WORKLOAD  OUT/s  IN/s  BYTES OUT/s  BYTES IN/s  NEW IN  DENIED
|tap-web1  web-1      1.2k   980       79 KiB     1.3 MiB       0     3.0
|tap-db1   db-1        30k   0.5      2.0 KiB        33 B     0.5       0
|
|
|
|
|
|
|
|
|
|
|
|
|
|
|
|
|
|q quit  p/c/r/d or Tab view  s sort  space pause  arrows scroll
$ fake_agent calm on_screen 12x132 s tapwall top --socket agent.sock
|2023-11-14 22:13:21, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
|out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s
| ports   connections   rules   reasons    by packets
|PORT      WORKLOAD  STATE      OUT/s  IN/s  BYTES OUT/s  BYTES IN/s  NEW OUT  NEW IN  DENIED
|tap-db1   db-1      protected    30k   0.5      2.0 KiB        33 B        0     0.5       0
|tap-web1  web-1     protected   1.2k   980       79 KiB     1.3 MiB       12       0     3.0
|
|
|
|
|
|q quit  p/c/r/d or Tab view  s sort  space pause  arrows scroll
$ fake_agent calm on_screen 10x80 'cs ' tapwall top --socket agent.sock
|2023-11-14 22:13:21, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
|out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s
| ports   connections   rules   reasons   paused  by packets
|PROTO  FROM                      TO                   BYTES OUT/s  BYTES IN/s
|tcp    web-1 10.0.0.11:40000  →  db-1 10.0.0.21:5432       64 KiB     1.3 MiB
|
|
|
|
|q quit  p/c/r/d or Tab view  s sort  space pause  arrows scroll
$ fake_agent calm on_screen 10x80 'c@8x40;' tapwall top --socket agent.sock
|2023-11-14 22:13:21, 1.0 s: 1,234 of 262
|out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/
| ports   connections   rules   reasons
|PROTO  FROM                      TO
|tcp    web-1 10.0.0.11:40000  →  db-1 10
|
|
|q quit  p/c/r/d or Tab view  s sort  sp
$ fake_agent calm on_screen 8x60 v tapwall top --socket agent.sock
|2023-11-14 22:13:21, 1.0 s: 1,234 of 262,144 connections, 56
|out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s
| ports   connections   rules   reasons    by bytes
|PORT     WORKLOAD  IN/s  BYTES OUT/s  BYTES IN/s  DENIED
|tap-db1  db-1       0.5      2.0 KiB        33 B       0
|
|
|q quit  p/c/r/d or Tab view  s sort  space pause  arrows sc
$ fake_agent calm on_screen 5x30 r tapwall top --socket agent.sock
|2023-11-14 22:13:21, 1.0 s: 1,
|out 31k/s, 81 KiB/s   in 981/s
| ports   connections   rules
|RULE       ACTION  HITS/s  PAC
|q quit  p/c/r/d or Tab view
$ fake_agent calm on_screen 9x80 '' tapwall top --socket agent.sock --view reasons
|2023-11-14 22:13:21, 1.0 s: 1,234 of 262,144 connections, 56 moved, 12 new/s
|out 31k/s, 81 KiB/s   in 981/s, 1.3 MiB/s   denied 3.0/s
| ports   connections   rules   reasons    by bytes
|REASON  OUT/s  IN/s  MEANS
|policy     16     0  a rule, or the default, decided the connection
|
|
|
|q quit  p/c/r/d or Tab view  s sort  space pause  arrows scroll
$ fake_agent refuse on_screen 3x100 '' tapwall top --socket agent.sock
|waiting for the first interval
|
|tapwall: tap-web1: cannot attach: Operation not permitted; give the agent CAP_BPF and CAP_NET_ADMIN
[3]
