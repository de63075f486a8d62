#!/usr/bin/env bash
# Installs dbt-core with dbt-duckdb (from PyPI), which tests run beside Plinth, into a virtual environment. Needs Python 3.10 or later.
#   scripts/peers/dbt.sh [folder]
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-.plinth/peers/dbt}
stamp='dbt-core 1.12.0, dbt-duckdb 1.11.1, duckdb 1.5.6'
[ "$(cat "$folder/installed" 2>/dev/null)" = "$stamp" ] && exit 0
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
  dbt-core==1.12.0 dbt-duckdb==1.11.1 duckdb==1.5.6
echo "$stamp" >"$folder/installed"
