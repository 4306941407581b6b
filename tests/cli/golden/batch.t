# One answer per line, in order; a line that is not a tuple gets an error in its place.
$ cat tuples.jsonl
{"from":"10.0.0.11","to":"10.0.0.21","proto":"tcp","sport":40000,"dport":5432}
{"from":"10.20.1.3","to":"10.0.0.21","proto":"tcp","sport":40000,"dport":5432}
{"from":"10.0.0.21","to":"10.0.0.11","proto":"tcp","sport":40000,"dport":23}
{"from":"10.0.0.11","to":"8.8.8.8","proto":"udp","sport":40000,"dport":53}
{"from":"192.0.2.1","to":"192.0.2.2","proto":"icmp","type":8,"code":0}
  { "proto" : 6 , "dport" : "443" , "to" : "fd00::11" , "from" : "2001:db8:20:0::1" , "sport": null, "note": ["passed", {"over": 1.5}] }
{"from":"web-1","to":"db-1","proto":47}
{"from":"web\u002d1","to":"db-1","proto":"icmp"}

{"from":"10.0.0.11","to":"10.0.0.21","proto":"tcp","sport":40000}
{"from":"10.0.0.11","to":"10.0.0.21","proto":"tcp","dport":70000}
{"from":"10.0.0.11","to":"10.0.0.21","proto":"tcp","dport":-1}
{"from":"10.0.0.11","to":"10.0.0.21","proto":"tcp","dport":8e1}
{"from":"10.0.0.11","to":"2001:db8::1","proto":"tcp","dport":80}
{"from":"10.0.0.11","from":"10.0.0.12","to":"10.0.0.21","proto":"tcp","dport":80}
{"from":"nobody","to":"10.0.0.21","proto":"tcp","dport":80}
["10.0.0.11","10.0.0.21"]
what?
{"from":"10.0.0.11","to":"10.0.0.21","proto":"tcp","sport":40000,"dport":5432}
$ tapwall explain --policy policy.yaml --batch < tuples.jsonl
{"verdict":"allow","rule":"web-to-db","reason":"policy","out":{"port":"tap-web1","verdict":"allow","rule":"web-to-db"},"in":{"port":"db-1","verdict":"allow","rule":"web-to-db"}}
{"verdict":"deny","rule":"analyst","reason":"ask-unavailable","out":null,"in":{"port":"db-1","verdict":"deny","rule":"analyst"}}
{"verdict":"reject","rule":"no-telnet","reason":"policy","out":{"port":"db-1","verdict":"reject","rule":"no-telnet"},"in":{"port":"tap-web1","verdict":"reject","rule":"no-telnet"}}
{"verdict":"allow","rule":"vms-out","reason":"policy","out":{"port":"tap-web1","verdict":"allow","rule":"vms-out"},"in":null}
{"verdict":"unprotected","rule":null,"reason":null,"out":null,"in":null}
{"verdict":"allow","rule":"users-to-web","reason":"policy","out":null,"in":{"port":"tap-web1","verdict":"allow","rule":"users-to-web"}}
{"verdict":"deny","rule":"default","reason":"policy","out":{"port":"tap-web1","verdict":"deny","rule":"default"},"in":{"port":"db-1","verdict":"deny","rule":"default"}}
{"verdict":"deny","rule":"default","reason":"policy","out":{"port":"tap-web1","verdict":"deny","rule":"default"},"in":{"port":"db-1","verdict":"deny","rule":"default"}}
{"error":"dport: is missing; give the destination port","line":10}
{"error":"dport: '70000' is not a number from 0 to 65535","line":11}
{"error":"dport: '-1' is not a number from 0 to 65535","line":12}
{"error":"dport: is neither a string nor a whole number","line":13}
{"error":"to: the two ends have no address family in common; give both as IPv4 or both as IPv6","line":14}
{"error":"not JSON: duplicate object key near '\"from\"'","line":15}
{"error":"from: the policy has no workload 'nobody'; give a workload or an IP address","line":16}
{"error":"not a JSON object","line":17}
{"error":"not JSON: '[' or '{' expected near 'what'","line":18}
{"verdict":"allow","rule":"web-to-db","reason":"policy","out":{"port":"tap-web1","verdict":"allow","rule":"web-to-db"},"in":{"port":"db-1","verdict":"allow","rule":"web-to-db"}}
[2]
# Nothing asked, nothing answered.
$ tapwall explain --policy policy.yaml --batch < /dev/null
# The last line needs no end.
$ printf '{"from":"web-1","to":"db-1","proto":"tcp","dport":5432}' | tapwall explain --policy policy.yaml --batch
{"verdict":"allow","rule":"web-to-db","reason":"policy","out":{"port":"tap-web1","verdict":"allow","rule":"web-to-db"},"in":{"port":"db-1","verdict":"allow","rule":"web-to-db"}}
# A line far too long costs one answer and no memory.
$ { printf '{"from":"'; head -c 3000000 /dev/zero | tr '\0' x; printf '"}\n{"from":"web-1","to":"db-1","proto":"tcp","dport":5432}\n'; } | tapwall explain --policy policy.yaml --batch
{"error":"longer than 65536 bytes","line":1}
{"verdict":"allow","rule":"web-to-db","reason":"policy","out":{"port":"tap-web1","verdict":"allow","rule":"web-to-db"},"in":{"port":"db-1","verdict":"allow","rule":"web-to-db"}}
[2]
# A tuple leaves nothing behind: asked again, it is new again.
$ for i in 1 2; do echo '{"from":"web-1","to":"db-1","proto":"tcp","dport":5432,"sport":7}'; echo '{"from":"db-1","to":"web-1","proto":"tcp","dport":7,"sport":5432}'; done | tapwall explain --policy policy.yaml --batch
{"verdict":"allow","rule":"web-to-db","reason":"policy","out":{"port":"tap-web1","verdict":"allow","rule":"web-to-db"},"in":{"port":"db-1","verdict":"allow","rule":"web-to-db"}}
{"verdict":"deny","rule":"default","reason":"policy","out":{"port":"db-1","verdict":"deny","rule":"default"},"in":{"port":"tap-web1","verdict":"deny","rule":"default"}}
{"verdict":"allow","rule":"web-to-db","reason":"policy","out":{"port":"tap-web1","verdict":"allow","rule":"web-to-db"},"in":{"port":"db-1","verdict":"allow","rule":"web-to-db"}}
{"verdict":"deny","rule":"default","reason":"policy","out":{"port":"db-1","verdict":"deny","rule":"default"},"in":{"port":"tap-web1","verdict":"deny","rule":"default"}}
