#!/bin/sh
# plinth apply, from any folder.
exec node "$(dirname "$0")/../../bin/plinth.js" apply "$@"
