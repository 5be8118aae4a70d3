# What the benchmarks share: psql on a database of their own, seconds of statements, ratios.
set -euo pipefail

run() { psql -Xq -v ON_ERROR_STOP=1 "$@"; }

# Seconds that psql's commands take in a database, all together.
seconds() { # database, psql's arguments…
    run -d "$1" -At -c '\timing on' "${@:2}" 2>/dev/null | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' |
        awk '{ s += $1 } END { printf "%.2f", s / 1000 }'
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
