/** Functions and procedures that a statement makes or alters: as the rehearsal saw them, else as the text says. */
import type { Routine } from '../../schema/model.ts'
import { dottedName, type Fields, fieldsOf, listOf, openNode, optionsOf, textOf } from '../../sql/tree.ts'
import { typeText } from '../../sql/type-text.ts'
import type { StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { objectName } from './columns.ts'

export interface MadeRoutine {
  readonly name: string
  readonly object: string
  readonly language: string
  readonly securityDefiner: boolean
  readonly leakproof: boolean
  /** It says itself where names are looked up. */
  readonly setsSearchPath: boolean
  /** Its body was bound when it was made, so that names are not looked up again. */
  readonly bound: boolean
  readonly body: string
  /** Parameters that can hold any text. */
  readonly textParameters: readonly string[]
}

/** The statements whose text makes routines. */
export const routineKinds = ['CreateFunctionStmt']

export function madeRoutines(view: StatementView): readonly MadeRoutine[] {
  const after = view.seen && view.file.step?.after
  if (!after) return view.statement.kind === 'CreateFunctionStmt' ? [routineWritten(view)] : []
  const names = new Set(
    view.seen?.changes
      .filter(change => change.kind === 'routine' && change.action !== 'drop')
      .map(change => change.name),
  )
  return after.routines.filter(routine => names.has(routineName(routine))).map(routineSeen)
}

export function routineName(routine: Routine): string {
  return `${routine.schema}.${routine.name}(${routine.arguments})`
}

/** What PostgreSQL prints of a routine in front of its body. */
export function headOf({ definition }: Routine): string {
  return definition.split(/\n(?:AS |BEGIN ATOMIC|RETURN )/)[0] ?? ''
}

/** Fired by the server alone. */
export function isTriggerFunction(routine: Routine): boolean {
  return /\n RETURNS (event_)?trigger\b/.test(headOf(routine))
}

function routineSeen(routine: Routine): MadeRoutine {
  const head = headOf(routine)
  const body = /\nAS (\$\w*\$|')([\s\S]*)\1\s*$/.exec(routine.definition)
  return {
    name: `${routine.schema}.${routine.name}`,
    object: routineName(routine),
    language: /\n LANGUAGE "?(\w+)/.exec(head)?.[1] ?? '',
    securityDefiner: routine.securityDefiner,
    leakproof: /\bLEAKPROOF\b/.test(head),
    setsSearchPath: /\n SET search_path TO/.test(head),
    bound: /\n(BEGIN ATOMIC|RETURN )/.test(routine.definition),
    body: body?.[2] ?? '',
    textParameters: routine.arguments
      .split(/,\s*(?![^(]*\))/)
      .flatMap(
        one =>
          /^(?:(?:INOUT|VARIADIC) )?"?(\w+)"? (?:text|character|name|json|citext|public\.citext)/.exec(one)?.[1] ?? [],
      ),
  }
}

function routineWritten({ fields, file, statement }: StatementView): MadeRoutine {
  const options = optionsOf(fields, 'options')
  const name = dottedName(fields['funcname'])
  const body = listOf(fieldsOf(fieldsOf(options.get('as') ?? {}, 'arg'), 'List'), 'items')[0]
  const altered = statementsOf(file, 'AlterFunctionStmt')
    .filter(one => one.statement.index > statement.index && isNamed(one.fields, name))
    .map(one => one.fields)
  return {
    name,
    object: objectName(name),
    language: textOf(fieldsOf(fieldsOf(options.get('language') ?? {}, 'arg'), 'String'), 'sval').toLowerCase(),
    securityDefiner: isOn(options.get('security')),
    leakproof: isOn(options.get('leakproof')),
    setsSearchPath: [fields, ...altered].some(setsPath),
    bound: fields['sql_body'] !== undefined,
    body: textOf(openNode(body)[1], 'sval'),
    textParameters: listOf(fields, 'parameters').flatMap(node => {
      const [, parameter] = openNode(node)
      const text = /^(text|varchar|bpchar|name|jsonb?|citext)\b/.test(typeText(parameter['argType']))
      return text && textOf(parameter, 'mode') !== 'FUNC_PARAM_OUT' ? [textOf(parameter, 'name')].filter(Boolean) : []
    }),
  }
}

function isNamed(alter: Fields, name: string): boolean {
  return objectName(dottedName(fieldsOf(alter, 'func')['objname'])) === objectName(name)
}

function isOn(option: Fields | undefined): boolean {
  return fieldsOf(fieldsOf(option ?? {}, 'arg'), 'Boolean')['boolval'] === true
}

function setsPath(fields: Fields): boolean {
  return [...listOf(fields, 'options'), ...listOf(fields, 'actions')].some(node => {
    const [, option] = openNode(node)
    const set = fieldsOf(fieldsOf(option, 'arg'), 'VariableSetStmt')
    return textOf(option, 'defname') === 'set' && textOf(set, 'name') === 'search_path'
  })
}
