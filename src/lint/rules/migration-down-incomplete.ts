import { type Difference, diffSchemas } from '../../schema/diff.ts'
import type { FileRule } from '../rule.ts'

export const rule: FileRule = {
  name: 'migration-down-incomplete',
  category: 'migrations',
  severity: 'warning',
  shape: 'file',
  needs: 'rehearsal',
  title: 'A down does not undo its up',
  why: `The rehearsal ran the up and then the down, and the catalog behind it is not the one before: something was left, forgotten or made in
another way. The next apply of the up meets what nobody expects there.`,
  instead: 'Let the down undo what is named here. Where something must stay, say so in the reason of an allowance.',
  examples: {
    bad: [
      {
        title: 'an index is forgotten',
        before: 'create table users (id bigint, email text);',
        up: 'alter table users add column name text;\ncreate index users_email on users (email);',
        down: 'alter table users drop column name;',
      },
      {
        title: 'another default comes back',
        before: 'create table users (id bigint, state text default $$new$$);',
        up: 'alter table users alter column state drop default;',
        down: 'alter table users alter column state set default $$fresh$$;',
      },
    ],
    good: [
      {
        title: 'undoes all of it',
        before: 'create table users (id bigint);',
        up: 'alter table users add column name text;',
        down: 'alter table users drop column name;',
      },
    ],
  },
  *check({ direction, before, undone, version, path, opposite }) {
    // A down that does nothing on purpose has said so.
    const idle = (opposite ?? '').replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, '').trim() === ''
    if (direction === 'down' || !before || !undone || idle) return
    const differences = outermost(diffSchemas(before, undone)).map(({ change, object, property }) => {
      if (change === 'added') return `${object} is left`
      return change === 'removed' ? `${object} does not come back` : `${object} differs in its ${property}`
    })
    if (differences.length === 0) return
    const shown = [...new Set(differences)]
    const more = shown.length > 5 ? `, and ${shown.length - 5} more` : ''
    yield { message: `Behind up and down: ${shown.slice(0, 5).join(', ')}${more}.`, object: version ?? path }
  },
}

/** A table or view that is left, or does not come back, speaks for its columns, keys, indexes and sequences. */
function outermost(differences: readonly Difference[]): readonly Difference[] {
  const whole = new Set(
    differences.flatMap(({ change, object }) => {
      const match = change === 'changed' ? null : /^(?:table|view) (.+)$/.exec(object)
      return match ? [`${change} ${match[1]}`] : []
    }),
  )
  return differences.filter(({ change, object, before, after }) => {
    const { table, ownedBy } = (after ?? before ?? {}) as { readonly table?: unknown; readonly ownedBy?: unknown }
    const owners = [table, object.replace(/^.* /, ''), ownedBy].filter(name => typeof name === 'string')
    const isWhole = /^(table|view) /.test(object)
    return isWhole || !owners.some(name => whole.has(`${change} ${name}`) || whole.has(`${change} ${parentOf(name)}`))
  })
}

/** `platform.users.id` → `platform.users`. */
function parentOf(name: string): string {
  return name.replace(/\.[^.]*$/, '')
}
