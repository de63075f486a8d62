/** Reports for other people's tools: each names the files as the repository does, from wherever lint was called, and holds whatever a name holds. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'

const odd = '1_a b, 100%: ü名#?&"<>\'.up.sql'
const files = {
  [`services/shop/m/${odd}`]: 'vacuum full t; vacuum full t;\nalter table t add column b serial;\n',
  [`services/shop/m/${odd.replace('.up.', '.down.')}`]: 'drop table t;\n',
  'elsewhere/2_b.up.sql': 'vacuum full t;\n',
  'elsewhere/2_b.down.sql': 'select 1;\n',
}

async function reportOf(root: string, format: string): Promise<string> {
  const cwd = join(root, 'services/shop')
  const { status, stdout } = await plinth(['lint', 'm', '../../elsewhere', '--no-rehearsal', '--format', format], {
    cwd,
  })
  expect(status).toBe(4)
  return stdout
}

function repository(): string {
  const root = temporaryFolder(files)
  spawnSync('git', ['init', '-q'], { cwd: root })
  return root
}

const inRepository = [
  `services/shop/m/${odd}`,
  `services/shop/m/${odd.replace('.up.', '.down.')}`,
  'elsewhere/2_b.up.sql',
]

interface Sarif {
  readonly runs: readonly {
    readonly artifacts: readonly { readonly location: { readonly uri: string } }[]
    readonly results: readonly {
      readonly ruleId: string
      readonly partialFingerprints: Readonly<Record<string, string>>
      readonly locations: readonly {
        readonly physicalLocation: { readonly artifactLocation: { readonly uri: string } }
      }[]
    }[]
  }[]
}

test('SARIF names files by URIs from the root of the repository, and each finding once', async () => {
  const [run] = (JSON.parse(await reportOf(repository(), 'sarif')) as Sarif).runs
  const uris = run?.results.map(one => one.locations[0]?.physicalLocation.artifactLocation.uri ?? '') ?? []
  for (const uri of uris) {
    expect(uri).not.toMatch(/[ #?%](?![0-9A-F]{2})|\\|^\//)
    expect(inRepository).toContain(decodeURIComponent(uri))
  }
  expect(new Set(run?.artifacts.map(({ location }) => location.uri))).toEqual(new Set(uris))
  const prints = run?.results.map(one => one.partialFingerprints['plinthFinding/v1'])
  expect(new Set(prints).size).toBe(prints?.length)
  expect(run?.results.filter(one => one.ruleId === 'lock-vacuum-full')).toHaveLength(3)
})

test('a file outside of the repository is named by its whole address', async () => {
  const root = temporaryFolder({ ...files, 'inner/readme': '' })
  const cwd = join(root, 'inner')
  spawnSync('git', ['init', '-q'], { cwd })
  const { stdout } = await plinth(['lint', '../elsewhere', '--no-rehearsal', '--format', 'sarif'], { cwd })
  const uri = (JSON.parse(stdout) as Sarif).runs[0]?.artifacts[0]?.location.uri ?? ''
  expect(existsSync(fileURLToPath(uri))).toBe(true)
})

test('GitLab gets paths as they are, and a fingerprint for each issue', async () => {
  const issues = JSON.parse(await reportOf(repository(), 'gitlab')) as readonly {
    readonly fingerprint: string
    readonly location: { readonly path: string; readonly lines: { readonly begin: number } }
  }[]
  for (const { location } of issues) expect(inRepository).toContain(location.path)
  expect(new Set(issues.map(one => one.fingerprint)).size).toBe(issues.length)
})

test('GitHub reads back what was meant from each annotation', async () => {
  const lines = (await reportOf(repository(), 'github')).trimEnd().split('\n')
  const read = (text: string) => decodeURIComponent(text.replace(/%(?!25|0D|0A|3A|2C)/g, '%25'))
  const told = lines.map(line => {
    const [, severity = '', properties = ''] = /^::(error|warning|notice) (.*?)::./.exec(line) ?? []
    return {
      severity,
      ...Object.fromEntries(
        properties.split(',').map(one => [one.split('=')[0], read(one.slice(one.indexOf('=') + 1))]),
      ),
    }
  }) as readonly { severity: string; file: string; title: string; line: string }[]
  for (const { severity, file } of told) {
    expect(severity).not.toBe('')
    expect(inRepository).toContain(file)
  }
  expect(told).toContainEqual(
    expect.objectContaining({ severity: 'error', title: 'rewrite-identity-column', line: '2' }),
  )
})

test('JUnit has a suite a file, and two findings of one line are two cases; nothing that its readers do not know', async () => {
  const text = await reportOf(repository(), 'junit')
  const names = [...text.matchAll(/<testcase name="([^"]+)" classname="([^"]+)"/g)].map(
    ([, name, file]) => `${file} ${name}`,
  )
  expect(new Set(names).size).toBe(names.length)
  expect(names.filter(name => name.includes('lock-vacuum-full at line 1'))).toHaveLength(3)
  const attributes = [...text.matchAll(/<testcase ([^>]*?)\/?>/g)].flatMap(([, all = '']) =>
    [...all.matchAll(/(\w+)="/g)].map(([, name]) => name),
  )
  expect(new Set(attributes)).toEqual(new Set(['name', 'classname']))
  expect(text).toContain('a b, 100%: ü名#?&amp;&quot;&lt;&gt;')
})

test('without findings each report is whole and empty', async () => {
  const root = temporaryFolder({ 'm/.keep': '' })
  const ask = async (format: string) =>
    (await plinth(['lint', 'm', '--no-rehearsal', '--format', format], { cwd: root })).stdout
  expect(JSON.parse(await ask('sarif'))).toMatchObject({ version: '2.1.0', runs: [{ results: [] }] })
  expect(JSON.parse(await ask('gitlab'))).toEqual([])
  expect(await ask('github')).toBe('')
  expect(await ask('junit')).toContain('tests="0" failures="0"')
})
