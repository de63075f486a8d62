/** The corpus: every statement does what its label says, the rehearsal foresaw what a target with rows then did, and lint says what the label says. */
import { describe, expect, inject, test } from 'vitest'
import { readStories } from '../support/corpus.ts'
import {
  executeStory,
  foreseen,
  judgeStory,
  rehearseStory,
  seenLabels,
  untilRefusedByRows,
} from '../support/corpus-runs.ts'
import { emptyDatabase } from '../support/database.ts'

const stories = readStories()

test('the corpus is large, and a third of it is harmless', () => {
  const labels = stories.flatMap(story => story.steps.flatMap(step => step.labels))
  expect(stories.length).toBeGreaterThanOrEqual(40)
  expect(labels.length).toBeGreaterThanOrEqual(250)
  expect(labels.filter(one => one.finds.length === 0).length).toBeGreaterThanOrEqual(labels.length / 3)
  expect(stories.filter(one => one.before.trim() === '' || one.steps.length === 0)).toEqual([])
})

describe.each(stories.map(story => [story.name, story] as const))('%s', (_, story) => {
  test('does on a target what its labels and its rehearsal say, and lint knows', async () => {
    const rehearsal = await rehearseStory(story, inject('serverUrl'))
    expect(rehearsal.gaps.filter(gap => !gap.includes('a block or a procedure'))).toEqual([])
    const observed = await executeStory(story, (await emptyDatabase()).url)
    expect(foreseen(untilRefusedByRows(rehearsal.steps, observed))).toEqual(foreseen(observed))
    const report = await judgeStory(story, rehearsal)
    expect(await seenLabels(story, observed, report)).toEqual(story.steps.map(step => step.labels))
  })
})
