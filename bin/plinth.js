#!/usr/bin/env node
// A script, not a module (see package.json beside it): Node starts those ten milliseconds sooner.
require('../dist/bundle/plinth.cjs').main(process.argv)
