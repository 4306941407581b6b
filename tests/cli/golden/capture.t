# Captured frames, for people, for programs and as a file.
$ fake_agent good tapwall capture web-1 --socket agent.sock
22:13:20.250001  reject  web-1 out     tcp 10.0.0.11:40000 → 10.0.0.21:23 S             54  rule no-telnet
3 frames are missing here
22:13:21.000000  allow   web-1 in      arp 10.0.0.21 → 10.0.0.11                        60  neighbour
22:13:20.250001  reject  web-1 out     vlan 20 tcp 10.0.0.11:40000 → 10.0.0.21:23 S     58  rule no-telnet
tapwall: web-1: 3 frames captured; 3 were not captured: the buffer was full
$ fake_agent good tapwall capture web-1 --socket agent.sock --json
{"time":1700000000.25,"port":"tap-web1","workload":"web-1","direction":"out","verdict":"reject","reason":"policy","rule":"no-telnet","stage":"classify","len":54,"vlan":0,"proto":"tcp","from":{"address":"10.0.0.11","port":40000},"to":{"address":"10.0.0.21","port":23},"tcp_flags":"S","src_mac":"52:54:00:00:00:01","dst_mac":"52:54:00:00:00:02","ethertype":2048,"lost_before":0,"gap_before_s":0.0}
{"time":1700000001.0,"port":"tap-web1","workload":"web-1","direction":"in","verdict":"allow","reason":"neighbour","rule":null,"stage":"guard","len":60,"vlan":0,"proto":null,"from":{"address":"10.0.0.21","port":null},"to":{"address":"10.0.0.11","port":null},"tcp_flags":null,"src_mac":"52:54:00:00:00:02","dst_mac":"ff:ff:ff:ff:ff:ff","ethertype":2054,"lost_before":3,"gap_before_s":0.0}
{"time":1700000000.25,"port":"tap-web1","workload":"web-1","direction":"out","verdict":"reject","reason":"policy","rule":"no-telnet","stage":"classify","len":58,"vlan":20,"proto":"tcp","from":{"address":"10.0.0.11","port":40000},"to":{"address":"10.0.0.21","port":23},"tcp_flags":"S","src_mac":"52:54:00:00:00:01","dst_mac":"52:54:00:00:00:02","ethertype":2048,"lost_before":0,"gap_before_s":0.0}
tapwall: web-1: 3 frames captured; 3 were not captured: the buffer was full
$ fake_agent good tapwall capture web-1 --socket agent.sock --count 1
22:13:20.250001  reject  web-1 out     tcp 10.0.0.11:40000 → 10.0.0.21:23 S             54  rule no-telnet
tapwall: web-1: 1 frame captured; 3 were not captured: the buffer was full
$ fake_agent good tapwall capture web-1 --socket agent.sock -w web.pcapng; notes web.pcapng
tapwall: web-1: 3 frames captured in web.pcapng; 3 were not captured: the buffer was full
tap-web1 out 54/54 lost=0 40000>23 verdict=reject reason=policy rule=no-telnet direction=out stage=classify workload=web-1
tap-web1 in 42/60 lost=3 0>0 verdict=allow reason=neighbour direction=in stage=guard workload=web-1
tap-web1 out 58/58 lost=0 40000>23 verdict=reject reason=policy rule=no-telnet direction=out stage=classify workload=web-1
$ fake_agent good tapwall capture web-1 --socket agent.sock -w - 2>/dev/null >web2.pcapng; cmp web.pcapng web2.pcapng
$ fake_agent good tapwall capture web-1 --socket agent.sock -w - | tapwall replay --policy policy.yaml --pcap - | head -n 2
tapwall: web-1: 3 frames captured in stdout; 3 were not captured: the buffer was full
      1      0.000000  reject       web-1 out       policy            no-telnet         tcp 10.0.0.11:40000 → 10.0.0.21:23
      2      0.749999  deny         db-1 out        truncated                           arp 10.0.0.21 → 10.0.0.11
$ fake_agent empty tapwall capture web-1 --socket agent.sock --dropped
tapwall: web-1: no port on this host yet; waiting for one
tapwall: web-1: 0 frames captured
# What it refuses.
$ fake_agent good tapwall capture web-1 --socket agent.sock --json -w web.pcapng
tapwall: --json: cannot be used with --write; leave one of them out
[2]
$ fake_agent good tapwall capture web-1 --socket agent.sock -w nowhere/web.pcapng
tapwall: nowhere/web.pcapng: cannot write to it: No such file or directory
[5]
$ fake_agent good tapwall capture web-1 --socket agent.sock -w /dev/full
tapwall: /dev/full: cannot write the capture: No space left on device; make room for it
[5]
$ echo precious >kept; fake_agent refuse tapwall capture web-1 --socket agent.sock -w kept; cat kept
tapwall: tap-web1: cannot attach: Operation not permitted; give the agent CAP_BPF and CAP_NET_ADMIN
precious
$ fake_agent half tapwall capture web-1 --socket agent.sock
tapwall: agent.sock: the agent closed the connection; see what tapwalld logs
[4]
$ tapwall capture web-1 --snaplen 70000
tapwall: --snaplen: '70000' is not a number from 0 to 65600
[2]
$ tapwall capture
tapwall: capture: WORKLOAD is missing; see --help
[2]
