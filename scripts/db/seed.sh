#!/bin/sh
# plinth seed, from any folder.
exec node "$(dirname "$0")/../../bin/plinth.js" seed "$@"
