#!/bin/sh
# Fetches PJRT plugins, XLA for this machine's CPU and the TPU compiler, from their Python
# packages: of pinned versions, with checked hashes, by pip. Each lands as one shared library
# in NAME-VERSION of the user's cache folder, where vitc looks for it. One that is there
# already is left alone.
#
#   scripts/setup-xla.sh             both
#   scripts/setup-xla.sh cpu|tpu     one
#
# Ends with status 1, and says why, where one cannot be fetched.
set -eu

cache=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set: no cache folder}/.cache}/vitc/pjrt
tmp=

# fetch NAME VERSION SHA256 PLATFORM MEMBER gets one plugin out of its wheel. The libraries use
# nothing of Python: the tags that the wheels carry may differ from the Python that runs pip.
fetch() {
	dest=$cache/$1-$2
	file=$dest/${5##*/}
	if [ -e "$file" ]; then
		echo "$1 $2 is here: $file"
		return 0
	fi
	[ "$(uname -sm)" = "Linux x86_64" ] || fail "$1 is for Linux on x86-64, not for $(uname -sm)"
	command -v python3 >/dev/null || fail "fetching $1 takes python3 with pip; Debian: apt-get install python3-pip"
	python3 -m pip --version >/dev/null 2>&1 || fail "fetching $1 takes pip; Debian: apt-get install python3-pip"
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/.fetch-XXXXXX")
	echo "fetching $1 $2"
	printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$3" >"$tmp/wanted"
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
		--implementation cp --python-version 3.11 --abi cp311 --abi none --platform "$4" \
		--dest "$tmp/wheel" --requirement "$tmp/wanted" >"$tmp/log" 2>&1 || {
		tail -n 5 "$tmp/log" >&2
		fail "pip could not fetch $1 $2: is there a network, and a package index that pip may use?"
	}
	mkdir "$tmp/plugin"
	unpack "$tmp"/wheel/*.whl "$5" "$tmp/plugin" || fail "$1 $2 holds no $5"
	rm -rf "$dest" # what is there has no plugin
	mv -T "$tmp/plugin" "$dest"
	rm -rf "$tmp"
	echo "installed $file"
}

# unpack WHEEL MEMBER FOLDER copies one file, which may be larger than the machine's memory.
unpack() {
	python3 - "$@" <<'PYTHON'
import os, shutil, sys, zipfile

wheel, member, folder = sys.argv[1:]
try:
    with zipfile.ZipFile(wheel) as z, z.open(member) as source:
        with open(os.path.join(folder, os.path.basename(member)), "wb") as to:
            shutil.copyfileobj(source, to, 1 << 20)
            to.flush()
            os.fsync(to.fileno())
except (KeyError, OSError, zipfile.BadZipFile) as e:
    sys.exit(f"{wheel}: {e}")
PYTHON
}

fail() {
	echo "setup-xla: $1" >&2
	exit 1
}

trap 'if [ -n "$tmp" ]; then rm -rf "$tmp"; fi' EXIT
trap 'exit 1' HUP INT TERM

cpu() {
	fetch lammps-jax-pjrt-cpu 0.11.2 1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1 \
		manylinux_2_27_x86_64 lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so
}

tpu() {
	fetch libtpu 0.0.52 f5e2e596eaea9357fbb5a6755a7a9007c6ab75bfde4a55191b03eff402971140 \
		manylinux_2_31_x86_64 libtpu/libtpu.so
}

case ${1-} in
"")
	cpu
	tpu
	;;
cpu | tpu) "$1" ;;
*)
	echo "usage: setup-xla.sh [cpu|tpu]" >&2
	exit 2
	;;
esac
