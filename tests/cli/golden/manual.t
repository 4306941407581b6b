# The program and every verb have a page, in section 1.
$ grep -c '^\.TH "tapwall" "1"' "$BUILD/cli/man/tapwall.1"
1
$ for verb in $(tapwall --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do echo "$verb $(grep -c "^\.TH \"tapwall-$verb\" \"1\"" "$BUILD/cli/man/tapwall-$verb.1")"; done
check 1
apply 1
confirm 1
diff 1
rollback 1
reload 1
adopt 1
block 1
unblock 1
kill 1
quarantine 1
explain 1
replay 1
status 1
ports 1
workloads 1
groups 1
agents 1
enroll 1
policy 1
flows 1
rules 1
log 1
top 1
capture 1
decide 1
history 1
observe 1
propose 1
counters 1
version 1
# Each names all options of its verb.
$ for verb in $(tapwall --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do tapwall $verb --help | grep -o '^ *\(-., \)\?--[a-z-]*' | sed 's/.*--//' | while read -r option; do grep -q -- "--$option" "$BUILD/cli/man/tapwall-$verb.1" || echo "$verb lacks $option"; done; done
# One as it is written, for scdoc.
$ tapwall flows --print-man | sed 's/^/| /'
| tapwall-flows(1) "tapwall 0.1.0"
| 
| # NAME
| 
| tapwall-flows - List the live connections
| 
| # SYNOPSIS
| 
| *tapwall flows* [options]
| 
| # DESCRIPTION
| 
| PACKETS and BYTES count what the side that opened the connection sent, REPLIES and REPLY BYTES what the other side sent. OUT RULE decided at the port where the connection leaves its sender, IN RULE at the port where it reaches its receiver. Connections that are half open beyond their port's quota have no record and are not listed; *tapwall ports* counts them. A star after the state marks a TCP connection that was adopted, as some of its segments were not seen: no sequence number of it is refused. APP is the application, if _options.inspection_ of the policy asks for it and the first bytes told it.
| 
| With *--json* each connection has _proto_, _from_ and _to_ with _address_, _port_ and _workload_, _state_, _packets_ and _bytes_ by _out_ and _in_, _age_s_, _idle_s_, the _verdict_ and _rule_ at the _out_ and the _in_ end, null for an end without a port here, and _network_, _vlan_, _adopted_ and _application_, null if there is none; ICMP also has _type_ and _code_.
| 
| # OPTIONS
| 
| *-w*, *--workload* _W_
| 	Print only connections from or to this workload.
| 
| *--proto* _P_
| 	Only this protocol: tcp, udp, icmp, icmp6, or a protocol number.
| 
| *-a*, *--address* _CIDR_
| 	Only from or to this address or CIDR.
| 
| *-p*, *--port* _N_
| 	Only from or to this port.
| 
| *-r*, *--rule* _NAME_
| 	Only what this rule decided, at either end; default is the policy's default.
| 
| *-d*, *--denied*
| 	Only connections that are refused now, such as those that a new policy cut.
| 
| *--sort* _auto\|idle\|age\|packets\|bytes_
| 	Sort by this key: most recently active, youngest, or most packets or bytes first. auto: idle for people, unsorted with --json (default auto).
| 
| *-n*, *--limit* _N_
| 	Print at most N connections; 0 prints all.
| 
| *--json*
| 	Print JSON: one object per connection.
| 
| *--socket* _PATH_
| 	Connect to the agent at this socket. agent:NAME asks tapwall-slowd for the agent of that name (default /run/tapwall/agent.sock).
| 
| *-h*, *--help*
| 	Print this help.
| 
| *--version*
| 	Print the version.
| 
| # EXAMPLES
| 
| *tapwall flows --workload db-1*
| 	Show who talks to the database
| 
| *tapwall flows --sort bytes --limit 10*
| 	Show the ten connections that moved the most bytes
| 
| # EXIT STATUS
| 
| *0*
| 	success, or allowed
| 
| *1*
| 	the answer is no: denied, or the policy is invalid
| 
| *2*
| 	wrong usage
| 
| *3*
| 	permission denied, or the kernel lacks a feature
| 
| *4*
| 	the agent cannot be reached
| 
| *5*
| 	internal error
| 
| # ENVIRONMENT
| 
| *NO\_COLOR*
| 	if set, output has no colour; output that is not to a terminal never has any
| 
| *TAPWALL\_SOCKET*
| 	the agent's socket, if *--socket* is not given
| 
| *TAPWALL\_SLOW*
| 	the socket of *tapwall-slowd*, if *--slow* is not given
| 
| # FILES
| 
| _/run/tapwall/agent.sock_
| 	the agent's socket, accessible to root and the group tapwall
| 
| _/etc/tapwall/policy.yaml_
| 	the policy that the agent starts with
| 
| # SEE ALSO
| 
| *tapwall*(1), *tapwalld*(8), *tapwall-slowd*(8)
| 
# The policy's page has its last heading, and no markup of docs/policy.md outside of examples.
$ grep -oE '^[.]SH (NAME|BOUNDS|SEE ALSO)' "$BUILD/cli/man/tapwall-policy.5"
.SH NAME
.SH BOUNDS
.SH SEE ALSO
$ sed '/^```$/,/^```$/d' "$BUILD/cli/man/tapwall-policy.5.scd" | grep -cE '`|[]][(]|^[|] '
0
[1]
