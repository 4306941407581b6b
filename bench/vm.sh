# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=sh
# vm.sh: makes the machine of the system `vm-bridge`. Sourced in the checkout, with $TW_BUILD set.
#
# Out: the function vm_options prints options for tapwall-bench: the machine's files, or the reason why
#      there is none. appliance_options does so for the service VM of the system `tapwall-ask-vm`, whose image
#      it makes if it is missing or old.
LAB_SRC=$PWD/demo
. demo/lab.sh

# Modules for bridging, connection tracking and filtering, and for the disk with the rules.
vm_modules='virtio_blk bridge br_netfilter nf_conntrack nf_tables nft_ct'

vm_image() {
	lab_ready || return
	image=$LAB_CACHE/vm-bridge.img
	if [ -e "$image" ] && [ -z "$(find bench/vm-bridge.init bench/vm.sh demo/lab.sh /usr/sbin/nft \
		-newer "$image")" ]; then
		return
	fi
	(flock 9 && lab_image "$image" "$LAB_MODULES_BASE $vm_modules" /usr/sbin/nft \
		"$PWD/bench/vm-bridge.init:/init" /etc/protocols:/etc/protocols) 9>"$LAB_CACHE/lock" ||
		lab_fail "the machine's initramfs could not be made in $LAB_CACHE"
}

# Prints the options, one word per line.
vm_options() {
	if vm_image; then
		printf '%s\n' --vm-kernel "$LAB_CACHE/kernel/vmlinuz" --vm-image "$image" \
			--vm-accel "$LAB_ACCEL"
	else
		printf '%s\n' --vm-why "$LAB_WHY"
	fi
}

# Prints the options, one word per line.
appliance_options() {
	if why=$(BUILD=$TW_BUILD appliance/build 2>&1); then
		printf '%s\n' --appliance "$PWD/appliance/tapwall-appliance" --appliance-image "$TW_BUILD/appliance" \
			--vm-khz "$("$TW_BUILD/demo/guest" -k)"
	else
		printf '%s\n' --appliance-why "$(echo "$why" | tail -n 1)"
	fi
}
