#!/usr/bin/env bash
# Installs the BigQuery emulator that tests talk to (bqemulator, from PyPI) into a virtual environment. Needs Python 3.11 or later.
#   scripts/peers/bqemulator.sh [folder]
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-.plinth/peers/bqemulator}
stamp='bqemulator 1.4.0, duckdb 1.5.5'
[ "$(cat "$folder/installed" 2>/dev/null)" = "$stamp" ] && exit 0
python3 -m venv "$folder"
# The emulator keeps its tables in DuckDB and wants its spatial extension, which would be downloaded; a package brings it instead.
"$folder/bin/pip" install --quiet --disable-pip-version-check \
  bqemulator==1.4.0 duckdb==1.5.5 duckdb-extensions==1.5.5 duckdb-extension-spatial==1.5.5 numpy
HOME="$(cd "$folder" && pwd)" "$folder/bin/python" -c "from duckdb_extensions import import_extension; import_extension('spatial')"
echo "$stamp" >"$folder/installed"
