#!/usr/bin/env bash
# Runs a command in this directory as it is in another release of Debian: the one that has PostgreSQL MAJOR.
#
#   tools/tree.sh 17 make test TESTS="import_basic login"
#
# The release's tree, with what tools/setup.sh installs, is made once below .work/tree/MAJOR; this directory and this machine's
# Rust are bound into it. What is built, installed or written in .work and target there lies apart from what is here.
# The mounts and processes are in namespaces of their own, and vanish with the command.
set -euo pipefail
cd "$(dirname "$0")/.."
project=$PWD

major=${1:?the major version of PostgreSQL}
shift
[ $# -gt 0 ] || { echo "usage: tools/tree.sh MAJOR COMMAND…" >&2; exit 2; }
case $major in
    15) release=bookworm ;;
    17) release=trixie ;;
    18) release=forky ;;
    *) echo "No release of Debian has PostgreSQL $major: 15, 17 and 18 can be had." >&2; exit 2 ;;
esac
home=$project/.work/tree/$major
root=$home/root

needs() { echo "tools/tree.sh needs $1." >&2; exit 1; }

outside() {
    command -v rustc >/dev/null || needs "a Rust toolchain (cargo, rustc 1.95)"
    toolchain=$(rustc --print sysroot)
    [ "$toolchain" != /usr ] || needs "a Rust toolchain that is not in /usr, as rustup installs it"
    cargo_home=${CARGO_HOME:-$HOME/.cargo}
    # In the tree cargo only reads what is here.
    cargo fetch --quiet --locked
    if [ "$(id -u)" = 0 ]; then as_root=(); else as_root=(sudo); fi
    "${as_root[@]}" unshare --mount --pid --fork --kill-child --ipc true 2>/dev/null ||
        needs "root, and the right to make mounts (CAP_SYS_ADMIN: a container has it only where it is given)"
    # Once more, with mounts and processes of its own.
    exec "${as_root[@]}" env PG_IDENTITY_TREE="$toolchain:$cargo_home" \
        unshare --mount --pid --fork --kill-child --ipc "$project/tools/tree.sh" "$major" "$@"
}

make_tree() {
    command -v debootstrap >/dev/null ||
        { apt-get update -q && apt-get install -y -q --no-install-recommends debootstrap; } ||
        needs "debootstrap, which this system's packages do not have"
    local mirror script=/usr/share/debootstrap/scripts/$release
    mirror=$(apt-get indextargets 'Origin: Debian' 'Label: Debian' --format '$(REPO_URI)' | sed -n 1p)
    [ -n "$mirror" ] || needs "a mirror of Debian among this system's package sources"
    # A release that is newer than this debootstrap is made as the newest ones are.
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
    rm -rf "$root"
    mkdir -p "$root"
    echo "making a tree of $release, for PostgreSQL $major"
    debootstrap --variant=minbase --include=ca-certificates,make "$release" "$root" "$mirror" "$script" >"$home/log" 2>&1 ||
        { tail -n 20 "$home/log" "$root/debootstrap/debootstrap.log" >&2; exit 1; }
    # Servers that the project does not start have no place here.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    mkdir -p "$root/etc/postgresql-common"
    echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
    # A mirror that is a day behind will do.
    printf '%s\n' 'Acquire::Check-Valid-Until "false";' 'APT::Keep-Downloaded-Packages "false";' \
        >"$root/etc/apt/apt.conf.d/90tree"
    touch "$home/made"
}

# What is at a path here is at the same path there.
bind() { # path, options
    if [ -d "$1" ]; then
        mkdir -p "$root$1"
    else
        mkdir -p "$root$(dirname "$1")"
        touch "$root$1"
    fi
    mount --bind "$1" "$root$1"
    [ $# = 1 ] || mount -o "remount,bind,$2" "$root$1"
}

inside() {
    local toolchain=${PG_IDENTITY_TREE%%:*} cargo_home=${PG_IDENTITY_TREE#*:}
    [ -e "$home/made" ] || make_tree
    mkdir -p "$home/work" "$home/target" "$root/proc" "$root/dev" "$root/sys"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    bind "$project"
    mount --bind "$home/work" "$root$project/.work"
    mkdir -p "$project/target"
    mount --bind "$home/target" "$root$project/target"
    bind "$toolchain" ro
    bind "$cargo_home" ro
    # What it takes to reach the registries as this machine does.
    for path in /etc/resolv.conf /etc/hosts /etc/pip.conf /usr/local/share/ca-certificates; do
        [ ! -e "$path" ] || bind "$path" ro
    done
    chroot "$root" update-ca-certificates >/dev/null 2>&1
    unset PG_IDENTITY_TREE MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL RUST_BACKTRACE CARGO_TARGET_DIR PIP_FIND_LINKS
    export PATH=$toolchain/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    export HOME=/root LANG=C.UTF-8 CARGO_HOME=$cargo_home CARGO_NET_OFFLINE=true
    export PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config
    # shellcheck disable=SC2016
    exec chroot "$root" bash -c 'cd "$0" && tools/setup.sh test && exec "$@"' "$project" "$@"
}

if [ -z "${PG_IDENTITY_TREE:-}" ]; then outside "$@"; else inside "$@"; fi
