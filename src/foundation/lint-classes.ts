/** Which columns are classified, for lint. */
import type { ClassOf } from '../schema/classification.ts'

/** `file` is null where nothing is declared. Throws what reading the file throws. */
export async function classesIn(file: string | null): Promise<ClassOf> {
  if (file === null) return () => undefined
  const { classOfColumns, loadClassification } = await import('../governance/classification.ts')
  return classOfColumns(await loadClassification(file))
}
