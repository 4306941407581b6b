# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=sh
# lab.sh: small virtual machines for the demo and for tests/vm. Sourced, not run.
#
# Why:        a firewall for guests must be tested with guests: a separate kernel, behind a tap that
#             QEMU opened.
# What:       Debian's cloud kernel, downloaded but not installed, with a busybox initramfs. It takes
#             about two seconds from start to command line, even without KVM.
# In:         TW_BUILD     the build directory; downloads and images go to $TW_BUILD/vm
#             TW_VM_CACHE  another directory for them
#             LAB_KERNEL   `release` (default): the release's kernel; `backports`: the newer one of its backports
#             LAB_RUN      a directory for the sockets, pids and console logs of one run
# Out:        every function returns 0, or 1 with the reason in LAB_WHY.
# Ends:       lab_vm starts children of the caller. If the caller runs in a pid namespace
#             (demo/cell), they end with it.

LAB_SRC=${LAB_SRC:?lab.sh: set LAB_SRC to the directory of lab.sh}
LAB_CACHE=${TW_VM_CACHE:-${TW_BUILD:?lab.sh: set TW_BUILD to the build directory}/vm}
LAB_KERNEL=${LAB_KERNEL:-release}
[ "$LAB_KERNEL" = release ] || LAB_CACHE=$LAB_CACHE/$LAB_KERNEL
LAB_WHY=

# Modules that a guest needs for its network card.
LAB_MODULES_BASE='virtio_pci virtio_net'

lab_fail() {
	LAB_WHY=$*
	return 1
}

# Downloads the kernel package, found through its metapackage, to the current directory. Arguments: options of apt.
lab_download() {
	package=$(apt-cache "$@" depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
	[ -n "$package" ] &&
		timeout -k 5 180 apt-get -qq -o APT::Sandbox::User=root "$@" download "$package" >/dev/null 2>&1
}

# Downloads the kernel package of the release. If the package lists are missing or old, this fails at first.
lab_download_release() {
	lab_download || { timeout -k 5 180 apt-get -qq update >/dev/null 2>&1 && lab_download; }
}

# Downloads the kernel package of the release's backports. They come from where apt gets the release, and their lists
# are kept in the current directory, so this system's apt does not learn of them.
lab_download_backports() {
	suite=$(apt-get indextargets 'Created-By: Packages' 'Component: main' --format '$(CODENAME) $(REPO_URI)' 2>/dev/null |
		sed -n 's/^\([a-z]*\) \(.*\)$/\2 \1-backports/p' | head -n 1)
	[ -n "$suite" ] || return
	keys=/usr/share/keyrings/debian-archive-keyring.gpg
	[ ! -e "$keys" ] || suite="[signed-by=$keys] $suite"
	mkdir -p apt/lists/partial apt/archives/partial && echo "deb $suite main" >apt/sources.list || return
	set -- -o "Dir::Etc::sourcelist=$PWD/apt/sources.list" -o Dir::Etc::sourceparts=- \
		-o "Dir::State::lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt"
	timeout -k 5 180 apt-get -qq -o APT::Sandbox::User=root "$@" update >/dev/null 2>&1 && lab_download "$@"
}

# Unpacks the kernel package of the current directory to ./kernel.
lab_unpack() {
	dpkg-deb -x ./*.deb . &&
		busybox depmod -b . "$(ls lib/modules)" 2>/dev/null &&
		mkdir kernel &&
		mv lib/modules/* kernel/modules &&
		mv boot/vmlinuz-* kernel/vmlinuz
}

# Makes $LAB_CACHE/kernel: vmlinuz, and modules/ with modules.dep. Downloads the package if it is
# not there yet. May be called by several processes at once.
lab_kernel() {
	[ -e "$LAB_CACHE/kernel/vmlinuz" ] && return 0
	for tool in apt-get apt-cache dpkg-deb busybox flock; do
		command -v "$tool" >/dev/null || { lab_fail "$tool is not installed, and is needed to get a kernel for guests"; return; }
	done
	[ "$(dpkg --print-architecture)" = amd64 ] || { lab_fail "guests are amd64 only"; return; }
	mkdir -p "$LAB_CACHE" || { lab_fail "cannot make $LAB_CACHE"; return; }
	(
		flock 9
		[ -e "$LAB_CACHE/kernel/vmlinuz" ] && exit 0
		rm -rf "$LAB_CACHE/new" "$LAB_CACHE/kernel"
		mkdir "$LAB_CACHE/new" && cd "$LAB_CACHE/new" || exit 1
		"lab_download_$LAB_KERNEL" || exit 1
		lab_unpack && mv kernel .. && rm -rf "$LAB_CACHE/new"
	) 9>"$LAB_CACHE/lock" || { lab_fail "the kernel package linux-image-cloud-amd64 of the $LAB_KERNEL cannot be downloaded"; return; }
}

# lab_modules NAME…: prints the files of these modules and of their dependencies, in loading order.
lab_modules() {
	awk -v want="$*" '
		function name(path) { sub(/.*\//, "", path); sub(/\.ko.*/, "", path); gsub(/-/, "_", path); return path }
		function load(path,    n, i, needs) {
			if (path in done) return
			done[path] = 1
			n = split(need[path], needs, " ")
			for (i = n; i > 0; i--) load(needs[i])
			print path
		}
		{ path = $1; sub(/:$/, "", path); $1 = ""; need[path] = $0; file[name(path)] = path }
		END {
			n = split(want, names, " ")
			for (i = 1; i <= n; i++) if (names[i] in file) load(file[names[i]])
		}' "$LAB_CACHE/kernel/modules/modules.dep"
}

