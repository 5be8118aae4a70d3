#!/usr/bin/env bash
# Installs what is missing on this machine. Idempotent, and quick where nothing is missing.
#
#   tools/setup.sh demo    what it takes to build the extension and to run a server with it
#   tools/setup.sh test    that, and what the tests and lint need: a MariaDB, Node with a client, Python tools
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-test}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

pg_config() { command "${PG_CONFIG:-pg_config}" "$@" 2>/dev/null || true; }
is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }
# A new machine knows no packages before the first update.
is_known() {
    command -v apt-cache >/dev/null || return 1
    apt-cache show make >/dev/null 2>&1 || as_root apt-get update -q
    apt-cache show "$1" >/dev/null 2>&1
}

# The server is the one that pg_config belongs to; where there is none yet, the one that the release of Debian has.
major=$(pg_config --version | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
if [ -z "$major" ] && is_known postgresql; then
    major=$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p')
fi
major=${major:-15}

packages=(libclang-dev clang make gcc pkg-config)
# A server that is not of Debian's packages has its own programs and headers.
case $(pg_config --bindir) in "" | /usr/lib/postgresql/*) packaged=yes ;; *) packaged=no ;; esac
[ $packaged = no ] || packages+=("postgresql-$major" "postgresql-server-dev-$major")
if [ "$purpose" = test ]; then
    # A site's database, without its service.
    packages+=(python3-venv mariadb-server-core mariadb-client-core)
    # It has pg_regress and pg_isolation_regress.
    [ $packaged = no ] || packages+=("postgresql-client-$major")
    # It reads the site's database. Not every release has it for its server: the test is left out there.
    reader=postgresql-$major-mysql-fdw
    if [ ! -e "$(pg_config --sharedir)/extension/mysql_fdw.control" ] && is_known "$reader"; then packages+=("$reader"); fi
    # npm comes with Node where it is not Debian's.
    command -v npm >/dev/null || packages+=(nodejs npm)
fi

install_packages() {
    local missing=()
    for package in "${packages[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    echo "installing ${missing[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

if command -v dpkg-query >/dev/null; then
    install_packages
else
    echo "Not a Debian system: tools/setup.sh expects that these are installed: ${packages[*]}" >&2
fi

if ! command -v cargo >/dev/null; then
    echo "A Rust toolchain (cargo, rustc 1.95) is needed: see the README." >&2
    exit 1
fi
[ "$purpose" = test ] || exit 0

venv=.work/venv
if [ ! -x "$venv/bin/pgspot" ] || ! cmp -s tools/requirements.txt "$venv/requirements.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r tools/requirements.txt
    cp tools/requirements.txt "$venv/requirements.txt"
fi

node=.work/node
if [ ! -d "$node/node_modules/pg" ] || ! cmp -s tests/clients/package.json "$node/package.json"; then
    mkdir -p "$node"
    cp tests/clients/package.json "$node/package.json"
    npm install --prefix "$node" --no-package-lock --no-audit --no-fund --silent
fi
