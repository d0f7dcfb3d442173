#!/bin/sh
# Gets vitc a libLLVM (19 to 22): the system's package where root may install one, else
# the library inside the Maven artifact of JavaCPP's presets, unpacked into the user's
# cache folder. Does nothing if there is one already. Run from the root of the checkout.
#
#   scripts/setup-llvm.sh            as above
#   scripts/setup-llvm.sh --maven    the Maven artifact, even as root
#
# Ends well also where neither way is open: vitc then interprets programs, slowly, and
# says so.
set -eu

artifact=org.bytedeco:llvm:20.1.7-1.5.12:jar:linux-x86_64
dest=${XDG_CACHE_HOME:-$HOME/.cache}/vitc/llvm/20.1.7
root=$(cd "$(dirname "$0")/.." && pwd)

found() {
	for f in "$dest"/libLLVM*.so* /usr/lib/*/libLLVM*.so.19* /usr/lib/*/libLLVM*.so.2[0-2]* \
		/usr/lib/*/libLLVM-19.so* /usr/lib/*/libLLVM-2[0-2].so* /usr/lib64/libLLVM*.so.19* /usr/lib64/libLLVM*.so.2[0-2]*; do
		if [ -e "$f" ]; then
			echo "$f"
			return 0
		fi
	done
	return 1
}

from_apt() {
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	apt_install && return 0
	echo "reading the list of packages"
	apt-get update >/dev/null 2>&1 && apt_install # a fresh machine has none yet
}

apt_install() {
	for v in 19 20 21 22; do
		if apt-get install -y --no-install-recommends "libllvm$v" >/dev/null 2>&1; then
			return 0
		fi
	done
	return 1
}

from_maven() {
	[ "$(uname -sm)" = "Linux x86_64" ] && command -v mvn >/dev/null && command -v go >/dev/null || return 1
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	echo "fetching $artifact (about 150 MB)"
	mvn -q dependency:copy -Dartifact="$artifact" -DoutputDirectory="$tmp" >"$tmp/log" 2>&1 || {
		tail -n 5 "$tmp/log" >&2
		return 1
	}
	(cd "$root" && go run ./scripts/unpackjar "$tmp"/llvm-*.jar "$dest")
}

if [ "${1-}" != --maven ]; then
	if at=$(found); then
		echo "LLVM is here: $at"
		exit 0
	fi
	if from_apt && at=$(found); then
		echo "installed $at"
		exit 0
	fi
fi
if from_maven; then
	echo "installed $(found)"
	exit 0
fi
echo "no LLVM could be installed (tried: apt-get as root, then Maven with mvn and go): vitc will use its interpreter"
