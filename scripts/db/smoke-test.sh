#!/bin/sh
# Asks everything that can be asked without changing anything: versions, assertions, equality of source and warehouse.
plinth="node $(dirname "$0")/../../bin/plinth.js" && $plinth status "$@" && $plinth check && $plinth reconcile --dry-run
