#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# fetch-rust-src.sh VERSION DEST
#
# Puts the standard library's sources of rustc VERSION at DEST/library, out of Debian's package
# `rust-src`. apt checks signatures as always, but works with a configuration and a state of its
# own in a temporary directory: the system's apt is neither used nor changed, and root is not needed.
set -euo pipefail

version=$1
dest=$2

# Tried first; otherwise any package of the same upstream version.
pinned=1.95.0+dfsg1-2~bpo13+1
suites="trixie-backports trixie forky sid"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

if [ ! -r "$keyring" ]; then
    echo "fetch-rust-src: $keyring is missing; install debian-archive-keyring" >&2
    exit 1
fi

# The mirror this system uses, whichever of apt's two formats it is written in.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -v '^ *#' | grep -oE 'https?://[^ ]+/debian(/| |$)' | head -n 1 | tr -d ' ' || true)
mirror=${mirror:-http://deb.debian.org/debian}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/etc/{apt.conf.d,preferences.d,sources.list.d} "$work"/{lists,archives}/partial "$work/unpacked"
touch "$work/status"
for suite in $suites; do
    echo "deb [signed-by=$keyring] ${mirror%/} $suite main"
done >"$work/etc/sources.list"
# Expired Release files are accepted: an old, signed package is what is wanted here.
cat >"$work/apt.conf" <<CONF
Dir::Etc "$work/etc";
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work";
Dir::Cache::archives "$work/archives";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "";
CONF
export APT_CONFIG=$work/apt.conf

echo "fetch-rust-src: looking for rust-src $version at $mirror" >&2
# One suite may be gone without the others being of no use.
apt-get -qq update || echo "fetch-rust-src: apt-get update had errors; going on" >&2

offered=$(apt-cache madison rust-src | awk '{ print $3 }')
chosen=
for candidate in "$pinned" $offered; do
    case $candidate in
    "$version"+* | "$version"-*) ;;
    *) continue ;;
    esac
    if grep -qxF -- "$candidate" <<<"$offered"; then
        chosen=$candidate
        break
    fi
done
if [ -z "$chosen" ]; then
    echo "fetch-rust-src: Debian has no rust-src for rustc $version in: $suites" >&2
    echo "fetch-rust-src: it has:" $offered >&2
    exit 1
fi

cd "$work"
apt-get -qq download "rust-src=$chosen"
dpkg-deb -x rust-src_*.deb unpacked
library=$(find unpacked/usr/src -maxdepth 2 -name library -type d | head -n 1)
if [ ! -f "$library/core/src/lib.rs" ]; then
    echo "fetch-rust-src: rust-src $chosen holds no library sources where they used to be" >&2
    exit 1
fi

# Renamed into place at the end, so that an interrupted run leaves nothing that looks complete.
mkdir -p "$dest"
rm -rf "$dest/library" "$dest/library.new"
cp -r "$library" "$dest/library.new"
mv "$dest/library.new" "$dest/library"
echo "fetch-rust-src: rust-src $chosen is at $dest/library" >&2