# lab_image FILE "MODULES" [PROGRAM…]: makes an initramfs with busybox, the probe, these modules and
# these programs, each with its shared libraries. A program goes to /bin, or to TO if it is given as
# FROM:TO. A directory is copied with its contents.
lab_image() (
	image=$1
	modules=$2
	tree=$image.tree
	shift 2
	rm -rf "$tree"
	mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/tmp" "$tree/run" "$tree/etc" \
		"$tree/lib/modules" "$tree/usr/bin" "$tree/var" || exit 1
	cp "$(command -v busybox)" "$tree/bin/busybox" || exit 1
	for applet in $("$tree/bin/busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet" || exit 1
	done
	cp "$LAB_SRC/init" "$tree/init" && cp "$TW_BUILD/demo/probe" "$tree/bin/probe" || exit 1
	# shellcheck disable=SC2086 # one word for each module
	lab_add_modules "$tree" $modules || exit 1
	for item in "$@"; do
		lab_add_program "$tree" "$item" || exit 1
	done
	(cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null) >"$image.part" || exit 1
	rm -rf "$tree"
	mv "$image.part" "$image"
)

# lab_add_modules TREE NAME…: copies the modules, uncompressed, and writes their loading order for
# init.
lab_add_modules() {
	to=$1/lib/modules
	shift
	lab_modules "$@" >"$to/files" || return
	while read -r file; do
		base=${file##*/}
		case $base in
		*.xz) busybox xzcat "$LAB_CACHE/kernel/modules/$file" >"$to/${base%.xz}" || return ;;
		*) cp "$LAB_CACHE/kernel/modules/$file" "$to/$base" || return ;;
		esac
		echo "${base%.xz}" >>"$to/order"
	done <"$to/files"
}

