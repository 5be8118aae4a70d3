#!/usr/bin/env bash
# Looks for unsafe SQL in an extension script: 0 errors and 0 warnings, or it fails.
set -euo pipefail
cd "$(dirname "$0")/.."
script=${1:?the script to look at}
# A function whose names are all qualified, and which is to be inlined: a search_path of its own would prevent that.
inlined='identity_internal.audit_hash(prev bytea,realm text,lane integer,seq bigint,at timestamptz,session_role text,acting_role text,'
inlined+='application_name text,client_addr inet,action text,subject text,detail jsonb)'
# pgspot's grammar knows SQL, not what CREATE EXTENSION puts in the place of MODULE_PATHNAME.
out=$(.work/venv/bin/pgspot --proc-without-search-path "$inlined" "$script" 2>&1) || true
echo "$out"
tail -n 1 <<<"$out" | grep -q 'Errors: 0 Warnings: 0'
