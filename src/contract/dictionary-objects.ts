/** What a track has besides tables: views, types, functions, sequences, schemas, extensions. */
import { qualified, type Routine, type View } from '../schema/model.ts'
import { badge } from './dictionary-classes.ts'
import { type DictionaryContext, grantLines, list } from './dictionary-table.ts'
import { type Block, code, grid, sqlBlock, text } from './markdown.ts'

export function objectBlocks(context: DictionaryContext): readonly Block[] {
  const { schema, track } = context
  const suffix = text(track)
  const section = (title: string, key: string, blocks: readonly Block[]): readonly Block[] =>
    blocks.length ? [{ level: 3, title: `${title} (${suffix})`, key: `${key} ${track}` }, ...blocks] : []
  const sequences = schema.sequences.filter(sequence => sequence.ownedBy === null)
  return [
    ...section(
      'Views',
      'views',
      schema.views.flatMap(view => viewBlocks(view, context)),
    ),
    ...section('Types', 'types', typeBlocks(context)),
    ...section(
      'Functions',
      'functions',
      schema.routines.length
        ? [grid(['Function', 'What it does', 'Runs as', 'Who may call it'], schema.routines.map(routineRow))]
        : [],
    ),
    ...section(
      'Sequences',
      'sequences',
      sequences.length ? [sequences.map(sequence => `- ${code(qualified(sequence))}`).join('\n')] : [],
    ),
    ...section('Schemas and extensions', 'schemas', schemaBlocks(context)),
  ]
}

function viewBlocks(view: View, { classOf, track }: DictionaryContext): readonly Block[] {
  const name = qualified(view)
  const rows = view.columns.map(column => {
    const declared = classOf(name, column.name)
    return [code(column.name), code(column.type), declared ? badge(declared.class) : '', text(column.comment ?? '')]
  })
  const notes = [view.materialized ? 'materialized: it stores rows' : '', ...view.options.map(code)].filter(Boolean)
  return [
    { level: 4, title: code(name), key: `view ${track} ${name}` },
    view.comment ? text(view.comment) : '*No description yet.*',
    notes.length ? `**Options** ${notes.join(', ')}` : '',
    grid(['Column', 'Type', 'Class', 'Description'], rows),
    view.definition ? `<details><summary>Definition</summary>\n\n${sqlBlock(view.definition)}\n\n</details>` : '',
    list('Rights', grantLines(view.grants)),
  ]
}

function typeBlocks({ schema }: DictionaryContext): readonly Block[] {
  const rows = [
    ...schema.enums.map(type => [
      code(qualified(type)),
      'one of',
      type.values.map(code).join(', '),
      text(type.comment ?? ''),
    ]),
    ...schema.domains.map(type => [
      code(qualified(type)),
      code(type.type),
      type.definition ? code(type.definition) : '',
      text(type.comment ?? ''),
    ]),
  ]
  return rows.length ? [grid(['Type', 'Kind', 'Values', 'Description'], rows)] : []
}

function routineRow(routine: Routine): readonly string[] {
  const callers = routine.grants.map(grant => (grant.role === 'public' ? 'every role' : code(grant.role))).join(', ')
  const kind = routine.kind === 'function' ? '' : ` (${routine.kind})`
  return [
    `${code(`${qualified(routine)}(${routine.arguments})`)}${kind}`,
    text(routine.comment ?? ''),
    routine.securityDefiner ? 'its owner' : 'its caller',
    callers || 'only its owner',
  ]
}

function schemaBlocks({ schema }: DictionaryContext): readonly Block[] {
  const rows = schema.schemas.map(namespace => [
    code(namespace.name),
    text(namespace.comment ?? ''),
    grantLines(namespace.grants).join('; '),
  ])
  return [
    ...(rows.length ? [grid(['Schema', 'What it is', 'Rights'], rows)] : []),
    ...(schema.extensions.length ? [`Extensions: ${schema.extensions.map(code).join(', ')}.`] : []),
  ]
}