# lab_add_program TREE FROM[:TO]
lab_add_program() {
	from=${2%%:*}
	to=${2#*:}
	[ "$to" = "$2" ] && to=/bin/${from##*/}
	rm -rf "${1:?}$to"
	mkdir -p "$1${to%/*}" && cp -rL "$from" "$1$to" || return
	[ -d "$from" ] || lab_libraries "$from" "$1"
}

# lab_libraries PROGRAM TREE: copies the shared libraries of PROGRAM to their places in TREE.
lab_libraries() {
	ldd "$1" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' |
		while read -r library; do
			[ -e "$2$library" ] && continue
			mkdir -p "$2$(dirname "$library")"
			cp -L "$library" "$2$library" || return
		done
}

# Sets LAB_ACCEL to kvm if a guest has booted and powered off with it (/dev/kvm may exist and not
# work), otherwise to tcg. The result is kept until the next boot.
lab_accel() {
	LAB_ACCEL=tcg
	boot=$(cat /proc/sys/kernel/random/boot_id)
	if [ "$(sed -n 1p "$LAB_CACHE/accel" 2>/dev/null)" = "$boot" ]; then
		LAB_ACCEL=$(sed -n 2p "$LAB_CACHE/accel")
		return 0
	fi
	if [ -r /dev/kvm ] && [ -w /dev/kvm ] &&
		timeout -k 1 3 qemu-system-x86_64 -accel kvm -machine pc -cpu host -m 96 \
			-nodefaults -no-user-config -display none -no-reboot -serial none \
			-kernel "$LAB_CACHE/kernel/vmlinuz" -initrd "$1" \
			-append 'quiet panic=-1 tw.off=1' >/dev/null 2>&1 </dev/null; then
		LAB_ACCEL=kvm
	fi
	printf '%s\n%s\n' "$boot" "$LAB_ACCEL" >"$LAB_CACHE/accel"
}

# lab_ready [PROGRAM…]: prepares everything that guests need.
lab_ready() {
	command -v qemu-system-x86_64 >/dev/null || { lab_fail "QEMU (qemu-system-x86) is not installed"; return; }
	[ -x "$TW_BUILD/demo/probe" ] || { lab_fail "$TW_BUILD/demo/probe is not built"; return; }
	lab_kernel || return
	LAB_IMAGE=$LAB_CACHE/base.img
	if [ ! -e "$LAB_IMAGE" ] || [ -n "$(find "$TW_BUILD/demo/probe" "$LAB_SRC/init" "$LAB_SRC/lab.sh" \
		-newer "$LAB_IMAGE")" ]; then
		(flock 9 && lab_image "$LAB_IMAGE" "$LAB_MODULES_BASE") 9>"$LAB_CACHE/lock" ||
			{ lab_fail "the guests' initramfs could not be made in $LAB_CACHE"; return; }
	fi
	lab_accel "$LAB_IMAGE"
}

# lab_vm NAME MEGABYTES IMAGE "KERNEL ARGUMENTS" [QEMU OPTION…]: starts a guest in the background.
# Its command line is at $LAB_RUN/NAME.sock, its console in $LAB_RUN/NAME.console. If its kernel
# panics during boot, the guest is started once more, and the line of the panic is printed. On a busy
# machine, the kernel may mistake an emulated timer for a broken one, hence no_timer_check. It may also
# measure a wrong rate of its time stamp counter. Without KVM, QEMU passes the host's counter on, so
# the guest is given the rate of that counter.
lab_vm() {
	{
		lab_boot "$@" || lab_boot_again "$@"
		touch "$LAB_RUN/$1.ended"
	} 9>&- &
}

# lab_boot_again: starts a guest once more if its kernel panicked during boot; arguments as lab_vm.
lab_boot_again() {
	grep -q 'Kernel panic' "$LAB_RUN/$1.console" 2>/dev/null && ! [ -e "$LAB_RUN/$1.up" ] || return
	touch "$LAB_RUN/$1.again"
	echo "guest $1 is started again: $(grep 'Kernel panic' "$LAB_RUN/$1.console" | tr -d '\r')" >&2
	lab_boot "$@"
}

# lab_boot: runs a guest until it ends; arguments as lab_vm.
lab_boot() (
	vm_name=$1
	vm_memory=$2
	vm_image=$3
	vm_append=$4
	shift 4
	# QEMU before 8.0 emulates cmpxchg16b with wrong flags, and Linux 6.12 panics of them.
	vm_cpu=qemu64,-cx16
	if [ "$LAB_ACCEL" = kvm ]; then
		vm_cpu=host
	else
		vm_append="tsc_early_khz=$("$TW_BUILD/demo/guest" -k) $vm_append"
	fi
	qemu-system-x86_64 -name "$vm_name" -accel "$LAB_ACCEL" -machine pc,usb=off,vmport=off,hpet=off \
		-cpu "$vm_cpu" -m "$vm_memory" -smp 1 -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$LAB_CACHE/kernel/vmlinuz" -initrd "$vm_image" \
		-append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr norandmaps tsc=reliable random.trust_cpu=on no_timer_check tw.name=$vm_name $vm_append" \
		-serial "file:$LAB_RUN/$vm_name.console" \
		-chardev "socket,id=line,path=$LAB_RUN/$vm_name.sock,server=on,wait=off" \
		-serial chardev:line "$@" </dev/null >"$LAB_RUN/$vm_name.qemu" 2>&1
	! grep -q 'Kernel panic' "$LAB_RUN/$vm_name.console" 2>/dev/null
)

# lab_nic TAP MAC: prints the QEMU options of a network card on an existing tap, one per line.
lab_nic() {
	printf '%s\n' -netdev "tap,id=$1,ifname=$1,script=no,downscript=no,vhost=off" \
		-device "virtio-net-pci,netdev=$1,mac=$2,romfile="
}

# Prints the last messages of QEMU and of the guest's console.
lab_last_words() {
	cat "$LAB_RUN/$1.qemu" "$LAB_RUN/$1.console" 2>/dev/null | tail -n 3 | tr -d '\r'
}

# lab_await NAME…: waits until every guest listens on its command line.
lab_await() {
	for vm_name in "$@"; do
		lab_listens "$vm_name" || { sleep 1 && [ -e "$LAB_RUN/$vm_name.again" ] && lab_listens "$vm_name"; } ||
			{ lab_fail "guest $vm_name did not start; its last messages: $(lab_last_words "$vm_name")"; return; }
	done
}

# lab_listens NAME: waits until this guest listens or has ended, for at most LAB_BOOT_SECONDS.
lab_listens() {
	deadline=$(($(date +%s) + ${LAB_BOOT_SECONDS:-60}))
	until "$TW_BUILD/demo/guest" -t 5 -w "$LAB_RUN/$1.sock" 2>/dev/null; do
		! [ -e "$LAB_RUN/$1.ended" ] && [ "$(date +%s)" -lt "$deadline" ] || return
	done
	touch "$LAB_RUN/$1.up"
}

# lab_guest NAME COMMAND…: runs a command in a guest, for at most LAB_SECONDS.
lab_guest() {
	vm_name=$1
	shift
	"$TW_BUILD/demo/guest" -t "${LAB_SECONDS:-20}" "$LAB_RUN/$vm_name.sock" "$@"
}
