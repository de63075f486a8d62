#!/bin/sh
# plinth status, from any folder.
exec node "$(dirname "$0")/../../bin/plinth.js" status "$@"
