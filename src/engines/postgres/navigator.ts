/**
 * Node 20 has no `navigator`. Without one, `pg` makes a `Response` while it loads, to learn where it runs, and that brings in all of `fetch`:
 * thirty milliseconds of every command. So it finds what newer releases of Node show, for as long as it loads.
 */
const missing = !('navigator' in globalThis)

if (missing) {
  Object.defineProperty(globalThis, 'navigator', {
    value: { userAgent: `Node.js/${process.versions.node.split('.')[0]}` },
    configurable: true,
    enumerable: false,
    writable: true,
  })
}

/** Leaves the globals as they were found. */
export function takeNavigatorBack(): void {
  if (missing) Reflect.deleteProperty(globalThis, 'navigator')
}
