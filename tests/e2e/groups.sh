#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# groups.sh: a workload that gets a tag is in its group from the flip on, and no longer after it
# loses the tag. Ports with rules about the group keep their images, and the next agent knows the
# group's members.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

policy() { # TAG
	workloads 2 | sed "s/^  w1: .*}/&, tags: [$1]}/; s/}, tags/, tags/"
	cat <<-'END'
		groups: {webs: {tags: web}, admins: {tags: admin}}
		rules:
		  - {name: web, from: webs, to: w2, at: to, service: tcp/7001, action: allow}
		  - {name: admin, from: [admins, 10.7.0.0/16], to: w2, at: to, action: allow}
		  - {name: out, from: w1, to: any, at: from, action: allow}
	END
}

members() {
	tapwall groups --json | jq -c '[.name, .addresses, .workloads, .networks]' | xargs
}

epoch() {
	bpftool -j map dump pinned "$lab/bpffs/tapwall/maps/config" | jq -c '.[0].value[:4]'
}

# Prints a port's images in both epochs.
images_of() { # PORT
	ifindex=$(on_host cat "/sys/class/net/$1/ifindex")
	bpftool -j map dump pinned "$lab/bpffs/tapwall/maps/ports" | jq -c --argjson ifindex "$ifindex" \
		'[.[].formatted.value | select(.ifindex == $ifindex).image] | unique'
}

make_host
make_guest 1
make_guest 2
for tag in none web admin; do
	policy "$tag" >"$lab/$tag.yaml"
done

start_agent --policy "$lab/none.yaml"
equal "no workload is in a group" '[webs,0,[],[]] [admins,0,[],[]]' "$(members)"
begin g2 echo-one echo tcp 7001
equal "who is in no group is denied" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
images=$(images_of tap2)
say "images of tap2: $images"

check "w1 joins a group" apply "$lab/web.yaml"
equal "groups says so" '[webs,2,[w1],[]] [admins,0,[],[]]' "$(members)"
begin g1 one stream "$lab/one" tcp 10.0.0.12 7001 2
check "and may connect" within 20 grows one echoed 50
equal "the port with the rule about the group kept its image" "$images" "$(images_of tap2)"

epoch=$(epoch)
stop_agent KILL
check "it may without an agent" within 20 grows one echoed "$(($(count_of one echoed) + 50))"
start_agent --policy "$lab/web.yaml"
check "the next agent adopts" within 20 grep -q 'adopted what was in force' "$lab/agent.log"
equal "and changes nothing" "$epoch" "$(epoch)"
equal "it may still" connected "$(attempt 1 tcp 10.0.0.12 7001)"

check "w1 leaves for another group" apply "$lab/admin.yaml"
equal "whose rule decides now" connected "$(attempt 1 tcp 10.0.0.12 7001)"
check "the live connection goes on under it" within 20 grows one echoed "$(($(count_of one echoed) + 50))"

check "w1 leaves that, too" apply "$lab/none.yaml"
sent=$(count_of one sent)
# An echo that passed before the policy may wait in a queue for some time.
check "its client goes on sending" within 20 grows one sent "$((sent + 100))"
cut=$(count_of one echoed)
equal "nobody may any more" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
equal "and the live connection is cut" "$cut" "$(count_of one echoed)"
finish
