/**
 * What a rule is. A rule explains itself: one file with what is wrong, why, what to do, and bad and good SQL that its test runs and that the
 * rehearsal confirms. Three shapes:
 *
 *   'statement'  judges one statement in its file: its words, and (when it was rehearsed) what it really locked, rewrote and changed
 *   'schema'     judges the catalog that the steps leave behind; what was wrong before them is not theirs
 *   'file'       judges the file as a whole: its name, its order, its opposite
 */
import type { ClassOf } from '../schema/classification.ts'
import type { Edit, Severity } from '../schema/finding.ts'
import type { Schema } from '../schema/model.ts'
import type { RehearsedStatement, RehearsedStep } from '../schema/rehearsal.ts'
import type { Script, Statement } from '../sql/parse.ts'
import type { Fields } from '../sql/tree.ts'
import type { Known } from './once.ts'

export const categories = [
  'locks',
  'rewrites',
  'data-loss',
  'compatibility',
  'naming',
  'types',
  'indexes',
  'partitions',
  'constraints',
  'tenancy',
  'security',
  'governance',
  'migrations',
] as const
export type Category = (typeof categories)[number]

export type Rule = StatementRule | SchemaRule | FileRule

interface Described {
  /** Kebab case, begins with what it is about, such as `lock-index-nonconcurrent`. */
  readonly name: string
  readonly category: Category
  /** Unless the configuration says otherwise. `error` is for what breaks, loses, leaks or blocks; taste is at most a notice. */
  readonly severity: Severity
  /** One sentence, such as "An index is built while nobody can write to its table". */
  readonly title: string
  /** Markdown: why it matters, what PostgreSQL does, and since which version. */
  readonly why: string
  /** Markdown: what to write instead. */
  readonly instead: string
  /** What its findings point at is a secret, which no output may show. */
  readonly hidden?: true
  readonly examples: { readonly bad: readonly Example[]; readonly good: readonly Example[] }
  /** The files that it looks at; only those of the way up by default, since what a down takes away is its purpose. Not for schema rules. */
  readonly directions?: readonly ('up' | 'down')[]
}

/** SQL that the tests run. `before` was applied earlier. The history and the step must run on PostgreSQL as they stand. */
export interface Example {
  /** What makes it bad or good, half a sentence. */
  readonly title: string
  readonly before?: string
  readonly up: string
  /** For rules about the way down. */
  readonly down?: string
  /** Name of the file without folder; default `202601010000_example.up.sql`. */
  readonly file?: string
  /** For rules that rest on what is declared. */
  readonly settings?: Partial<Settings>
  readonly classes?: Readonly<Record<string, Readonly<Record<string, ReturnType<ClassOf>>>>>
  /** PostgreSQL refuses the step itself, and the rule must find it nevertheless: by its text, or in the failed rehearsal. */
  readonly fails?: true
  /** Where only the text tells, as a rehearsal on an empty database cannot; or where the text alone cannot tell. */
  readonly only?: 'text' | 'rehearsal'
}

export interface StatementRule extends Described {
  readonly shape: 'statement'
  /** `rehearsal`: cannot be judged from the text. `text`: judged from the text alone, or better where it was rehearsed. */
  readonly needs: 'text' | 'rehearsal'
  /** Parser nodes that it looks at, for speed, such as `['IndexStmt']`; absent for any. A `DoStmt` is passed too where it was rehearsed. */
  readonly kinds?: readonly string[]
  /** Those of which the text alone can tell it something; default `kinds`. Code, which may do anything, tells only when it runs. */
  readonly textKinds?: readonly string[]
  /** What an `alter table` has, one of these at least, where its text tells the rule something: see {@link marksOf}. Absent for anything. */
  readonly alters?: readonly string[]
  /** It is silent about a statement of which another rule on locks or rewrites has something to say. */
  readonly lastResort?: true
  check(statement: StatementView): Iterable<Problem> | undefined
}

export interface SchemaRule extends Described {
  readonly shape: 'schema'
  /** Every problem names its `object`: only what is in the catalog afterwards and was not before is reported, at the statement that touched it last. */
  check(catalog: CatalogView): Iterable<Problem & { readonly object: string }>
}

export interface FileRule extends Described {
  readonly shape: 'file'
  readonly needs: 'text' | 'rehearsal'
  check(file: FileView): Iterable<Problem> | undefined
}

