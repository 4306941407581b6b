# A valid policy.
$ tapwall check policy.yaml
policy.yaml: valid: 5 rules, 4 workloads with 5 ports, 2 groups, default deny
$ tapwall check --json policy.yaml
{"file":"policy.yaml","valid":true,"errors":[],"warnings":[],"rules":5,"workloads":4,"groups":2,"ports":5,"default":"deny"}
$ tapwall check - < policy.yaml
stdin: valid: 5 rules, 4 workloads with 5 ports, 2 groups, default deny
$ tapwall check --lowered policy.yaml
users-to-web: allow at both, from {10.20.0.0/16 2001:db8:20::/48} to {10.0.0.11 fd00::11} service tcp/80, tcp/443, log
web-to-db: allow at both, from {10.0.0.11 fd00::11} to {10.0.0.21} service tcp/5432
no-telnet: reject at both, from any to any service tcp/23
vms-out: allow at from, from {10.0.0.11 10.0.0.21 fd00::11} to {::-::fffe:ffff:ffff 0.0.0.0-9.255.255.255 11.0.0.0-255.255.255.255 ::1:0:0:0-fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe00::/7} service any
analyst: ask at both, from {10.20.0.0/16 2001:db8:20::/48} to {10.0.0.21} service tcp/5432
default: deny
$ tapwall check --print policy.yaml | tapwall check -
stdin: valid: 5 rules, 4 workloads with 5 ports, 2 groups, default deny
# Printing is stable: printed twice is printed once.
$ tapwall check --print policy.yaml > once && tapwall check --print once | cmp - once
# Every error, at its place.
$ tapwall check bad.yaml
tapwall: bad.yaml:3:21: there is no group, workload or network nobody; define it under networks, workloads or groups
tapwall: bad.yaml:3:46: there is no action alow; did you mean allow?
tapwall: bad.yaml:4:12: the name a is used twice, first in line 3; choose another name
tapwall: bad.yaml:5:1: a policy has no key bogus; write one of: version, networks, services, workloads, groups, default, options, rules
[1]
$ tapwall check --json bad.yaml
{"file":"bad.yaml","valid":false,"errors":[{"line":3,"column":21,"text":"there is no group, workload or network nobody","hint":"define it under networks, workloads or groups"},{"line":3,"column":46,"text":"there is no action alow","hint":"did you mean allow?"},{"line":4,"column":12,"text":"the name a is used twice, first in line 3","hint":"choose another name"},{"line":5,"column":1,"text":"a policy has no key bogus","hint":"write one of: version, networks, services, workloads, groups, default, options, rules"}],"warnings":[]}
[1]
$ tapwall check --print bad.yaml > printed; wc -c < printed
tapwall: bad.yaml:3:21: there is no group, workload or network nobody; define it under networks, workloads or groups
tapwall: bad.yaml:3:46: there is no action alow; did you mean allow?
tapwall: bad.yaml:4:12: the name a is used twice, first in line 3; choose another name
tapwall: bad.yaml:5:1: a policy has no key bogus; write one of: version, networks, services, workloads, groups, default, options, rules
0
# What is no policy at all.
$ tapwall check nowhere.yaml
tapwall: nowhere.yaml: cannot read it: No such file or directory
[2]
$ tapwall check /dev/null
tapwall: /dev/null: the policy is empty; begin with version: 1
[1]
# The longest text, and one byte more, of one file and of a directory.
$ { echo 'version: 1'; yes "# $(printf '%998s' comment)" | head -c 67108852; echo; } > longest.yaml; wc -c < longest.yaml; tapwall check longest.yaml
67108864
tapwall: longest.yaml: warning: the policy has no workloads, so it protects no port; list the guests under workloads
longest.yaml: valid: 0 rules, 0 workloads with 0 ports, 0 groups, default deny
$ echo >> longest.yaml; tapwall check longest.yaml
tapwall: longest.yaml: larger than 64 MiB
[2]
$ tapwall check - < longest.yaml
tapwall: stdin: larger than 64 MiB
[2]
$ mkdir long.d; head -c 67108803 longest.yaml > long.d/1.yaml; echo >> long.d/1.yaml; echo 'default: deny' > long.d/2.yaml; tapwall check long.d
tapwall: long.d: warning: the policy has no workloads, so it protects no port; list the guests under workloads
long.d: valid: 0 rules, 0 workloads with 0 ports, 0 groups, default deny
$ echo >> long.d/2.yaml; tapwall check long.d; rm -r long.d longest.yaml
tapwall: long.d/2.yaml: the files up to this one are too long; at most 64 MiB are allowed
# Images: two ports of equal rules share one, a router's many local addresses ask for vectors
$ printf 'version: 1\nworkloads:\n  a: {port: p0, addresses: [10.0.0.1]}\n  b: {port: p1, addresses: [10.7.3.9]}\nrules: [{to: [a, b], from: 10.0.0.0/8, service: tcp/80, action: allow}]\n' | tapwall check --stats --json - | jq -c '.images[] | .workloads, (.views[] | [.direction, .engine, .entries, .classes.remote, .classes.service])'
["a","b"]
["out","cells",1,2,2]
["in","cells",1,2,2]
# Who is in which group stands in a table apart, so a workload that has joined one changes no other's image
$ printf 'version: 1\nworkloads:\n  a: {port: p0, addresses: [10.0.0.1], tags: [x]}\n  b: {port: p1, addresses: [10.7.3.9], tags: [y]}\ngroups: {x: {tags: x}, y: {tags: y}}\nrules: [{to: x, from: [y, 10.8.0.0/16], service: tcp/80, at: to, action: allow}]\n' > groups.yaml; tapwall check --stats groups.yaml | grep apart
2 addresses of group members, in a table apart from the images
$ tapwall check --stats --json groups.yaml | jq -c '.members, (.images[] | .workloads, (.views[] | [.direction, .groups, .classes.remote]))'
2
["a"]
["in",1,2]
["b"]
$ { printf 'version: 1\nworkloads: {r: {port: p0, addresses: [10.0.0.0/8]}}\nrules:\n'; seq -f '  - {from: 10.%g.0.0/16, action: allow}' 20; } | tapwall check --stats --json - | jq -c '.images[] | .workloads, (.views[] | [.direction, .engine, .entries, .because])'
["r"]
["out","vectors",20,"its local addresses fall into many classes"]
["in","vectors",20,"its local addresses fall into many classes"]
# All but some addresses of one family are all of the other.
$ sed 's/, "!fd00::\/8"//' policy.yaml | tapwall check -
tapwall: stdin:22:5: warning: rule vms-out: its to subtracts only IPv4 addresses, so it includes every IPv6 address; subtract IPv6 addresses too, or put 0.0.0.0/0 before it for IPv4 only
stdin: valid: 5 rules, 4 workloads with 5 ports, 2 groups, default deny
# On a terminal, an error is followed by its line.
$ script -qec "stty cols 100; tapwall check bad.yaml" /dev/null | tr -d '\r'
tapwall: bad.yaml:3:21: there is no group, workload or network nobody; define it under networks, workloads or groups
    3 |   - {name: a, from: nobody, to: any, action: alow}
      |                     ^
