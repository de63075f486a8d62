/**
 * What templates ask of the warehouse while they are rendered. Rendering waits for nothing: a question that has no answer yet ends it, the
 * warehouse is asked, and it is rendered again with that answer. A template asks the same in the same order each time.
 */
import type { Session } from '../../engines/engine.ts'
import { type Place, PlinthError } from '../../errors.ts'
import type { CallContext, TemplateValue } from '../../sql/template.ts'

export type Asked = (session: Session) => Promise<TemplateValue>

/** Answers what the warehouse said. */
export type Ask = (question: Asked, context: CallContext) => TemplateValue

/** Where nobody can be asked: `parse` renders as dbt does while it reads a project, with `execute` false; `refuse` is an error. */
export type Unanswered = 'parse' | 'refuse'

/** Renders until every question has its answer. `render` is given null where nobody can be asked. Throws TRANSFORM_INVALID. */
export async function answered<T>(
  render: (ask: Ask | null) => T,
  session: Session | undefined,
  unanswered: Unanswered,
): Promise<T> {
  const answers: TemplateValue[] = []
  for (;;) {
    let next = 0
    const ask: Ask = (question, { place }) => {
      if (next >= answers.length) throw new Question(question, place)
      return answers[next++] ?? null
    }
    try {
      return render(ask)
    } catch (error) {
      if (!(error instanceof Question)) throw error
      if (session) answers.push(await error.answer(session))
      else if (unanswered === 'parse') return render(null)
      else throw unasked(error.place)
    }
  }
}

/** Whether the failure is that of `answered` where a warehouse was needed. */
export function needsWarehouse(error: unknown): boolean {
  return error instanceof PlinthError && error.details?.['needs'] === 'warehouse'
}

class Question extends Error {
  readonly question: Asked
  readonly place: Place
  constructor(question: Asked, place: Place) {
    super('a question to the warehouse')
    this.question = question
    this.place = place
  }

  /** What the warehouse refuses stands where it was asked. */
  async answer(session: Session): Promise<TemplateValue> {
    try {
      return await this.question(session)
    } catch (error) {
      if (!(error instanceof PlinthError) || !/^SQL_|^CONSTRAINT/.test(error.code)) throw error
      throw new PlinthError('TRANSFORM_INVALID', error.message, { at: this.place, hint: error.hint, cause: error })
    }
  }
}

function unasked(at: Place): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', 'This asks the warehouse, and here there is none to be asked.', {
    at,
    hint: 'Guard it with {% if execute %}, or leave it to `plinth rollup run` and `plinth check`, which have a warehouse.',
    details: { needs: 'warehouse' },
  })
}