export interface Problem {
  readonly message: string
  /** Else the rule's `instead`, its first sentence. */
  readonly hint?: string
  readonly object?: string
  /** String indexes within the file's text; else the whole statement. */
  readonly range?: { readonly start: number; readonly end: number }
  /** It says why PostgreSQL refuses the statement, so that the failed rehearsal needs no finding of its own. */
  readonly explainsFailure?: true
  /** Only where the rewrite is certain. */
  readonly fix?: { readonly title: string; readonly edits: readonly Edit[] }
  /** Of a schema rule: a statement that mends it, to be put behind the one that made the table, as long as nobody uses that yet. */
  readonly addition?: { readonly title: string; readonly statement: string; readonly table: string }
}

export interface StatementView extends Known {
  readonly statement: Statement
  /** The parser's node, opened: `kind` is `statement.kind`. */
  readonly fields: Fields
  /** What it really did; null without a rehearsal and for a statement behind a failed one. */
  readonly seen: RehearsedStatement | null
  readonly file: FileView
}

export interface FileView extends Known {
  /** As given, such as `db/migrations/operational/202601010000_users.up.sql`; `-` for standard input. */
  readonly path: string
  readonly direction: 'up' | 'down'
  readonly version: string | null
  readonly slug: string | null
  readonly script: Script
  readonly statements: readonly StatementView[]
  /** The text of the opposite direction; null when there is none. */
  readonly opposite: string | null
  /** What each statement could refer to, read from this file and those before it; see text-catalog.ts. */
  readonly text: TextCatalog
  readonly step: RehearsedStep | null
  /** The catalog before this step; null without a rehearsal. */
  readonly before: Schema | null
  /** The catalog behind this file's opposite, once that was rehearsed after this file; null when it was not. */
  readonly undone: Schema | null
  readonly settings: Settings
  readonly classOf: ClassOf
}

export interface CatalogView {
  readonly schema: Schema
  /** What the steps changed, for rules that ask what was there before. */
  readonly before: Schema
  readonly settings: Settings
  readonly classOf: ClassOf
}

/** What can be known of relations from text alone. Names are as the parser reads them; `public.` may be left out. */
export interface TextCatalog {
  /** The relation or index was made by an earlier statement of the same file, so nobody uses it yet. */
  madeHere(relation: string, statement: number): boolean
  /** Something before the statement, in this file or an earlier one, makes the relation; else nobody can say what it looks like. */
  knows(relation: string, statement: number): boolean
  /** Type as the parser spells it, such as `int4` or `varchar(10)` (see sql/type-text.ts); as it is before the statement; null when unknown. */
  typeOf(relation: string, column: string, statement: number): string | null
}

/** What a team declares; every rule reads only this, the SQL and the rehearsal. */
export interface Settings {
  /** Oldest server that the migrations must run on, such as 15. */
  readonly postgresVersion: number
  /** The column that tells tenants apart, such as `organization_id`; null when there are no tenants. */
  readonly tenantColumn: string | null
  /** The table of tenants, such as `platform.organizations`; null when there is none. */
  readonly tenantTable: string | null
  /** Tables without a tenant, with the reason, by `schema.table`. */
  readonly sharedTables: Readonly<Record<string, string>>
  /** Schemas that a contract publishes: a breaking change there is named as such. Empty means every schema. */
  readonly publishedSchemas: readonly string[]
  /** Regular expressions, by kind of object, with `{table}` and `{columns}` for what they stand on. */
  readonly naming: Readonly<
    Partial<
      Record<
        'index' | 'unique' | 'primaryKey' | 'foreignKey' | 'check' | 'table' | 'column' | 'file',
        string | undefined
      >
    >
  >
  /** Extensions that may be used; null allows all. */
  readonly extensions: readonly string[] | null
  /** Partitions that must be there ahead of time or a default one. */
  readonly partitionsAheadMin: number
  /** Whether a classification is declared at all; without one, rules of governance are silent. */
  readonly classified: boolean
  /** Rows that the target has, by table, so that a warning can say how long; empty when nobody knows. */
  readonly targetRows: Readonly<Record<string, number>>
  /** The runner sets lock_timeout and statement_timeout itself. */
  readonly runnerSetsTimeouts: boolean
}
