$ tapwall --help
usage: tapwall COMMAND [options]

stateful firewall at the taps of virtual machines

commands:
  check                     Check a policy and list every error
  apply                     Put a policy in force, whole or not at all
  confirm                   Keep a policy that was applied with --confirm
  diff                      Compare policies by what they mean
  rollback                  Put an earlier policy in force again
  reload                    Make the agent read its policy file again
  adopt                     Accept TCP connections without a record for a time
  block                     Let nothing pass at a workload's ports
  unblock                   End the block of a workload
  kill                      End live connections
  quarantine                Block a workload at this host, or at all hosts
  explain                   Show what would happen to a connection, and why
  replay                    Evaluate the frames of a capture
  status                    Show the state of the firewall at a glance
  ports                     List the ports, their workloads and their traffic
  workloads                 List the workloads of the policy and their ports
  groups                    List the groups of the policy and their members
  agents                    List the agents that the slow path knows
  enroll                    Get this host's certificate for the slow path, with
                            a token
  policy                    Show the policies in force, or store and push them
                            at the slow path
  flows                     List the live connections
  rules                     List the rules with their hits
  log                       Print what was denied, and what logging rules
                            allowed
  top                       Show ports, connections and rules by rate, live
  capture                   Capture frames at a workload's ports, with verdict
                            and reason
  decide                    Answer the questions of rules with action: ask
  history                   Search ended connections and denials of the past
  observe                   Sum up what would be denied
  propose                   Draft a policy from what was seen
  counters                  Count frames by the reason of their verdict
  version                   Show versions, and the kernel features in use

Run 'tapwall COMMAND --help' for the options of a command.
$ tapwall check --help
usage: tapwall check [options] FILE

Check a policy and list every error

  FILE                      Policy to read, a file or a directory of files; -
                            reads stdin
  --json                    Print JSON: one object
  -a, --all                 Print every warning, not only the first few of a
                            kind
  --lowered                 Print the rules with every name resolved
  --print                   Print the policy in its canonical form
  --stats                   Also print which ports share each image, and the
                            engine, entries, classes and bytes of each of its
                            views
  -h, --help                Print this help
  --version                 Print the version

examples:
  tapwall check policy.yaml
      Check the policy and print every error with its place
  tapwall check --lowered policy.yaml
      Show what its names stand for
  tapwall check --stats policy.yaml
      Show the size of its ports' images
$ tapwall apply --help
usage: tapwall apply [options] FILE

Put a policy in force, whole or not at all

  FILE                      Policy to read, a file or a directory of files; -
                            reads stdin
  -n, --dry-run             Print what would change, also verdicts and live
                            connections (see diff); change nothing
  --allow-unprotect         Accept the policy even if protected ports then
                            belong to no workload and are NOT FILTERED
  --confirm TIME            Return to the policy in force now unless tapwall
                            confirm is called within TIME, such as 60s or 5m, at
                            most 24h
  --tripwire N              With --confirm, return to the old policy at once if
                            the new one denies more than N connections that
                            passed before
  -m, --comment TEXT        Keep this comment with the policy; tapwall policy
                            --history shows it
  --json                    Print JSON: one object
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version

examples:
  tapwall apply --dry-run policy.yaml
      Show what would change
  tapwall apply --confirm 60s policy.yaml && tapwall confirm
      Try the policy: without the second command the old one returns
  tapwall apply --confirm 10m --tripwire 5 policy.yaml
      The old policy returns by itself when the sixth connection is cut
  tapwall apply policy.yaml
      Put the policy in force, for live connections too
$ tapwall explain --help
usage: tapwall explain [options] [FROM] [TO] [SERVICE]

Show what would happen to a connection, and why

  FROM                      As --from
  TO                        As --to
  SERVICE                   Protocol and destination port, or ICMP type and
                            code: tcp/5432, icmp, icmp6/1.4, proto/47
  --policy FILE             Evaluate this policy, a file or a directory of files
  --live                    Evaluate the policy in force with the ports as they
                            are, and look up the live connection. This is the
                            default without --policy
  --from X                  Source of the connection: a workload, an address, or
                            WORKLOAD@ADDRESS
  --to Y                    Destination of the connection: a workload, an
                            address, or WORKLOAD@ADDRESS
  --proto P                 Protocol: tcp, udp, icmp, icmp6, or a protocol
                            number
  --sport N                 Source port, for TCP and UDP; chosen if not given
  --dport N                 Destination port, for TCP and UDP
  --type N                  ICMP type; echo request if not given
  --code N                  ICMP code; 0 if not given
  --batch                   Read one JSON object per line from stdin, and print
                            one answer per line
  --json                    Print JSON: one object
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version

