$ tapwall --help
usage: tapwall COMMAND [options]

stateful firewall at the taps of virtual machines

commands:
  check                     lists everything that is wrong with a policy
  apply                     makes a policy the one in force, whole or not at all
  reload                    makes the agent read its policy file again
  explain                   tells what would happen to a connection, and why
  replay                    judges the frames of a capture
  status                    the firewall at a glance
  ports                     the ports, who sits behind them, what went through
  workloads                 the workloads of the policy, and where they are
  groups                    the groups of the policy, and who is in them
  flows                     the live connections
  rules                     the rules with their hits
  log                       what was denied, and what rules that log let pass
  top                       live: ports, connections and rules by rate
  capture                   frames at a workload's ports, with verdict and
                            reason
  counters                  frames by the reason of their verdict
  version                   versions, and what of the kernel is used

'tapwall COMMAND --help' tells more.
$ tapwall check --help
usage: tapwall check [options] FILE

lists everything that is wrong with a policy

  FILE                      the policy; - reads it from stdin
  --json                    for programs: one object
  --lowered                 prints the rules with every name resolved
  --print                   prints the policy back in its canonical form
  --stats                   also tells, for each image, whose ports share it,
                            and of each of its views the engine, the entries,
                            the classes and the bytes
  -h, --help                prints this help
  --version                 prints the version

examples:
  tapwall check policy.yaml
      says whether the policy is valid, and where it is not
  tapwall check --lowered policy.yaml
      shows what its names stand for
  tapwall check --stats policy.yaml
      shows what its ports' images come to
$ tapwall apply --help
usage: tapwall apply [options] FILE

makes a policy the one in force, whole or not at all

  FILE                      the policy; - reads it from stdin
  -n, --dry-run             tells what would change, and changes nothing
  --allow-unprotect         also where protected ports then belong to no
                            workload and are NOT FILTERED
  --json                    for programs: one object
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version

examples:
  tapwall apply --dry-run policy.yaml
      shows what would change
  tapwall apply policy.yaml
      changes it, for live connections too
$ tapwall explain --help
usage: tapwall explain [options]

tells what would happen to a connection, and why

  --policy FILE             the policy to ask
  --live                    asks the policy in force instead and the ports as
                            they are, and looks for the live connection
  --from X                  where the connection comes from: a workload, an
                            address, or WORKLOAD@ADDRESS
  --to Y                    where it goes, written in the same ways
  --proto P                 tcp, udp, icmp, icmp6, or the number of any other
                            protocol
  --sport N                 source port of TCP and UDP; one is chosen if not
                            given
  --dport N                 destination port of TCP and UDP
  --type N                  ICMP type; an echo request if not given
  --code N                  ICMP code; 0 if not given
  --batch                   answers one JSON object per line of stdin with one
                            per line of stdout
  --json                    for programs: one object
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version

examples:
  tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto tcp --dport 5432
      may web-1 open a connection to the database, and which rule says so?
  tapwall explain --live --from 10.9.8.7 --to web-1 --proto icmp
      does the policy in force let this host ping web-1?
  tapwall explain --policy policy.yaml --batch < tuples.jsonl > verdicts.jsonl
      answers many questions at once
$ tapwall replay --help
usage: tapwall replay --policy FILE --pcap FILE [options]

judges the frames of a capture

  --policy FILE             the policy that judges
  --pcap FILE               the capture, pcap or pcapng; - reads it from stdin
  --at W                    takes every frame as seen at the port of this
                            workload
  --json                    for programs: one object per frame, then the summary
  -h, --help                prints this help
  --version                 prints the version

examples:
  tapwall replay --policy policy.yaml --pcap traffic.pcapng
      what would this policy have done to yesterday's traffic?
  tcpdump -w - -c 1000 -i tap0 | tapwall replay --policy policy.yaml --pcap - --at web-1
      the same for what passes one port right now
$ tapwall status --help
usage: tapwall status [options]

the firewall at a glance

  --json                    for programs: one object
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version
$ tapwall ports --help
usage: tapwall ports [options]

