/** Colours of the diagrams: readable on a light ground and told apart by readers who see red and green alike. */
import type { DataClass } from '../../schema/classification.ts'

export const classColours: Readonly<Record<DataClass, string>> = {
  public: '#94a3b8',
  internal: '#2b7fc3',
  confidential: '#e0920c',
  restricted: '#c0264b',
}

/** Header bands, one for each schema in turn. */
export const bands = ['#26415e', '#3d4f2f', '#553a63', '#6b4226', '#1f5a5a', '#5c2f3f'] as const

export const ink = {
  ground: '#f6f8fb',
  card: '#ffffff',
  border: '#c3cedb',
  rule: '#e9eef4',
  text: '#1c2733',
  muted: '#66758a',
  tenant: '#e9f4f2',
  tenantMark: '#12807a',
  primary: '#8a6100',
  foreign: '#3d6293',
  line: '#6d7f95',
  frame: '#dbe3ec',
} as const
