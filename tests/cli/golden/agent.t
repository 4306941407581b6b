# What the agent tells, for people.
$ fake_agent good tapwall status --socket agent.sock
NOT FILTERED, 1 port without a workload: tap9
SHUT: tap8: its own MAC is another's
SPLIT BRAIN: evil?[31m and lb-2 both claim the shared address 10.0.0.100, last 12s ago; it is now at lb-2
SHUT: 2 more such ports
DEGRADED: /var/lib/tapwall: cannot write ports.json: No space left on device
tapwall 0.1.0 is up for 1d02h, pid 4711
  policy       /etc/tapwall/policy.yaml, generation 3, in force for 15m00s
               4 rules, 1 workload
               default: deny; ports without a workload are NOT FILTERED (unclaimed: ignore)
  file         /etc/tapwall/policy.yaml DIFFERS from the policy in force; run tapwall reload, or restore the file
  applying     /etc/tapwall/large.yaml, reading, ordered by alice 2.5s ago
               evil?[31m (dry run), waiting, ordered by the agent 0.5s ago
  ports        1 NOT FILTERED, 2 protected, 1 unclaimed and shut, 0 shut
  without a port on this host: db-2, evil?[31m, and 18 more
  proved       all ports had their programs when last checked, at most 4.5s ago
               other tools removed programs 2 times; they were attached again
  connections  1,234 of 262,144 (0.5%), 176 bytes each
  images       2, together 5.4 KiB, 688.0 bytes per rule
  events       0 lost, 20,000 over a port's rate
  attached     by tcx, pinned at /sys/fs/bpf/tapwall
  forwarding   cut-through, by the bridge's own MAC table
  uplinks      eth0
               evil?[31m
  latch        on: new ports of every kind are shut until they are filtered
  slow path    [fe80::1%br0]:7433, connected for 1m30s to slow-1, version 0.1.0
               this host's certificate expires in 30d00h
  pause        1.2 s in which the agent did not answer, 30m00s ago
$ fake_agent good tapwall ports --socket agent.sock
NOT FILTERED: 1 port
LIBERAL: state and sequence numbers of TCP deny nothing at 1 port
NOT FILTERED: tap9: no workload of the policy has it
LOOKS LIKE db-1: tap9: to bind it, write port: tap9 in the policy
PORT      WORKLOAD  STATE         FOUND BY  MAC                BRIDGE  RULES        OUT   IN  BYTES OUT  BYTES IN  DENIED OUT  DENIED IN  HALF OPEN  ESTABLISHED  ADDRESSES                                                      TROUBLE
tap-web1  web-1     protected     tap-mac   52:54:00:00:00:01  br0         5  1,234,567  999    1.8 GiB    62 KiB           0         17         12        3,400  10.0.0.11 fd00::11 dhcp 10.0.0.57 (59m01s, not in the policy)
tap9                NOT FILTERED                                           0          0    0        0 B       0 B           0          0          0            0                                                                 cannot attach: evil?[31m
$ fake_agent good tapwall workloads --socket agent.sock
WORKLOAD  PORT      STATE             FOUND BY  MAC                NAMED PORT  ADDRESSES
web-1     tap-web1  protected         tap-mac   52:54:00:00:00:01              10.0.0.11 dhcp
db-2                not on this host                               tap-db2
$ TAPWALL_SOCKET=agent.sock fake_agent good tapwall workloads
WORKLOAD  PORT      STATE             FOUND BY  MAC                NAMED PORT  ADDRESSES
web-1     tap-web1  protected         tap-mac   52:54:00:00:00:01              10.0.0.11 dhcp
db-2                not on this host                               tap-db2
$ TAPWALL_SOCKET=elsewhere fake_agent good tapwall workloads --socket agent.sock
WORKLOAD  PORT      STATE             FOUND BY  MAC                NAMED PORT  ADDRESSES
web-1     tap-web1  protected         tap-mac   52:54:00:00:00:01              10.0.0.11 dhcp
db-2                not on this host                               tap-db2
$ fake_agent good tapwall workloads --socket agent.sock --json
{"name":"web-1","port":"tap-web1","state":"protected","found_by":"tap-mac","mac":"52:54:00:00:00:01","named_port":null,"addresses":["10.0.0.11","dhcp"]}
{"name":"db-2","port":null,"state":null,"found_by":null,"mac":null,"named_port":"tap-db2","addresses":[]}
$ fake_agent good tapwall groups --socket agent.sock
GROUP     ADDRESSES  WORKLOADS        NETWORKS
web          65,537  web-1 evil?[31m
all    2^64 or more                   office 2001:db8::/32
none              0
$ fake_agent good tapwall groups --socket agent.sock --json
{"name":"web","addresses":65537,"workloads":["web-1","evil\u001B[31m"],"networks":[]}
{"name":"all","addresses":9223372036854775807,"workloads":[],"networks":["office","2001:db8::/32"]}
{"name":"none","addresses":0,"workloads":[],"networks":[]}
$ fake_agent good tapwall agents --slow agent.sock
AGENT   VERSION  POLICY  STATE        FOR  LAST CONTACT  ADDRESS              WHY
host-a  0.1.0         3  connected  1d02h          0.5s  [fe80::2%br0]:41692
host-b  0.1.0      none  away       1m30s         1m45s  10.0.0.2:40000       sent nothing for 15 s
$ fake_agent good tapwall agents --slow agent.sock --json
{"name":"host-a","host":"hypervisor-1","version":"0.1.0","connected":true,"address":"[fe80::2%br0]:41692","since_s":93600.0,"contact_s":0.5,"policy_generation":3,"policy_source":"/etc/tapwall/policy.yaml","connects":2,"why":null,"certificate_left_s":0.0}
{"name":"host-b","host":"evil\u001B[31m","version":"0.1.0","connected":false,"address":"10.0.0.2:40000","since_s":90.0,"contact_s":105.0,"policy_generation":0,"policy_source":null,"connects":1,"why":"sent nothing for 15 s","certificate_left_s":0.0}
$ TAPWALL_SLOW=agent.sock fake_agent good tapwall workloads --socket agent:host-a
WORKLOAD  PORT      STATE             FOUND BY  MAC                NAMED PORT  ADDRESSES
web-1     tap-web1  protected         tap-mac   52:54:00:00:00:01              10.0.0.11 dhcp
db-2                not on this host                               tap-db2
$ TAPWALL_SLOW=nowhere.sock tapwall status --socket agent:host-a
tapwall: nowhere.sock: cannot reach tapwall-slowd: No such file or directory; start tapwall-slowd, or name its socket in TAPWALL_SLOW
[4]
$ fake_agent good tapwall history --limit 2 --count --slow agent.sock
TIME                     VERDICT  PROTO              FROM                      TO                         PACKETS   BYTES  REPLY BYTES  LASTED  RULE       WHY             AGENT
2023-11-14 22:13:20.250  allow    tcp                web-1 10.0.0.11:40000  →  evil?[31m [fd00::21]:5432    2,300  96 KiB      1.4 MiB   1m01s  web-to-db  time-wait       host-a
2023-11-14 22:13:20.250  reject   icmp 8.0 id 40000  web-1 10.0.0.11        →  evil?[31m fd00::21               1    98 B                                  foreign-source  host-a

4,711 match

more: --page 1700000000250001+2
$ fake_agent good tapwall history --limit 2 --slow agent.sock --json
{"time":1700000000.25,"event":"close","verdict":"allow","reason":"policy","rule":"web-to-db","proto":"tcp","from":{"address":"10.0.0.11","port":40000,"workload":"web-1"},"to":{"address":"fd00::21","port":5432,"workload":"evil\u001B[31m"},"out":{"verdict":"allow","rule":"web-to-db"},"in":null,"ports":{"out":"tap-web1","in":null},"direction":null,"state":"time-wait","packets":{"out":1200,"in":1100},"bytes":{"out":98304,"in":1500000},"duration_s":61.0,"idle_s":2.0,"agent":"host-a"}
{"time":1700000000.25,"event":"deny","verdict":"reject","reason":"foreign-source","rule":null,"proto":"icmp","from":{"address":"10.0.0.11","port":40000,"workload":"web-1"},"to":{"address":"fd00::21","port":5432,"workload":"evil\u001B[31m"},"out":null,"in":null,"ports":{"out":"tap-web1","in":null},"direction":"out","state":null,"packets":{"out":1,"in":0},"bytes":{"out":98,"in":0},"duration_s":0.0,"idle_s":0.0,"agent":"host-a","type":8,"code":0}
{"summary":{"rows":2,"next":"1700000000250001+2"}}
$ fake_agent good tapwall history talkers --slow agent.sock
SOURCE           CONNECTIONS  DENIALS  PACKETS  REPLIES   BYTES  REPLY BYTES
web-1 10.0.0.11        1,234        5    1,200        0  96 KiB          0 B
others                 1,234        5    1,200        0  96 KiB          0 B
$ fake_agent good tapwall history who 10.0.0.0/8 --slow agent.sock --json
{"address":"10.0.0.11","workload":"web-1","connections":1234,"denials":5,"packets":{"out":1200,"in":0},"bytes":{"out":98304,"in":0}}
{"others":true,"connections":1234,"denials":5,"packets":{"out":1200,"in":0},"bytes":{"out":98304,"in":0}}
{"summary":{"rows":2,"next":null}}
$ fake_agent good tapwall history services --slow agent.sock
SERVICE   CONNECTIONS  DENIALS  PACKETS  REPLIES   BYTES  REPLY BYTES
tcp/5432        1,234        5    1,200        0  96 KiB          0 B
others          1,234        5    1,200        0  96 KiB          0 B
$ fake_agent good tapwall history services --slow agent.sock --json
{"service":{"proto":"tcp","port":5432},"connections":1234,"denials":5,"packets":{"out":1200,"in":0},"bytes":{"out":98304,"in":0}}
{"others":true,"connections":1234,"denials":5,"packets":{"out":1200,"in":0},"bytes":{"out":98304,"in":0}}
{"summary":{"rows":2,"next":null}}
$ fake_agent good tapwall history rules --slow agent.sock --json
{"rule":"web-to-db","last":1700000000.25,"decided":1234}
{"summary":{"rows":1,"next":null}}
$ fake_agent good tapwall history status --slow agent.sock
file       /var/lib/tapwall-slowd/history.db
writing    failing for 12s: No space left on device; agents keep their events
rows       32,000 in 3 blocks, 879 KiB
waiting    7 rows are to be written
from       2023-11-14 19:26:40.000 to 2023-11-14 22:13:20.250
keeps      10 GiB, 90d00h; 1,000 rows were dropped since tapwall-slowd started

AGENT   EVENTS         ROWS  MISSING  LAST                     WHY
host-a  followed      1,234        0  2023-11-14 22:13:20.250
host-b  not followed  1,234       17  2023-11-14 22:13:20.250  it sent a malformed batch
$ fake_agent good tapwall history status --slow agent.sock --json
{"agent":"host-a","followed":true,"rows":1234,"lost":0,"unusable":0,"last":1700000000.25,"why":null}
{"agent":"host-b","followed":false,"rows":1234,"lost":17,"unusable":0,"last":1700000000.25,"why":"it sent a malformed batch"}
{"path":"/var/lib/tapwall-slowd/history.db","rows":32000,"bytes":900000,"blocks":3,"oldest":1699990000.0,"newest":1700000000.25,"recorded":33000,"pending":7,"dropped":1000,"failing":"No space left on device","failing_s":12.0,"bytes_max":10737418240,"age_max_s":7776000.0}
$ tapwall history who
tapwall: history who: name a workload, address or CIDR
[2]
$ tapwall history talkers web-1
tapwall: history: unexpected argument 'web-1'; see --help
[2]
$ tapwall history --since 25:00
tapwall: --since: '25:00' is not valid; write 2h (ago), 14:05, yesterday, "2026-01-31 14:05" or @UNIX-SECONDS
[2]
$ tapwall history --proto 256
tapwall: --proto: '256' is not valid; write tcp, udp, icmp, icmp6 or a number from 1 to 255
[2]
$ tapwall history --page 17
tapwall: --page: '17' is not valid; write what the last line of an answer says
[2]
$ tapwall history talkers --page 17+1
tapwall: --page: sums have no pages
[2]
$ tapwall history talkers --unused-since 1d
tapwall: --unused-since: lists rules; write history rules
[2]
$ tapwall history --slow nowhere.sock
tapwall: nowhere.sock: cannot reach tapwall-slowd: No such file or directory; start tapwall-slowd, or name its socket in TAPWALL_SLOW
[4]
$ tapwall agents --slow nowhere.sock
tapwall: nowhere.sock: cannot reach tapwall-slowd: No such file or directory; start tapwall-slowd, or name its socket in TAPWALL_SLOW
[4]
$ fake_agent good tapwall flows --socket agent.sock
PROTO          FROM                       TO                    APP         STATE         PACKETS  REPLIES   BYTES  REPLY BYTES    AGE   IDLE  OUT RULE   IN RULE
tcp            [2001:db8:20::7]:51515  →  web-1 [fd00::11]:443              syn-sent            1        0    74 B          0 B   0.5s   0.5s  ·          users-to-web
icmp 8.0 id 7  web-1 10.0.0.11         →  10.0.0.1                          icmp                3        3   294 B        294 B   3.0s   1.0s  web-to-db  ·
tcp vlan 20    web-1 10.0.0.11:40000   →  db-1 10.0.0.21:5432   postgresql  established*    1,200    1,100  96 KiB      1.4 MiB  2h00m  1m01s  web-to-db  web-to-db

3 connections
5 half open beyond a port's quota, without a record; see tapwall ports --json
$ fake_agent good tapwall flows --socket agent.sock --sort bytes --limit 1
PROTO        FROM                      TO                   APP         STATE         PACKETS  REPLIES   BYTES  REPLY BYTES    AGE   IDLE  OUT RULE   IN RULE
tcp vlan 20  web-1 10.0.0.11:40000  →  db-1 10.0.0.21:5432  postgresql  established*    1,200    1,100  96 KiB      1.4 MiB  2h00m  1m01s  web-to-db  web-to-db

1 connection of 3
5 half open beyond a port's quota, without a record; see tapwall ports --json
$ fake_agent good tapwall rules --socket agent.sock
#  RULE       ACTION    HITS    PACKETS    BYTES  LAST HIT  LINE  SAYS
1  web-to-db  allow   12,345  9,876,543  6.5 GiB      0.2s    17  from: web, to: db, service: tcp/5432
2  default    deny         0          0      0 B     never
# Options that select some of the connections.
$ for f in "--proto tcp" "--proto 1" "--port 443" "--address 10.0.0.0/24" "-a 2001:db8:20::7" "--rule users-to-web" "--denied" "--proto tcp --rule web-to-db -n 1"; do fake_agent good tapwall flows --socket agent.sock --json $f | jq -c '[.proto, .from.port]'; echo "-- $f"; done
["tcp",40000]
["tcp",51515]
-- --proto tcp
["icmp",7]
-- --proto 1
["tcp",51515]
-- --port 443
["tcp",40000]
["icmp",7]
-- --address 10.0.0.0/24
["tcp",51515]
-- -a 2001:db8:20::7
["tcp",51515]
-- --rule users-to-web
-- --denied
["tcp",40000]
-- --proto tcp --rule web-to-db -n 1
$ fake_agent good tapwall flows --socket agent.sock --proto tcp
PROTO        FROM                       TO                    APP         STATE         PACKETS  REPLIES   BYTES  REPLY BYTES    AGE   IDLE  OUT RULE   IN RULE
tcp          [2001:db8:20::7]:51515  →  web-1 [fd00::11]:443              syn-sent            1        0    74 B          0 B   0.5s   0.5s  ·          users-to-web
tcp vlan 20  web-1 10.0.0.11:40000   →  db-1 10.0.0.21:5432   postgresql  established*    1,200    1,100  96 KiB      1.4 MiB  2h00m  1m01s  web-to-db  web-to-db

2 connections
$ fake_agent good tapwall flows --socket agent.sock --port 9
no such connection is open
$ tapwall flows --proto tpc; tapwall flows --address web-1; tapwall flows --port 0
tapwall: --proto: 'tpc' is not a protocol; write tcp, udp, icmp, icmp6 or a number from 0 to 255
tapwall: --address: 'web-1' is not an address or a CIDR; write 10.0.0.1, fd00::1 or 10.0.0.0/8
tapwall: --port: '0' is not a number from 1 to 65535
[2]
$ fake_agent good tapwall rules "web-*" --socket agent.sock --json | jq -c .name
"web-to-db"
$ fake_agent good tapwall rules --unused --sort hits --socket agent.sock
#  RULE     ACTION  HITS  PACKETS  BYTES  LAST HIT
2  default  deny       0        0    0 B     never
$ fake_agent good tapwall rules --sort last-hit --socket agent.sock --json | jq -c .name
"web-to-db"
"default"
$ fake_agent good tapwall rules nothing --socket agent.sock
the policy has no such rule
$ for f in "--rule db-in" "--rule web-to-db" "--port 5432" "--proto tcp" "--address 10.0.0.21" "--since @1700000001" "--since 2023-11-15Z"; do fake_agent good tapwall log --socket agent.sock --json $f | jq -c '[.event, .rule]'; echo "-- $f"; done
["deny","db-in"]
-- --rule db-in
["deny","db-in"]
["close","web-to-db"]
-- --rule web-to-db
["deny","no-telnet"]
["deny","db-in"]
["close","web-to-db"]
["deny",null]
-- --port 5432
["deny","no-telnet"]
["deny","db-in"]
["close","web-to-db"]
["deny",null]
-- --proto tcp
["deny","no-telnet"]
["deny","db-in"]
["close","web-to-db"]
["deny",null]
-- --address 10.0.0.21
["deny",null]
-- --since @1700000001
-- --since 2023-11-15Z
$ fake_agent good tapwall log --socket agent.sock --rule nothing
nothing of that kind was denied or logged since the agent started; older events are not kept
$ tapwall log --since tomorrow
tapwall: --since: 'tomorrow' is not valid; write 2h (ago), 14:05, yesterday, "2026-01-31 14:05" or @UNIX-SECONDS
[2]
$ fake_agent good tapwall counters --socket agent.sock
REASON         OUT  IN  MEANS
policy       1,000  23  a rule, or the default, decided the connection
spoofed-mac      5   0  source MAC is not the workload's
$ fake_agent good tapwall counters --socket agent.sock --all
REASON         OUT  IN  MEANS
policy       1,000  23  a rule, or the default, decided the connection
truncated        0   0  the frame ends inside a header
spoofed-mac      5   0  source MAC is not the workload's
$ fake_agent good tapwall log --socket agent.sock
2023-11-14 22:13:20.250  reject      web-1 out     tcp         web-1 10.0.0.11:40000 → db-1 10.0.0.21:5432   rule no-telnet
2023-11-14 22:13:20.250  deny        db-1 in       tcp         web-1 10.0.0.11:40000 → db-1 10.0.0.21:5432   rule db-in, allowed out by web-to-db
12 entries are missing here
2023-11-14 22:13:20.250  close       web-1 out     tcp         web-1 10.0.0.11:40000 → db-1 10.0.0.21:5432   rule web-to-db, time-wait after 1m15s, 2.0 KiB + 62 KiB
2023-11-14 22:13:20.250  deny        web-1 out     tcp         web-1 10.0.0.11:40000 → db-1 10.0.0.21:5432   tcp-window: A seq 4294967295 ack 7 window 502
2023-11-14 22:13:21.000  deny        tap9 out      0x88cc      52:54:00:00:00:09 → ff:ff:ff:ff:ff:ff         not-ip
$ fake_agent good tapwall version --socket agent.sock
tapwall 0.1.0
  agent   0.1.0, protocol 1, at agent.sock
  kernel  6.1.0-32-amd64
  FEATURE          FOUND  USED  NOTE
  tcx              yes    yes
  nftables bridge  no     no    new ports are shut only once the agent has seen them
$ fake_agent good tapwall apply --socket agent.sock policy.yaml
NOT FILTERED: 1 protected port now open: tap-old (evil?[31m)
NOT FILTERED: 2 ports without a workload in total: tap-old, tap9
policy.yaml is in force, generation 4 · 1.8 ms (compile 1.2 ms, publish 0.50 ms)
  ! default: deny -> allow: frames that match no rule pass
  + rule web-to-db
  + rule evil?[31m
  - rule old
  ~ workload db-1
  ~ port tap-web1
  ~ port tap-db1
$ fake_agent good tapwall apply --socket agent.sock --dry-run policy.yaml
NOT FILTERED: 1 protected port would be open: tap-old (evil?[31m)
NOT FILTERED: 2 ports without a workload in total: tap-old, tap9
policy.yaml would be refused without --allow-unprotect · 1.8 ms (compile 1.2 ms, publish 0.50 ms)
  ! default: deny -> allow: frames that match no rule pass
  + rule web-to-db
  + rule evil?[31m
  - rule old
  ~ workload db-1
  0 verdicts change; 0 connections were compared; the rules that differ may change others, too
  live connections that would be cut:
    icmp from 10.0.0.11 (web-1) to 10.0.0.1, by default
  1 of 3 live connections would be cut
  ~ port tap-web1
  ~ port tap-db1
[1]
$ fake_agent good tapwall reload --socket agent.sock
NOT FILTERED: 1 protected port now open: tap-old (evil?[31m)
NOT FILTERED: 2 ports without a workload in total: tap-old, tap9
/etc/tapwall/policy.yaml is in force, generation 4 · 1.8 ms (compile 1.2 ms, publish 0.50 ms)
  ! default: deny -> allow: frames that match no rule pass
  + rule web-to-db
  + rule evil?[31m
  - rule old
  ~ workload db-1
  ~ port tap-web1
  ~ port tap-db1
$ fake_agent invalid tapwall reload --socket agent.sock
tapwall: policy in force:3:21: there is no group, workload or network nobody; define it
tapwall: policy in force:9:5: warning: this rule can never match
[1]
$ fake_agent good tapwall explain --socket agent.sock --live --from web-1 --to db-1 --proto tcp --dport 5432 | tail -n 5
  allow · policy, rule web-to-db (/etc/tapwall/policy.yaml:20), out of web-1
  a rule, or the default, decided the connection

  1 such connection is open now
    web-1 10.0.0.11:40000 → db-1 10.0.0.21:5432, established, for 2h00m, idle 1m01s
$ fake_agent good tapwall explain --socket agent.sock --live --from web-1 --to db-1 --proto tcp --dport 23 | tail -n 4
  reject · policy, rule no-telnet (/etc/tapwall/policy.yaml:21), out of web-1
  a rule, or the default, decided the connection

  no such connection is open now
$ fake_agent good tapwall explain --socket agent.sock --live --from web-1 --to edge --proto icmp | grep '^  [io]'
  out of web-1 at port tap-web1, protected, proved 4.5s ago
  into edge, whose port is not on this host
# For programs.
$ fake_agent good tapwall status --socket agent.sock --json
{"version":"0.1.0","pid":4711,"uptime_s":93661.0,"policy_source":"/etc/tapwall/policy.yaml","policy_generation":3,"policy_age_s":900.0,"rules":4,"workloads":1,"ports_protected":2,"ports_unclaimed":2,"ports_shut":0,"connections":1234,"connections_max":262144,"connection_records":1300,"connection_bytes":176,"image_bytes":5504,"image_bytes_per_rule":688.0,"images":2,"events_lost":0,"events_limited":20000,"attach":"tcx","bpffs":"/sys/fs/bpf/tapwall","forwarding":"cut-through","bridged":null,"asks_bridges":true,"uplinks":["eth0","evil\u001B[31m"],"latch":true,"deciders":0,"questions_open":0,"questions":0,"questions_answered":0,"questions_overdue":0,"questions_dropped":0,"answers_refused":0,"slow_path":{"address":"[fe80::1%br0]:7433","state":"connected","state_age_s":90.0,"name":"slow-1","version":"0.1.0","why":null,"why_age_s":0.0,"attempts":0,"retry_s":0.0,"certificate_left_s":2592000.0,"renewal_failed":null,"events":{"kept":0,"memory_bytes":0,"disk_bytes":0,"dropped":0,"trouble":null}},"default":"deny","unclaimed":"ignore","file":"/etc/tapwall/policy.yaml","file_state":"differs","refused":null,"confirmation":null,"quarantines":[],"split_brains":[{"address":"10.0.0.100","holder":"lb-2","rival":"evil\u001B[31m","age_s":12.0}],"orders":[{"source":"/etc/tapwall/large.yaml","author":"alice","age_s":2.5,"step":"reading","bytes":12300322,"dry_run":false},{"source":"evil\u001B[31m","author":null,"age_s":0.5,"step":"waiting","bytes":0,"dry_run":true}],"longest_pause_s":1.25,"longest_pause_age_s":1800.0,"mode":null,"ports_observed":0,"observed":[],"ports_open":1,"open":["tap9"],"ports_conflicting":3,"conflicts":[{"port":"tap8","conflict":"mac-twice","why":"its own MAC is another's"}],"workloads_sought":20,"sought":["db-2","evil\u001B[31m"],"ports_unfiltered":0,"unfiltered":[],"proof_age_s":4.5,"programs_lost":2,"latch_every_kind":true,"degraded":["/var/lib/tapwall: cannot write ports.json: No space left on device"]}
$ fake_agent good tapwall ports --socket agent.sock --json
{"name":"tap-web1","ifindex":12,"workload":"web-1","state":"protected","mac":"52:54:00:00:00:01","addresses":["10.0.0.11","fd00::11","dhcp"],"leases":[{"address":"10.0.0.57","left_s":3541.25,"known":false}],"bridge":"br0","packets":{"out":1234567,"in":999},"bytes":{"out":1900000000,"in":64000},"denied":{"out":0,"in":17},"rules":5,"image_bytes":2752,"events_limited":0,"events_lost":0,"connections":{"half_open":12,"established":3400,"untracked":5,"passed_over_quota":7,"refused_over_quota":0},"bridged":null,"open":false,"found_by":"tap-mac","conflict":null,"why":null,"resembles":null,"tcp":"liberal","proof_age_s":4.5,"programs_lost":0,"trouble":null}
{"name":"tap9","ifindex":13,"workload":null,"state":"unclaimed","mac":null,"addresses":[],"leases":[],"bridge":null,"packets":{"out":0,"in":0},"bytes":{"out":0,"in":0},"denied":{"out":0,"in":0},"rules":0,"image_bytes":0,"events_limited":0,"events_lost":0,"connections":{"half_open":0,"established":0,"untracked":0,"passed_over_quota":0,"refused_over_quota":0},"bridged":null,"open":true,"found_by":null,"conflict":null,"why":null,"resembles":"db-1","tcp":null,"proof_age_s":null,"programs_lost":1,"trouble":"cannot attach: evil\u001B[31m"}
$ fake_agent good tapwall flows --socket agent.sock --json
{"proto":"tcp","from":{"address":"10.0.0.11","port":40000,"workload":"web-1"},"to":{"address":"10.0.0.21","port":5432,"workload":"db-1"},"state":"established","packets":{"out":1200,"in":1100},"bytes":{"out":98304,"in":1500000},"age_s":7200.0,"idle_s":61.0,"out":{"verdict":"allow","rule":"web-to-db"},"in":{"verdict":"allow","rule":"web-to-db"},"network":"br0","vlan":20,"adopted":true,"application":"postgresql"}
{"proto":"tcp","from":{"address":"2001:db8:20::7","port":51515,"workload":null},"to":{"address":"fd00::11","port":443,"workload":"web-1"},"state":"syn-sent","packets":{"out":1,"in":0},"bytes":{"out":74,"in":0},"age_s":0.5,"idle_s":0.5,"out":null,"in":{"verdict":"allow","rule":"users-to-web"},"network":"br0","vlan":0,"adopted":false,"application":null}
{"proto":"icmp","from":{"address":"10.0.0.11","port":7,"workload":"web-1"},"to":{"address":"10.0.0.1","port":0,"workload":null},"state":"icmp","packets":{"out":3,"in":3},"bytes":{"out":294,"in":294},"age_s":3.0,"idle_s":1.0,"out":{"verdict":"allow","rule":"web-to-db"},"in":null,"network":"br0","vlan":0,"adopted":false,"application":null,"type":8,"code":0}
$ fake_agent good tapwall flows --socket agent.sock --json --sort idle --limit 1
{"proto":"tcp","from":{"address":"2001:db8:20::7","port":51515,"workload":null},"to":{"address":"fd00::11","port":443,"workload":"web-1"},"state":"syn-sent","packets":{"out":1,"in":0},"bytes":{"out":74,"in":0},"age_s":0.5,"idle_s":0.5,"out":null,"in":{"verdict":"allow","rule":"users-to-web"},"network":"br0","vlan":0,"adopted":false,"application":null}
$ fake_agent good tapwall rules --socket agent.sock --json
{"name":"web-to-db","action":"allow","hits":12345,"packets":9876543,"bytes":7000000000,"last_hit_s":0.2,"line":17,"text":"from: web, to: db, service: tcp/5432","disabled":false,"comment":null,"owner":null,"until":null,"expired":false}
{"name":"default","action":"deny","hits":0,"packets":0,"bytes":0,"last_hit_s":null,"line":0,"text":null,"disabled":false,"comment":null,"owner":null,"until":null,"expired":false}
$ fake_agent good tapwall counters --socket agent.sock --json
{"reason":"policy","text":"a rule, or the default, decided the connection","out":1000,"in":23}
{"reason":"truncated","text":"the frame ends inside a header","out":0,"in":0}
{"reason":"spoofed-mac","text":"source MAC is not the workload's","out":5,"in":0}
$ fake_agent good tapwall log --socket agent.sock --json
{"time":1700000000.25,"event":"deny","verdict":"reject","reason":"policy","rule":"no-telnet","workload":"web-1","port":"tap-web1","direction":"out","proto":"tcp","entered_by":null,"from":{"address":"10.0.0.11","port":40000,"workload":"web-1"},"to":{"address":"10.0.0.21","port":5432,"workload":"db-1"},"src_mac":"52:54:00:00:00:01","dst_mac":"52:54:00:00:00:02","ethertype":0,"vlan":0,"len":74,"tcp":null,"out":{"verdict":"reject","rule":"no-telnet"},"in":null,"packets":{"out":0,"in":0},"bytes":{"out":0,"in":0},"age_s":0.0,"state":null,"lost_before":0}
{"time":1700000000.25,"event":"deny","verdict":"deny","reason":"policy","rule":"db-in","workload":"db-1","port":"tap-db1","direction":"in","proto":"tcp","entered_by":null,"from":{"address":"10.0.0.11","port":40000,"workload":"web-1"},"to":{"address":"10.0.0.21","port":5432,"workload":"db-1"},"src_mac":"52:54:00:00:00:01","dst_mac":"52:54:00:00:00:02","ethertype":0,"vlan":0,"len":74,"tcp":null,"out":{"verdict":"allow","rule":"web-to-db"},"in":{"verdict":"deny","rule":"db-in"},"packets":{"out":0,"in":0},"bytes":{"out":0,"in":0},"age_s":0.0,"state":null,"lost_before":0}
{"time":1700000000.25,"event":"close","verdict":"allow","reason":"policy","rule":"web-to-db","workload":"web-1","port":"tap-web1","direction":"out","proto":"tcp","entered_by":null,"from":{"address":"10.0.0.11","port":40000,"workload":"web-1"},"to":{"address":"10.0.0.21","port":5432,"workload":"db-1"},"src_mac":null,"dst_mac":null,"ethertype":0,"vlan":0,"len":0,"tcp":null,"out":{"verdict":"allow","rule":"web-to-db"},"in":{"verdict":"allow","rule":"web-to-db"},"packets":{"out":10,"in":8},"bytes":{"out":2000,"in":64000},"age_s":75.0,"state":"time-wait","lost_before":12}
{"time":1700000000.25,"event":"deny","verdict":"deny","reason":"tcp-window","rule":null,"workload":"web-1","port":"tap-web1","direction":"out","proto":"tcp","entered_by":null,"from":{"address":"10.0.0.11","port":40000,"workload":"web-1"},"to":{"address":"10.0.0.21","port":5432,"workload":"db-1"},"src_mac":"52:54:00:00:00:01","dst_mac":"52:54:00:00:00:02","ethertype":0,"vlan":0,"len":74,"tcp":{"flags":"A","seq":4294967295,"ack":7,"window":502},"out":null,"in":null,"packets":{"out":0,"in":0},"bytes":{"out":0,"in":0},"age_s":0.0,"state":null,"lost_before":0}
{"time":1700000001.0,"event":"deny","verdict":"deny","reason":"not-ip","rule":null,"workload":null,"port":"tap9","direction":"out","proto":null,"entered_by":null,"from":null,"to":null,"src_mac":"52:54:00:00:00:09","dst_mac":"ff:ff:ff:ff:ff:ff","ethertype":35020,"vlan":0,"len":0,"tcp":null,"out":null,"in":null,"packets":{"out":0,"in":0},"bytes":{"out":0,"in":0},"age_s":0.0,"state":null,"lost_before":0}
$ fake_agent good tapwall version --socket agent.sock --json
{"version":"0.1.0","agent":{"version":"0.1.0","protocol":1},"kernel":"6.1.0-32-amd64","features":[{"name":"tcx","found":true,"used":true,"note":null},{"name":"nftables bridge","found":false,"used":false,"note":"new ports are shut only once the agent has seen them"}]}
$ fake_agent good tapwall apply --socket agent.sock --json policy.yaml
{"ports_unprotected":1,"unprotected":[{"port":"tap-old","workload":"evil\u001B[31m"}],"open":["tap-old","tap9"],"dangers":["default: deny -> allow: frames that match no rule pass"],"refused":false,"generation":4,"dry_run":false,"unchanged":false,"compile_ms":1.25,"publish_ms":0.5,"rules":{"added":["web-to-db","evil\u001B[31m"],"removed":["old"],"changed":[]},"workloads":{"added":[],"removed":[],"changed":["db-1"]},"ports_changed":["tap-web1","tap-db1"],"rights_lost":[]}
$ fake_agent good tapwall explain --socket agent.sock --live --from web-1 --to db-1 --proto tcp --dport 5432 --json
{"verdict":"allow","rule":"web-to-db","reason":"policy","out":{"port":"tap-web1","verdict":"allow","rule":"web-to-db","reason":"policy","workload":"web-1","reached":true,"stage":"classify","stages":["parse","guard","track","classify","inspect","forward","report"],"state":"protected","judged":"yes","by_policy":{"verdict":"allow","rule":"web-to-db"},"why":null,"proof_age_s":4.5},"in":{"port":"db-1","verdict":"unprotected","rule":null,"reason":null,"workload":"db-1","reached":false,"stage":null,"stages":[],"state":null,"judged":"absent","by_policy":{"verdict":"allow","rule":"web-to-db"},"why":null,"proof_age_s":null},"text":"a rule, or the default, decided the connection","proto":"tcp","from":{"address":"10.0.0.11","workload":"web-1","port":49152},"to":{"address":"10.0.0.21","workload":"db-1","port":5432},"n_flows":1,"flows":[{"proto":"tcp","from":{"address":"10.0.0.11","port":40000,"workload":"web-1"},"to":{"address":"10.0.0.21","port":5432,"workload":"db-1"},"state":"established","packets":{"out":1200,"in":1100},"bytes":{"out":98304,"in":1500000},"age_s":7200.0,"idle_s":61.0,"out":{"verdict":"allow","rule":"web-to-db"},"in":{"verdict":"allow","rule":"web-to-db"},"network":"br0","vlan":20,"adopted":true,"application":"postgresql"}]}
# The longest policy is sent, a longer one is not.
$ head -c 67108864 /dev/zero > large.yaml; fake_agent good tapwall apply --socket agent.sock large.yaml | tail -n 1
  ~ port tap-db1
$ echo >> large.yaml; fake_agent good tapwall apply --socket agent.sock large.yaml; rm large.yaml
tapwall: large.yaml: larger than 64 MiB
# A host where nothing has happened yet.
$ fake_agent empty tapwall status --socket agent.sock
NOT FILTERED, 2 ports where frames pass unjudged: tap-ovs, evil?[31m
REFUSED: /etc/tapwall/evil?[31m, 1m30s ago: line 2, column 25: evil?[31m
tapwall 0.1.0 is up for 1d02h, pid 4711
  policy       none in force: filtered ports stay filtered, unfiltered ones stay NOT FILTERED, new ports are shut
  file         /etc/tapwall/policy.yaml DIFFERS from the policy in force; run tapwall reload, or restore the file
  ports        2 NOT FILTERED, 0 protected, 0 unclaimed and shut, 2 shut
  proved       no port has programs
  connections  0 of 262,144 (0.0%), 176 bytes each
  images       0, together 0 B, 0.0 bytes per rule
  events       0 lost, 0 over a port's rate
  attached     by tcx, pinned at /sys/fs/bpf/tapwall
  forwarding   cut-through, by the bridge's own MAC table
  uplinks      eth0
               evil?[31m
  latch        on: new bridge ports and routed ports are shut until they are filtered; those of Open vSwitch, bonds and teams are open until then
  slow path    slow.example:7433, NOT CONNECTED: the peer refuses: evil?[31m; tried 3 times
               1,234,567 events not stored by it yet, 32 MiB in memory, 20 MiB on disk; 400 dropped
               events are NOT KEPT ON DISK: cannot write: No space left on device?[31m
               this host's certificate EXPIRED 1d01h ago; run tapwall enroll --replace
$ fake_agent empty tapwall workloads --socket agent.sock
the policy in force has no workload
$ fake_agent empty tapwall ports --socket agent.sock
no port matches the agent's patterns
$ fake_agent empty tapwall groups --socket agent.sock
the policy in force has no group
$ fake_agent empty tapwall flows --socket agent.sock
no connection is open
$ fake_agent empty tapwall rules --socket agent.sock
no policy is in force
$ fake_agent empty tapwall counters --socket agent.sock
no frame has been counted yet
$ fake_agent empty tapwall log --socket agent.sock
nothing was denied or logged since 2023-11-14 22:13:20.250; older events are not kept
$ fake_agent empty tapwall apply --socket agent.sock policy.yaml
policy.yaml is in force already, generation 4 · 1.8 ms
$ fake_agent empty tapwall explain --socket agent.sock --live --from web-1 --to db-1 --proto icmp
tapwall: agent.sock: no policy is in force; apply one first
[1]
# An agent that says no.
$ fake_agent refuse tapwall flows --socket agent.sock
tapwall: tap-web1: cannot attach: Operation not permitted; give the agent CAP_BPF and CAP_NET_ADMIN
[3]
$ fake_agent invalid tapwall apply --socket agent.sock policy.yaml
tapwall: policy in force:3:21: there is no group, workload or network nobody; define it
tapwall: policy in force:9:5: warning: this rule can never match
tapwall: policy.yaml:3:21: there is no group, workload or network nobody; define it
tapwall: policy.yaml:9:5: warning: this rule can never match
[1]
$ fake_agent invalid tapwall apply --socket agent.sock - < policy.yaml
tapwall: policy in force:3:21: there is no group, workload or network nobody; define it
tapwall: policy in force:9:5: warning: this rule can never match
tapwall: stdin:3:21: there is no group, workload or network nobody; define it
tapwall: stdin:9:5: warning: this rule can never match
[1]
# Something that is no agent.
$ fake_agent garbage tapwall status --socket agent.sock
tapwall: agent.sock: the peer does not speak tapwall's protocol; check that it is tapwalld's socket
[4]
$ fake_agent huge tapwall status --socket agent.sock
tapwall: agent.sock: the peer does not speak tapwall's protocol; check that it is tapwalld's socket
[4]
$ fake_agent half tapwall status --socket agent.sock
tapwall: agent.sock: the agent closed the connection; see what tapwalld logs
[4]
$ fake_agent mute tapwall status --socket agent.sock
tapwall: agent.sock: the agent closed the connection; see what tapwalld logs
[4]
# No agent at all.
$ for verb in status ports workloads groups flows rules log counters "apply policy.yaml" "explain --live --from web-1 --to db-1 --proto icmp"; do tapwall $verb --socket nowhere.sock; echo "exit $?"; done
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
exit 4
$ tapwall version --socket nowhere.sock | sed '/kernel/d'
tapwall 0.1.0
  agent   not reachable at nowhere.sock
$ tapwall version --socket nowhere.sock --json | sed 's/"kernel":"[^"]*"/"kernel":…/'
{"version":"0.1.0","agent":null,"kernel":…,"features":[]}
$ touch plain; tapwall status --socket plain
tapwall: plain: cannot reach the agent: Connection refused; start tapwalld, or name its socket with --socket
[4]
$ tapwall status --socket "$(head -c 200 /dev/zero | tr '\0' x)"
tapwall: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: cannot reach the agent: File name too long; use a shorter path
[4]
$ tapwall apply --socket nowhere.sock nowhere.yaml
tapwall: nowhere.yaml: cannot read it: No such file or directory
[2]
