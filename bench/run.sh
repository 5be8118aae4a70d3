#!/usr/bin/env bash
# Runs every benchmark: bench/run.sh, or those named: bench/run.sh import. Each measures both sides in one run.
set -euo pipefail
cd "$(dirname "$0")/.."
export PG_IDENTITY_SHARED_BUFFERS=${PG_IDENTITY_SHARED_BUFFERS:-2GB}
tools/cluster.sh remove bench
tools/cluster.sh start bench
trap 'tools/cluster.sh remove bench' EXIT
eval "$(tools/cluster.sh env bench)"
psql -Xqc "ALTER SYSTEM SET maintenance_work_mem = '512MB'" -c "ALTER SYSTEM SET max_wal_size = '16GB'" \
    -c "ALTER SYSTEM SET checkpoint_timeout = '1h'" -c "ALTER SYSTEM SET autovacuum = off" -c "SELECT pg_reload_conf()" >/dev/null
for script in ${@:-import identities first_load dedup login authorization keycloak}; do
    bash "bench/$script.sh"
done
