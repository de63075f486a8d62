/** YAML files with validated content and errors that name file, line and column. */
import { readFile } from 'node:fs/promises'
import type { Document, LineCounter } from 'yaml'
import type { z } from 'zod'
import { type Code, nearest, type Place, PlinthError } from '../errors.ts'

export interface YamlFile<T> {
  readonly value: T
  /** Where the value at this path stands; the nearest parent when the path is not in the file. */
  readonly place: (path: readonly PropertyKey[]) => Place
}

/**
 * Reads and validates a YAML file. Throws `code` for malformed YAML or content, FILE_UNREADABLE when the file cannot be read.
 * `describe` is what the file is called in messages, such as `configuration`.
 */
export async function readYaml<T>(
  file: string,
  shape: z.ZodType<T>,
  code: Code,
  describe: string,
): Promise<YamlFile<T>> {
  const source = await readFile(file, 'utf8').catch(error => {
    const why = reason(error)
    const isAbsent = why === 'ENOENT'
    throw new PlinthError(
      'FILE_UNREADABLE',
      `The ${describe} file ${isAbsent ? 'does not exist' : `cannot be read: ${why}`}.`,
      {
        at: { file },
        hint: isAbsent ? 'Write it, or name another one.' : undefined,
        cause: error,
      },
    )
  })
  return parseYaml(source, file, shape, code, describe)
}

export async function parseYaml<T>(
  source: string,
  file: string,
  shape: z.ZodType<T>,
  code: Code,
  describe: string,
): Promise<YamlFile<T>> {
  const { LineCounter, parseDocument } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, merge: true })
  const broken = document.errors[0]
  if (broken) {
    const { line, col } = lines.linePos(broken.pos[0])
    throw new PlinthError(code, `The ${describe} file is not valid YAML: ${broken.message}`, {
      at: { file, line, column: col, source },
    })
  }
  const place = (path: readonly PropertyKey[]): Place => placeOf(document, lines, path, file, source)
  const parsed = shape.safeParse(document.toJS(), { reportInput: true })
  if (parsed.success) return { value: parsed.data, place }
  const issue = parsed.error.issues[0]
  if (!issue) throw new PlinthError(code, `The ${describe} file is not valid.`, { at: { file } })
  const { message, path, hint } = explain(issue)
  throw new PlinthError(code, `The ${describe} file is not valid: ${message}`, { at: place(path), hint })
}

interface Explanation {
  readonly message: string
  readonly path: readonly PropertyKey[]
  readonly hint: string | undefined
}

function explain(issue: z.core.$ZodIssue): Explanation {
  const at = issue.path.length ? `"${issue.path.join('.')}"` : 'the file'
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    return {
      message: `${at} has an unknown key "${key}".`,
      path: [...issue.path, key],
      hint: 'Look for a typing error, or see docs/configuration.md for the keys.',
    }
  }
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String)
    return {
      message: `${at} must be one of ${allowed.join(', ')}.`,
      path: issue.path,
      hint: nearestHint(issue.input, allowed),
    }
  }
  return { message: `${at}: ${issue.message}.`, path: issue.path, hint: undefined }
}

function nearestHint(input: unknown, allowed: readonly string[]): string | undefined {
  const guess = typeof input === 'string' ? nearest(input, allowed) : undefined
  return guess ? `Did you mean "${guess}"?` : undefined
}

/** Walks up until a node of the path is found, so that a missing key points at its parent. */
function placeOf(
  document: Document.Parsed,
  lines: LineCounter,
  path: readonly PropertyKey[],
  file: string,
  source: string,
): Place {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : keyNode(document, path.slice(0, length))
    const range = rangeOf(node)
    if (range) {
      const { line, col } = lines.linePos(range[0])
      return { file, line, column: col, source }
    }
  }
  return { file, source }
}

/** The node of a key in its map, which stands where a reader looks, rather than of its value. */
function keyNode(document: Document.Parsed, path: readonly PropertyKey[]): unknown {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const last = path[path.length - 1]
  if (parent && typeof parent === 'object' && 'items' in parent && Array.isArray(parent.items)) {
    for (const item of parent.items as unknown[]) {
      if (item && typeof item === 'object' && 'key' in item) {
        const key = item.key
        if (key && typeof key === 'object' && 'value' in key && String(key.value) === String(last)) return key
      }
    }
  }
  return document.getIn(path, true)
}

function rangeOf(node: unknown): readonly [number, number, number] | undefined {
  return node && typeof node === 'object' && 'range' in node && Array.isArray(node.range)
    ? (node.range as [number, number, number])
    : undefined
}

function reason(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
}
