#!/bin/sh
# plinth rollback, from any folder.
exec node "$(dirname "$0")/../../bin/plinth.js" rollback "$@"