examples:
  tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto tcp --dport 5432
      May web-1 open a connection to the database, and which rule says so?
  tapwall explain 10.9.8.7 web-1 icmp
      Does the policy in force let this host ping web-1?
  tapwall explain --policy policy.yaml --batch < tuples.jsonl > verdicts.jsonl
      Answer many questions at once
$ tapwall replay --help
usage: tapwall replay --policy FILE --pcap FILE [options]

Evaluate the frames of a capture

  --policy FILE             Evaluate the frames by this policy, a file or a
                            directory of files
  --pcap FILE               Capture to read, pcap or pcapng; - reads stdin
  --at W                    Treat every frame as seen at this workload's port
  --json                    Print JSON: one object per frame, then the summary
  -h, --help                Print this help
  --version                 Print the version

examples:
  tapwall replay --policy policy.yaml --pcap traffic.pcapng
      What would this policy have done to yesterday's traffic?
  tcpdump -w - -c 1000 -i tap0 | tapwall replay --policy policy.yaml --pcap - --at web-1
      What would it do to the traffic of one port right now?
$ tapwall status --help
usage: tapwall status [options]

Show the state of the firewall at a glance

  --json                    Print JSON: one object
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version
$ tapwall ports --help
usage: tapwall ports [options]

List the ports, their workloads and their traffic

  --json                    Print JSON: one object per port
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version
$ tapwall workloads --help
usage: tapwall workloads [options]

List the workloads of the policy and their ports

  --json                    Print JSON: one object per vNIC of a workload
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version
$ tapwall flows --help
usage: tapwall flows [options]

List the live connections

  -w, --workload W          Print only connections from or to this workload
  --proto P                 Only this protocol: tcp, udp, icmp, icmp6, or a
                            protocol number
  -a, --address CIDR        Only from or to this address or CIDR
  -p, --port N              Only from or to this port
  -r, --rule NAME           Only what this rule decided, at either end; default
                            is the policy's default
  -d, --denied              Only connections that are refused now, such as those
                            that a new policy cut
  --sort auto|idle|age|packets|bytes
                            Sort by this key: most recently active, youngest, or
                            most packets or bytes first. auto: idle for people,
                            unsorted with --json (default auto)
  -n, --limit N             Print at most N connections; 0 prints all
  --json                    Print JSON: one object per connection
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version

examples:
  tapwall flows --workload db-1
      Show who talks to the database
  tapwall flows --sort bytes --limit 10
      Show the ten connections that moved the most bytes
$ tapwall rules --help
usage: tapwall rules [options] [NAME]

List the rules with their hits

  NAME                      Only the rule of this name, or the rules whose names
                            match a pattern with * and ?
  --sort policy|hits|packets|bytes|last-hit
                            Sort as in the policy, or by this key, the largest
                            or latest first (default policy)
  --unused                  Only rules without a hit
  --json                    Print JSON: one object per rule
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version
$ tapwall log --help
usage: tapwall log [options]

Print what was denied, and what logging rules allowed

  -f, --follow              Keep running and print new events as they happen
  -a, --all                 Print every open and close, not only denials and
                            rules with log: true
  -w, --workload W          Print only events at this workload's ports or about
                            it
  --proto P                 Only this protocol: tcp, udp, icmp, icmp6, or a
                            protocol number
  -a, --address CIDR        Only from or to this address or CIDR
  -p, --port N              Only from or to this port
  -r, --rule NAME           Only what this rule decided, at either end; default
                            is the policy's default
  -s, --since TIME          Leave out earlier events: 2h (ago), 14:05,
                            yesterday, "2026-01-31 14:05" or @UNIX-SECONDS
  -n, --limit N             Look only at the last N remembered events; 0 looks
                            at all
  --json                    Print JSON: one object per entry
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version

examples:
  tapwall log --follow
      Watch what is denied
  tapwall log --follow --all --workload web-1
      Watch everything web-1 does
