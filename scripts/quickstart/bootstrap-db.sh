#!/bin/sh
# Installs what is needed and brings the whole foundation up.
cd "$(dirname "$0")/../.." && npm ci && npm start -- "$@"