the ports, who sits behind them, what went through

  --json                    for programs: one object per port
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version
$ tapwall workloads --help
usage: tapwall workloads [options]

the workloads of the policy, and where they are

  --json                    for programs: one object per workload, or vNIC of
                            one
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version
$ tapwall groups --help
usage: tapwall groups [options]

the groups of the policy, and who is in them

  --json                    for programs: one object per group
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version
$ tapwall flows --help
usage: tapwall flows [options]

the live connections

  -w, --workload W          only connections from or to this workload
  --sort auto|idle|age|packets|bytes
                            which come first: the most recently active (auto for
                            people), the youngest, or the largest; auto for
                            programs: as they come (default auto)
  -n, --limit N             at most so many, 0 for all
  --json                    for programs: one object per connection
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version

examples:
  tapwall flows --workload db-1
      who talks to the database
  tapwall flows --sort bytes --limit 10
      the ten connections that moved the most
$ tapwall rules --help
usage: tapwall rules [options]

the rules with their hits

  --json                    for programs: one object per rule
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version
$ tapwall log --help
usage: tapwall log [options]

what was denied, and what rules that log let pass

  -f, --follow              goes on with what happens from now on
  -a, --all                 every opening and close, not only denials and rules
                            with log: true
  -w, --workload W          only what was seen at this workload's ports, or is
                            about it
  -n, --limit N             only the last so many of what is remembered, 0 for
                            all
  --json                    for programs: one object per entry
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version

examples:
  tapwall log --follow
      watches what is denied
  tapwall log --follow --all --workload web-1
      watches everything web-1 does
$ tapwall counters --help
usage: tapwall counters [options]

frames by the reason of their verdict

  -a, --all                 also the reasons that never occurred
  --json                    for programs: one object per reason, all of them
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version
$ tapwall version --help
usage: tapwall version [options]

versions, and what of the kernel is used

  --json                    for programs: one object
  --socket PATH             the agent's socket (default /run/tapwall/agent.sock)
  -h, --help                prints this help
  --version                 prints the version
$ tapwall --version
tapwall 0.1.0
# Wrong usage.
$ tapwall > /dev/null
usage: tapwall COMMAND [options]

stateful firewall at the taps of virtual machines

commands:
  check                     lists everything that is wrong with a policy
  apply                     makes a policy the one in force, whole or not at all
  reload                    makes the agent read its policy file again
  explain                   tells what would happen to a connection, and why
  replay                    judges the frames of a capture
  status                    the firewall at a glance
  ports                     the ports, who sits behind them, what went through
  workloads                 the workloads of the policy, and where they are
  groups                    the groups of the policy, and who is in them
  flows                     the live connections
  rules                     the rules with their hits
  log                       what was denied, and what rules that log let pass
  top                       live: ports, connections and rules by rate
  capture                   frames at a workload's ports, with verdict and
                            reason
  counters                  frames by the reason of their verdict
  version                   versions, and what of the kernel is used

'tapwall COMMAND --help' tells more.
[2]
$ tapwall chek policy.yaml
tapwall: chek: no such command; did you mean check?
[2]
$ tapwall frobnicate
tapwall: frobnicate: no such command; see --help
[2]
$ tapwall check
tapwall: check: FILE is missing; see --help
[2]
$ tapwall check a b
tapwall: check: 'b' is one argument too many; see --help
[2]
$ tapwall check --jsno policy.yaml
tapwall: --jsno: no such option; did you mean --json?
[2]
$ tapwall check --frobnicate policy.yaml
tapwall: --frobnicate: no such option; see --help
[2]
$ tapwall flows --limit many
tapwall: --limit: 'many' is not a number from 0 to 4294967295
[2]
$ tapwall flows --limit
tapwall: --limit: needs a value; see --help
[2]
$ tapwall flows --sort size
tapwall: --sort: 'size' is none of: auto, idle, age, packets, bytes
[2]
$ tapwall status --json=yes
tapwall: --json=yes: takes no value
[2]
# Output that cannot be written is no success.
$ tapwall check --print policy.yaml > /dev/full
tapwall: stdout: cannot write the output
[5]
