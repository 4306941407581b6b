# A policy in several files, which are read in the order of their names.
$ mkdir policy.d && cd policy.d && printf 'version: 1\nnetworks: {office: 10.20.0.0/16}\noptions: {adopt: 10s}\n' > 10-base.yaml && printf 'version: 1\nworkloads:\n  a: {port: tap-a, mac: "52:54:00:00:00:0a", addresses: [10.0.0.10]}\nrules:\n  - {from: office, to: a, service: tcp/22, action: allow}\n' > 20-a.yaml && printf 'workloads:\n  b: {port: tap-b, mac: "52:54:00:00:00:0b", addresses: [10.0.0.11]}\nrules:\n  - {from: a, to: b, service: tcp/22, action: allow}' > 9-b.yaml
$ tapwall check policy.d
policy.d: valid: 2 rules, 2 workloads with 2 ports, 0 groups, default deny
$ tapwall check --lowered policy.d/
rule-1: allow at both, from {10.20.0.0/16} to {10.0.0.10} service tcp/22
rule-2: allow at both, from {10.0.0.10} to {10.0.0.11} service tcp/22
default: deny
$ tapwall explain --policy policy.d a b tcp/22 | head -n 1
tcp  a 10.0.0.10:49152  →  b 10.0.0.11:22
$ tapwall check --print policy.d | tapwall check -
stdin: valid: 2 rules, 2 workloads with 2 ports, 0 groups, default deny
# Hidden files, editors' backups and other files are not read.
$ cd policy.d && echo 'rules: 1' | tee .20-a.yaml.swp .hidden.yaml 20-a.yaml~ 30.yaml.off README > /dev/null; cd .. && tapwall check policy.d
policy.d: valid: 2 rules, 2 workloads with 2 ports, 0 groups, default deny
# An error has its place in its own file, and names the file of what it contradicts.
$ printf 'options: {adopt: 5s}\nnetworks:\n  a: 10.1.0.0/16\nrules:\n  - {from: nobody, to: any, action: allow}\n' > policy.d/30-c.yaml; tapwall check policy.d
tapwall: policy.d/20-a.yaml:3:3: a is already the name of the network in line 3 of 30-c.yaml; networks, workloads and groups share one set of names; rename one
tapwall: policy.d/30-c.yaml:1:11: options has the key adopt twice, first in line 3 of 10-base.yaml; keep one of them
tapwall: policy.d/30-c.yaml:5:12: there is no group, workload or network nobody; define it under networks, workloads or groups
[1]
$ tapwall check --json policy.d/
{"file":"policy.d/","valid":false,"errors":[{"line":3,"column":3,"text":"a is already the name of the network in line 3 of 30-c.yaml","hint":"networks, workloads and groups share one set of names; rename one","file":"20-a.yaml"},{"line":1,"column":11,"text":"options has the key adopt twice, first in line 3 of 10-base.yaml","hint":"keep one of them","file":"30-c.yaml"},{"line":5,"column":12,"text":"there is no group, workload or network nobody","hint":"define it under networks, workloads or groups","file":"30-c.yaml"}],"warnings":[]}
[1]
$ tapwall explain --policy policy.d a b tcp/22
tapwall: policy.d/20-a.yaml:3:3: a is already the name of the network in line 3 of 30-c.yaml; networks, workloads and groups share one set of names; rename one
tapwall: policy.d/30-c.yaml:1:11: options has the key adopt twice, first in line 3 of 10-base.yaml; keep one of them
tapwall: policy.d/30-c.yaml:5:12: there is no group, workload or network nobody; define it under networks, workloads or groups
[1]
$ tapwall diff policy.d policy.d --socket nowhere
tapwall: policy.d/20-a.yaml:3:3: a is already the name of the network in line 3 of 30-c.yaml; networks, workloads and groups share one set of names; rename one
tapwall: policy.d/30-c.yaml:1:11: options has the key adopt twice, first in line 3 of 10-base.yaml; keep one of them
tapwall: policy.d/30-c.yaml:5:12: there is no group, workload or network nobody; define it under networks, workloads or groups
[1]
# A warning likewise.
$ printf 'rules:\n  - {name: late, from: a, to: b, service: tcp/22, action: deny}\n' > policy.d/30-c.yaml; tapwall check policy.d
tapwall: policy.d/9-b.yaml:4:5: warning: rule rule-3 can never match: late (line 2 of 30-c.yaml) already decides everything it matches; remove it, or move it up
policy.d: valid: 3 rules, 2 workloads with 2 ports, 0 groups, default deny
# What one file lacks, no other replaces in silence.
$ : > policy.d/30-c.yaml; tapwall check policy.d
tapwall: policy.d/30-c.yaml: the file is empty; remove it if nothing belongs into it
[1]
$ rm policy.d/30-c.yaml; ln -s nowhere policy.d/30-c.yaml; tapwall check policy.d
tapwall: policy.d/30-c.yaml: cannot read it: No such file or directory
[2]
$ rm policy.d/30-c.yaml; mkdir policy.d/30-c.yaml; tapwall check policy.d
tapwall: policy.d/30-c.yaml: is not a file; move it away
[1]
$ rmdir policy.d/30-c.yaml; mkfifo policy.d/30-c.yaml; tapwall check policy.d
tapwall: policy.d/30-c.yaml: is not a file; move it away
[1]
$ rm policy.d/30-c.yaml; : > policy.d/30-c.yml; tapwall check policy.d
tapwall: policy.d/30-c.yml: only files named .yaml are read; name it .yaml, or move it away
[1]
$ rm policy.d/30-c.yml; : > 'policy.d/30 c.yaml'; tapwall check policy.d
tapwall: policy.d/30 c.yaml: a file of a policy cannot have this name; use letters, digits, '_', '.' and '-', at most 127
[1]
$ rm 'policy.d/30 c.yaml'; printf 'version: 1\n# tapwall file: x.yaml\n' > policy.d/30-c.yaml; tapwall check policy.d
tapwall: policy.d/30-c.yaml:2:1: a comment cannot begin with "# tapwall file: " here; reword the comment
[1]
$ rm policy.d/30-c.yaml; mkdir none; tapwall check none
tapwall: none: the directory has no policy; write a policy into a file named .yaml in it
[2]
$ tapwall check missing
tapwall: missing: cannot read it: No such file or directory
[2]
$ sed -i /version/d policy.d/*.yaml; tapwall check policy.d
tapwall: policy.d/10-base.yaml:1:1: a policy has no version; begin with version: 1
[1]
