# Both ends are asked, and both allow.
$ tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto tcp --dport 5432
tcp  web-1 10.0.0.11:49152  →  db-1 10.0.0.21:5432
source port 49152 chosen; --sport sets it

  out of web-1 at port tap-web1
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✓ classify  allow by rule web-to-db (policy.yaml:20)
    ✓ inspect   inspects the payload (so far, passes everything)
    ✓ forward   passes it on
    ✓ report    counts the frame and sends events

  into db-1
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✓ classify  allow by rule web-to-db (policy.yaml:20)
    ✓ inspect   inspects the payload (so far, passes everything)
    ✓ forward   passes it to the guest
    ✓ report    counts the frame and sends events

  allow · policy, rule web-to-db (policy.yaml:20), into db-1
  a rule, or the default, decided the connection
# The out end refuses; the in end's verdict is shown too.
$ tapwall explain --policy policy.yaml --from db-1 --to web-1 --proto tcp --dport 23
tcp  db-1 10.0.0.21:49152  →  web-1 10.0.0.11:23
source port 49152 chosen; --sport sets it

  out of db-1
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✗ classify  reject by rule no-telnet (policy.yaml:21)
    · inspect   not reached
    ✓ forward   drops it and sends a refusal back
    ✓ report    counts the frame and sends events

  into web-1 at port tap-web1, if it got this far
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✗ classify  reject by rule no-telnet (policy.yaml:21)
    · inspect   not reached
    ✓ forward   drops it and sends a refusal back
    ✓ report    counts the frame and sends events

  reject · policy, rule no-telnet (policy.yaml:21), out of db-1
  a rule, or the default, decided the connection
[1]
# One end belongs to no workload.
$ tapwall explain --policy policy.yaml --from 10.20.1.1 --to web-1 --proto tcp --dport 443
tcp  10.20.1.1:49152  →  web-1 10.0.0.11:443
source port 49152 chosen; --sport sets it

  out of 10.20.1.1
    · not judged here: no workload of the policy has this address

  into web-1 at port tap-web1
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✓ classify  allow by rule users-to-web (policy.yaml:19)
    ✓ inspect   inspects the payload (so far, passes everything)
    ✓ forward   passes it to the guest
    ✓ report    counts the frame and sends events

  allow · policy, rule users-to-web (policy.yaml:19), into web-1
  a rule, or the default, decided the connection
$ tapwall explain --policy policy.yaml --from 192.0.2.1 --to 192.0.2.2 --proto 47
47  192.0.2.1  →  192.0.2.2

  out of 192.0.2.1
    · not judged here: no workload of the policy has this address

  into 192.0.2.2
    · not judged here: no workload of the policy has this address

  unprotected: neither end is a workload of the policy
# A rule that applies at one end only.
$ tapwall explain --policy policy.yaml --from web-1 --to 203.0.113.7 --proto udp --dport 53 --sport 5353
udp  web-1 10.0.0.11:5353  →  203.0.113.7:53

  out of web-1 at port tap-web1
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✓ classify  allow by rule vms-out (policy.yaml:22)
    ✓ inspect   inspects the payload (so far, passes everything)
    ✓ forward   passes it on
    ✓ report    counts the frame and sends events

  into 203.0.113.7
    · not judged here: no workload of the policy has this address

  allow · policy, rule vms-out (policy.yaml:22), out of web-1
  a rule, or the default, decided the connection
# The family that both ends have.
$ tapwall explain --policy policy.yaml --from web-1 --to 2001:db8:20::7 --proto icmp6
icmp6 128.0  web-1 fd00::11  →  2001:db8:20::7

  out of web-1 at port tap-web1
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✓ classify  allow by rule vms-out (policy.yaml:22)
    ✓ inspect   inspects the payload (so far, passes everything)
    ✓ forward   passes it on
    ✓ report    counts the frame and sends events

  into 2001:db8:20::7
    · not judged here: no workload of the policy has this address

  allow · policy, rule vms-out (policy.yaml:22), out of web-1
  a rule, or the default, decided the connection
