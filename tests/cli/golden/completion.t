# What bash offers, where.
$ bash complete.sh tapwall ''
check
apply
confirm
diff
rollback
reload
adopt
block
unblock
kill
quarantine
explain
replay
status
ports
workloads
groups
agents
enroll
policy
flows
rules
log
top
capture
decide
history
observe
propose
counters
version
--help
--version
$ bash complete.sh tapwall fl
flows
$ bash complete.sh tapwall flows --s
--sort
--socket
$ bash complete.sh tapwall flows --sort ''
auto
idle
age
packets
bytes
$ bash complete.sh tapwall explain --proto i
icmp
icmp6
$ bash complete.sh tapwall check bad
bad.yaml
$ bash complete.sh tapwall replay --pcap tup
tuples.jsonl
$ bash complete.sh tapwall explain --policy policy.yaml --live ''
--policy
--live
--from
--to
--proto
--sport
--dport
--type
--code
--batch
--json
--socket
--help
# Workloads come from the agent; without one there are none.
$ fake_agent good bash complete.sh tapwall flows --workload ''
web-1
$ bash complete.sh tapwall flows --workload ''

# Workloads are completed also where no option is needed.
$ fake_agent good bash complete.sh tapwall explain web
web-1
$ fake_agent good bash complete.sh tapwall quarantine web
web-1
$ fake_agent good bash complete.sh tapwall capture web
web-1