$ tapwall counters --help
usage: tapwall counters [options]

Count frames by the reason of their verdict

  -a, --all                 Also print reasons that never occurred
  --json                    Print JSON: one object per reason, all of them
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version
$ tapwall version --help
usage: tapwall version [options]

Show versions, and the kernel features in use

  --json                    Print JSON: one object
  --socket PATH             Connect to the agent at this socket. agent:NAME asks
                            tapwall-slowd for the agent of that name (default
                            /run/tapwall/agent.sock)
  -h, --help                Print this help
  --version                 Print the version
$ tapwall --version
tapwall 0.1.0
# Wrong usage.
$ tapwall > /dev/null
usage: tapwall COMMAND [options]

stateful firewall at the taps of virtual machines

commands:
  check                     Check a policy and list every error
  apply                     Put a policy in force, whole or not at all
  confirm                   Keep a policy that was applied with --confirm
  diff                      Compare policies by what they mean
  rollback                  Put an earlier policy in force again
  reload                    Make the agent read its policy file again
  adopt                     Accept TCP connections without a record for a time
  block                     Let nothing pass at a workload's ports
  unblock                   End the block of a workload
  kill                      End live connections
  quarantine                Block a workload at this host, or at all hosts
  explain                   Show what would happen to a connection, and why
  replay                    Evaluate the frames of a capture
  status                    Show the state of the firewall at a glance
  ports                     List the ports, their workloads and their traffic
  workloads                 List the workloads of the policy and their ports
  groups                    List the groups of the policy and their members
  agents                    List the agents that the slow path knows
  enroll                    Get this host's certificate for the slow path, with
                            a token
  policy                    Show the policies in force, or store and push them
                            at the slow path
  flows                     List the live connections
  rules                     List the rules with their hits
  log                       Print what was denied, and what logging rules
                            allowed
  top                       Show ports, connections and rules by rate, live
  capture                   Capture frames at a workload's ports, with verdict
                            and reason
  decide                    Answer the questions of rules with action: ask
  history                   Search ended connections and denials of the past
  observe                   Sum up what would be denied
  propose                   Draft a policy from what was seen
  counters                  Count frames by the reason of their verdict
  version                   Show versions, and the kernel features in use

Run 'tapwall COMMAND --help' for the options of a command.
[2]
$ tapwall chek policy.yaml
tapwall: chek: unknown command; did you mean check?
[2]
$ tapwall frobnicate
tapwall: frobnicate: unknown command; see --help
[2]
$ tapwall check
tapwall: check: FILE is missing; see --help
[2]
$ tapwall check a b
tapwall: check: unexpected argument 'b'; see --help
[2]
$ tapwall check --jsno policy.yaml
tapwall: --jsno: unknown option; did you mean --json?
[2]
$ tapwall check --frobnicate policy.yaml
tapwall: --frobnicate: unknown option; see --help
[2]
$ tapwall flows --limit many
tapwall: --limit: 'many' is not a number from 0 to 4294967295
[2]
$ tapwall flows --limit
tapwall: --limit: needs a value; see --help
[2]
$ tapwall flows --sort size
tapwall: --sort: 'size' is not a choice; write one of: auto, idle, age, packets, bytes
[2]
$ tapwall status --json=yes
tapwall: --json=yes: takes no value
[2]
# Output that cannot be written is no success.
$ tapwall check --print policy.yaml > /dev/full
tapwall: stdout: cannot write the output
[5]
# help is a command too, and options may come before the command.
$ tapwall check --help > help-check; tapwall help check | cmp - help-check && echo same
same
$ tapwall help | head -n 1
usage: tapwall COMMAND [options]
$ tapwall help chek
tapwall: chek: unknown command; did you mean check?
[2]
$ tapwall --socket nowhere.sock status
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
[4]
$ tapwall --socket=nowhere.sock --json status
tapwall: nowhere.sock: cannot reach the agent: No such file or directory; start tapwalld, or name its socket with --socket
[4]
# What an option means may depend on the command.
$ tapwall --count 5 capture web-1
tapwall: --count: a command is missing; write the command first
[2]
$ tapwall -n 5 flows
tapwall: -n: a command is missing; write the command first
[2]
$ tapwall --json
tapwall: --json: a command is missing; write the command first
[2]