# Of several ports the one whose address fits.
$ tapwall explain --policy policy.yaml --from edge --to db-1 --proto tcp --dport 5432 --json
{"verdict":"deny","rule":"default","reason":"policy","out":{"port":"tap-edge1","verdict":"deny","rule":"default","reason":"policy","workload":"edge","reached":true,"stage":"classify","stages":["parse","guard","track","classify","forward","report"]},"in":{"port":"db-1","verdict":"deny","rule":"default","reason":"policy","workload":"db-1","reached":false,"stage":"classify","stages":["parse","guard","track","classify","forward","report"]},"text":"a rule, or the default, decided the connection","proto":"tcp","from":{"address":"10.0.0.1","workload":"edge","port":49152},"to":{"address":"10.0.0.21","workload":"db-1","port":5432}}
[1]
$ tapwall explain --policy policy.yaml --from 2001:db8:20::7 --to edge --proto tcp --dport 5432 --json
{"verdict":"deny","rule":"default","reason":"policy","out":null,"in":{"port":"tap-edge2","verdict":"deny","rule":"default","reason":"policy","workload":"edge","reached":true,"stage":"classify","stages":["parse","guard","track","classify","forward","report"]},"text":"a rule, or the default, decided the connection","proto":"tcp","from":{"address":"2001:db8:20::7","workload":null,"port":49152},"to":{"address":"2001:db8::1","workload":"edge","port":5432}}
[1]
$ tapwall explain --policy policy.yaml --from 198.51.100.77 --to db-1 --proto tcp --dport 5432 --json
{"verdict":"deny","rule":"default","reason":"policy","out":{"port":"tap-edge2","verdict":"deny","rule":"default","reason":"policy","workload":"edge","reached":true,"stage":"classify","stages":["parse","guard","track","classify","forward","report"]},"in":{"port":"db-1","verdict":"deny","rule":"default","reason":"policy","workload":"db-1","reached":false,"stage":"classify","stages":["parse","guard","track","classify","forward","report"]},"text":"a rule, or the default, decided the connection","proto":"tcp","from":{"address":"198.51.100.77","workload":"edge","port":49152},"to":{"address":"10.0.0.21","workload":"db-1","port":5432}}
[1]
$ tapwall explain --policy policy.yaml --from edge@198.51.100.77 --to db-1 --proto tcp --dport 5432 | grep '^  out'
  out of edge at port tap-edge2
# A rule with `ask`, without a decider.
$ tapwall explain --policy policy.yaml --from 10.20.1.1 --to db-1 --proto tcp --dport 5432
tcp  10.20.1.1:49152  →  db-1 10.0.0.21:5432
source port 49152 chosen; --sport sets it

  out of 10.20.1.1
    · not judged here: no workload of the policy has this address

  into db-1
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✗ classify  deny by rule analyst (policy.yaml:23): the rule asks a decider; without one, on-timeout decides
    · inspect   not reached
    ✓ forward   drops it silently
    ✓ report    counts the frame and sends events

  deny · ask-unavailable, rule analyst (policy.yaml:23), into db-1
  the rule asks a decider; without one, on-timeout decides
[1]
# Not a rule but the port's own identity.
$ tapwall explain --policy policy.yaml --from web-1@10.0.0.99 --to db-1 --proto tcp --dport 5432
tcp  web-1 10.0.0.99:49152  →  db-1 10.0.0.21:5432
source port 49152 chosen; --sport sets it

  out of web-1 at port tap-web1
    ✓ parse     reads the headers, denies unreadable frames
    ✗ guard     deny: source address is not the workload's
    · track     not reached
    · classify  not reached
    · inspect   not reached
    ✓ forward   drops it silently
    ✓ report    counts the frame and sends events

  into db-1, if it got this far
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✗ classify  deny by the default (policy.yaml:24)
    · inspect   not reached
    ✓ forward   drops it silently
    ✓ report    counts the frame and sends events

  deny · spoofed-address, out of web-1
  source address is not the workload's
[1]
$ tapwall explain --policy policy.yaml --from nva@198.51.100.1 --to db-1 --proto tcp --dport 5432
tcp  nva 198.51.100.1:49152  →  db-1 10.0.0.21:5432
source port 49152 chosen; --sport sets it

  out of nva at port tap-nva
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✗ classify  deny by the default (policy.yaml:24)
    · inspect   not reached
    ✓ forward   drops it silently
    ✓ report    counts the frame and sends events

  into db-1, if it got this far
    ✓ parse     reads the headers, denies unreadable frames
    ✓ guard     enforces the port's own identity
    ✓ track     finds the connection and advances its state
    ✗ classify  deny by the default (policy.yaml:24)
    · inspect   not reached
    ✓ forward   drops it silently
    ✓ report    counts the frame and sends events

  deny · policy, the default (policy.yaml:24), out of nva
  a rule, or the default, decided the connection
