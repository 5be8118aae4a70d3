#!/usr/bin/env bash
# Checks the crate for major versions of PostgreSQL that are not on this machine, as the compiler and clippy do.
#
#   tools/check-majors.sh 14 16
#
# Instead of a server's headers it takes the bindings that come with pgrx, which are there to build its documentation.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=$PWD/.work/check DOCS_RS=1 RUSTC_WRAPPER=$PWD/.work/check/rustc

mkdir -p "$CARGO_TARGET_DIR"
cat >"$RUSTC_WRAPPER" <<'WRAPPER'
#!/bin/sh
case " $* " in *" --crate-name pgrx_pg_sys "*) exec "$@" --cfg docsrs ;; *) exec "$@" ;; esac
WRAPPER
chmod 755 "$RUSTC_WRAPPER"

for major in "$@"; do
    echo "== PostgreSQL $major (cargo clippy)"
    cargo clippy --quiet --lib --no-default-features --features "pg$major" -- -D warnings
done
