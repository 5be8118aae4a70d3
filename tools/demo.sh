#!/usr/bin/env bash
# Runs demo/demo.sql on the throwaway cluster.
set -euo pipefail
cd "$(dirname "$0")/.."
eval "$(tools/cluster.sh env demo)"
psql -X <demo/demo.sql
echo
echo "The cluster is still running: make psql opens a shell on it, make clean removes it."