[1]
# For programs.
$ tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto tcp --dport 5432 --json
{"verdict":"allow","rule":"web-to-db","reason":"policy","out":{"port":"tap-web1","verdict":"allow","rule":"web-to-db","reason":"policy","workload":"web-1","reached":true,"stage":"classify","stages":["parse","guard","track","classify","inspect","forward","report"]},"in":{"port":"db-1","verdict":"allow","rule":"web-to-db","reason":"policy","workload":"db-1","reached":true,"stage":"classify","stages":["parse","guard","track","classify","inspect","forward","report"]},"text":"a rule, or the default, decided the connection","proto":"tcp","from":{"address":"10.0.0.11","workload":"web-1","port":49152},"to":{"address":"10.0.0.21","workload":"db-1","port":5432}}
$ tapwall explain --policy policy.yaml --from db-1 --to web-1 --proto icmp --type 13 --code 0 --json
{"verdict":"deny","rule":"default","reason":"policy","out":{"port":"db-1","verdict":"deny","rule":"default","reason":"policy","workload":"db-1","reached":true,"stage":"classify","stages":["parse","guard","track","classify","forward","report"]},"in":{"port":"tap-web1","verdict":"deny","rule":"default","reason":"policy","workload":"web-1","reached":false,"stage":"classify","stages":["parse","guard","track","classify","forward","report"]},"text":"a rule, or the default, decided the connection","proto":"icmp","from":{"address":"10.0.0.21","workload":"db-1"},"to":{"address":"10.0.0.11","workload":"web-1"},"type":13,"code":0}
[1]
$ tapwall explain --policy policy.yaml --from 192.0.2.1 --to 192.0.2.2 --proto 47 --json
{"verdict":"unprotected","rule":null,"reason":null,"out":null,"in":null,"text":null,"proto":"47","from":{"address":"192.0.2.1","workload":null},"to":{"address":"192.0.2.2","workload":null}}
# Wrong usage.
$ tapwall explain --from web-1 --to db-1 --proto tcp --dport 5432 --socket nowhere.sock
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
[4]
$ tapwall explain --policy policy.yaml --live --from web-1 --to db-1 --proto tcp --dport 5432
tapwall: explain: give either --policy or --live; see --help
[2]
$ tapwall explain --policy policy.yaml --to db-1 --proto tcp --dport 5432
tapwall: --from: is missing; give a workload or an IP address
[2]
$ tapwall explain --policy policy.yaml --from nobody --to db-1 --proto tcp --dport 5432
tapwall: --from: the policy has no workload 'nobody'; give a workload or an IP address
[2]
$ tapwall explain --policy policy.yaml --from nva --to db-1 --proto tcp --dport 5432
tapwall: --from: the workload 'nva' has no address of its own; write it as WORKLOAD@ADDRESS
[2]
$ tapwall explain --policy policy.yaml --from web-1@10 --to db-1 --proto tcp --dport 5432
tapwall: --from: '10' is not an IP address
[2]
$ tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto tcp
tapwall: --dport: is missing; give the destination port
[2]
$ tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto tcp --dport 65536
tapwall: --dport: '65536' is not a number from 0 to 65535
[2]
$ tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto telnet --dport 23
tapwall: --proto: 'telnet' is not a protocol; give tcp, udp, icmp, icmp6 or a number
[2]
$ tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto icmp6
tapwall: --proto: the ends' addresses are not of this protocol's family; icmp is for IPv4, icmp6 for IPv6
[2]
$ tapwall explain --policy policy.yaml --from 2001:db8::1 --to db-1 --proto tcp --dport 1
tapwall: --to: the two ends have no address family in common; give both as IPv4 or both as IPv6
[2]
$ tapwall explain --policy policy.yaml --batch --from web-1
tapwall: --batch: takes the connections from stdin, not from options; see --help
[2]
$ tapwall explain --policy bad.yaml --from web-1 --to db-1 --proto icmp
tapwall: bad.yaml:3:21: there is no group, workload or network nobody; define it under networks, workloads or groups
tapwall: bad.yaml:3:46: there is no action alow; did you mean allow?
tapwall: bad.yaml:4:12: the name a is used twice, first in line 3; choose another name
tapwall: bad.yaml:5:1: a policy has no key bogus; write one of: version, networks, services, workloads, groups, default, options, rules
[1]
# Words without options; the policy in force is the default.
$ tapwall explain --policy policy.yaml web-1 db-1 tcp/5432 | head -n 1
tcp  web-1 10.0.0.11:49152  →  db-1 10.0.0.21:5432
$ tapwall explain --policy policy.yaml web-1 db-1 icmp/3.4 --json | jq -c '[.proto, .type, .code, .verdict]'
["icmp",3,4,"deny"]
$ tapwall explain --policy policy.yaml web-1 db-1 proto/47 --json | jq -c '[.proto, .verdict]'
["47","deny"]
$ tapwall explain --policy policy.yaml web-1 db-1 tcp/5432 --dport 80
tapwall: explain: an argument and an option give the same value; give it once
[2]
$ tapwall explain --policy policy.yaml web-1 db-1 proto
tapwall: SERVICE: invalid service 'proto'; write tcp/5432, icmp or proto/47
[2]
$ tapwall explain web-1 db-1 tcp/5432 --socket nowhere.sock
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
[4]
