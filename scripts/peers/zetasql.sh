#!/usr/bin/env bash
# Installs Google's analyzer of GoogleSQL (zetasql, from npm), which types the SQL that is sent to BigQuery. It needs no network once it is there.
#   scripts/peers/zetasql.sh [folder]
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-.plinth/peers/zetasql}
stamp='@fivetrandevelopers/zetasql 1.13.0'
[ "$(cat "$folder/installed" 2>/dev/null)" = "$stamp" ] && exit 0
mkdir -p "$folder"
echo '{ "private": true }' >"$folder/package.json"
# In the folder rather than with --prefix, which also moves where npm looks for the machine's settings, such as its certificates.
(cd "$folder" && npm install --no-save --no-audit --no-fund --ignore-scripts --loglevel=error @fivetrandevelopers/zetasql@1.13.0 >/dev/null)
chmod +x "$folder"/node_modules/@fivetrandevelopers/zetasql/lib/zetasql/remote_server*
echo "$stamp" >"$folder/installed"
