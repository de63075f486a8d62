#!/usr/bin/env node
import { main } from '../dist/bundle/plinth.js'

await main(process.argv)
