/** The contract of a project: what the migrations make, with the class of each column. */
import { existsSync } from 'node:fs'
import type { ContractTrack } from '../contract/contract.ts'
import type { DocumentReport, WrittenDocument } from '../contract/files.ts'
import type { ClassificationFinding } from '../governance/check-classification.ts'
import type { Schema } from '../schema/model.ts'
import { type Desk, scratchPlaceOf } from './desk.ts'
import { folderOf } from './folder.ts'

export async function generateDocuments(desk: Desk): Promise<readonly WrittenDocument[]> {
  const { writeContract } = await import('../contract/files.ts')
  const written = await writeContract(desk.config.docs, await renderDocuments(desk))
  for (const { file, change } of written) desk.emit({ type: 'document.written', file, changed: change !== 'unchanged' })
  return written
}

export async function checkDocuments(desk: Desk): Promise<readonly DocumentReport[]> {
  const { checkContract } = await import('../contract/files.ts')
  return checkContract(desk.config.docs, await renderDocuments(desk))
}

/** The same as `checkClasses`; null for a project that says nothing of classes. */
export async function checkClassesIfAny(desk: Desk): Promise<readonly ClassificationFinding[] | null> {
  const { classification, origins } = desk.config
  return existsSync(classification) || origins.get('classification') !== 'default' ? checkClasses(desk) : null
}

/** Columns without a class, classes without a column, and contradictions. Throws FILE_UNREADABLE without a file that says them. */
export async function checkClasses(desk: Desk): Promise<readonly ClassificationFinding[]> {
  const { loadClassification } = await import('../governance/classification.ts')
  const { checkClassification } = await import('../governance/check-classification.ts')
  const classification = await loadClassification(desk.config.classification)
  const catalogs = await catalogsOf(desk)
  return checkClassification(
    classification,
    catalogs.map(({ schema }) => schema),
  )
}

async function renderDocuments(desk: Desk): Promise<ReadonlyMap<string, string>> {
  const { renderContract } = await import('../contract/render.ts')
  const { classOfColumns, loadClassificationIfAny } = await import('../governance/classification.ts')
  const classOf = classOfColumns(await loadClassificationIfAny(desk.config.classification))
  const catalogs = await catalogsOf(desk)
  const tracks: ContractTrack[] = catalogs.map(({ name, schema }) => ({ name, schema, classOf }))
  return renderContract({ project: { name: desk.config.project }, tracks })
}

async function catalogsOf(desk: Desk): Promise<{ readonly name: string; readonly schema: Schema }[]> {
  const { catalogOf } = await import('../migrations/catalog.ts')
  return Promise.all(
    desk.config.everyTrack.map(async track => {
      const place = await scratchPlaceOf(desk, track)
      const { actor, signal } = desk
      return {
        name: track.name,
        schema: await catalogOf({
          ...place,
          track: track.name,
          folder: await folderOf(desk.config, track),
          actor,
          signal,
        }),
      }
    }),
  )
}
