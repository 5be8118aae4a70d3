#!/usr/bin/env bash
# The SQL of these pages runs as it stands there, each page from an empty database on.
. "$(dirname "$0")/../lib.sh"
pages="consolidation authorization audit organizations login"
for page in $pages; do
    psql -Xq -d postgres -c "DROP DATABASE IF EXISTS ${db}_page WITH (FORCE)" -c "CREATE DATABASE ${db}_page" 2>/dev/null
    sql=$(awk '/^```sql$/ { on = 1; next } /^```/ { on = 0 } on' "$(dirname "$0")/../../docs/$page.md")
    expect "docs/$page.md has SQL" t "$([ -n "$sql" ] && echo t)"
    said=$(psql -X -d "${db}_page" -v ON_ERROR_STOP=1 2>&1 <<<"$sql") || {
        echo "NOT OK: docs/$page.md"
        echo "$said"
        exit 1
    }
    echo "ok: docs/$page.md runs"
done
psql -Xq -d postgres -c "DROP DATABASE ${db}_page WITH (FORCE)"