tapwall: bad.yaml:3:46: there is no action alow; did you mean allow?
    3 |   - {name: a, from: nobody, to: any, action: alow}
      |                                              ^
tapwall: bad.yaml:4:12: the name a is used twice, first in line 3; choose another name
    4 |   - {name: a, from: any, to: any, action: allow}
      |            ^
tapwall: bad.yaml:5:1: a policy has no key bogus; write one of: version, networks, services, workloads, groups, default, options, rules
    5 | bogus: 1
      | ^
$ script -qec "stty cols 40; tapwall check bad.yaml" /dev/null | tr -d '\r' | head -n 3
tapwall: bad.yaml:3:21: there is no group, workload or network nobody; define it under networks, workloads or groups
    3 |   - {name: a, from: nobody, to:
      |                     ^
# Only the first few warnings of a kind are printed.
$ tapwall check alike.yaml
tapwall: alike.yaml:5:3: warning: group empty contains no address; ignore this if its workloads are added later
tapwall: alike.yaml:5:17: warning: no workload has the tag nothing; workloads added later will be included
tapwall: alike.yaml:8:5: warning: rule one can never match: all (line 7) already decides everything it matches; remove it, or move it up
tapwall: alike.yaml:9:5: warning: rule two can never match: all (line 7) already decides everything it matches; remove it, or move it up
tapwall: alike.yaml:10:5: warning: rule three can never match: all (line 7) already decides everything it matches; remove it, or move it up
tapwall: alike.yaml: warning: 2 more with the advice 'remove it, or move it up'; tapwall check --all prints them
alike.yaml: valid: 6 rules, 1 workload with 1 port, 1 group, default deny
$ tapwall check alike.yaml --all | head -n 1
tapwall: alike.yaml:5:3: warning: group empty contains no address; ignore this if its workloads are added later
tapwall: alike.yaml:5:17: warning: no workload has the tag nothing; workloads added later will be included
tapwall: alike.yaml:8:5: warning: rule one can never match: all (line 7) already decides everything it matches; remove it, or move it up
tapwall: alike.yaml:9:5: warning: rule two can never match: all (line 7) already decides everything it matches; remove it, or move it up
tapwall: alike.yaml:10:5: warning: rule three can never match: all (line 7) already decides everything it matches; remove it, or move it up
tapwall: alike.yaml:11:5: warning: rule four can never match: all (line 7) already decides everything it matches; remove it, or move it up
tapwall: alike.yaml:12:5: warning: rule five can never match: all (line 7) already decides everything it matches; remove it, or move it up
alike.yaml: valid: 6 rules, 1 workload with 1 port, 1 group, default deny
$ tapwall check alike.yaml -a 2>&1 | grep -c 'can never match'
5
