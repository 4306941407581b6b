# The program and every verb have a page, in section 1.
$ grep -c '^\.TH "tapwall" "1"' "$BUILD/cli/man/tapwall.1"
1
$ for verb in $(tapwall --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do echo "$verb $(grep -c "^\.TH \"tapwall-$verb\" \"1\"" "$BUILD/cli/man/tapwall-$verb.1")"; done
check 1
apply 1
reload 1
explain 1
replay 1
status 1
ports 1
workloads 1
groups 1
flows 1
rules 1
log 1
top 1
capture 1
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
| tapwall-flows - the live connections
| 
| # SYNOPSIS
| 
| *tapwall flows* [options]
| 
| # DESCRIPTION
| 
| PACKETS and BYTES are those of the side that opened the connection, REPLIES and REPLY BYTES of the other. OUT RULE is the rule that decided at the port it came out of, IN RULE at the port it went in to. Connections that are half open beyond their port's quota have no record: they are only counted.
| 
| With *--json*: _proto_, _from_ and _to_ with _address_, _port_ and _workload_, _state_, _packets_ and _bytes_ by _out_ and _in_, _age_s_, _idle_s_, the _verdict_ and _rule_ at the _out_ and the _in_ end, null for an end without a port here, _network_; of ICMP also _type_ and _code_.
| 
| # OPTIONS
| 
| *-w*, *--workload* _W_
| 	only connections from or to this workload.
| 
| *--sort* _auto\|idle\|age\|packets\|bytes_
| 	which come first: the most recently active (auto for people), the youngest, or the largest; auto for programs: as they come (default auto).
| 
| *-n*, *--limit* _N_
| 	at most so many, 0 for all.
| 
| *--json*
| 	for programs: one object per connection.
| 
| *--socket* _PATH_
| 	the agent's socket (default /run/tapwall/agent.sock).
| 
| *-h*, *--help*
| 	prints this help.
| 
| *--version*
| 	prints the version.
| 
| # EXAMPLES
| 
| *tapwall flows --workload db-1*
| 	who talks to the database
| 
| *tapwall flows --sort bytes --limit 10*
| 	the ten connections that moved the most
| 
| # EXIT STATUS
| 
| *0*
| 	done, or allowed
| 
| *1*
| 	the answer is no: denied, or the policy is invalid
| 
| *2*
| 	wrong usage
| 
| *3*
| 	not permitted, or the kernel lacks something
| 
| *4*
| 	the agent is not reachable
| 
| *5*
| 	internal error
| 
| # ENVIRONMENT
| 
| *NO\_COLOR*
| 	when set, nothing is coloured; nothing ever is but on a terminal
| 
| # FILES
| 
| _/run/tapwall/agent.sock_
| 	the agent's socket, for root and the group tapwall
| 
| _/etc/tapwall/policy.yaml_
| 	the policy the agent starts with
| 
| # SEE ALSO
| 
| *tapwall*(1), *tapwalld*(8)
| 
