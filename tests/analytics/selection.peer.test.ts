import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadProject } from '../../src/analytics/project/load.ts'
import { type GraphNode, nodesOf } from '../../src/analytics/project/nodes.ts'
import { selectNodes } from '../../src/analytics/project/select.ts'
import { readSelectors } from '../../src/analytics/project/selectors.ts'
import { PlinthError } from '../../src/errors.ts'
import { dbt, dbtList, withoutDbt } from '../support/dbt.ts'

/** Each is selected by both. */
const criteria = `
orders +orders 1+orders stg_orders+ stg_orders+1 2+orders+1 @items @stg_refunds
tag:nightly tag:night* tag:nightly,tag:finance tag:landing tag:big+ tag:slow tag:shown tag:static
path:models/marts path:models/marts/ path:models/* path:models/*.sql path:models/**/*.sql path:models/marts/marts.yml path:models
path:models/marts/orders.sql path:seeds path:snapshots path:tests path:tools/models path:models/sources.yml path:seeds/seeds.yml
models/staging/stg_orders.sql ./models/staging path:snapshots/more.yml path:tests/orders_have_items.sql path:models/inner
stg_orders.sql codes.csv file:stg_orders file:stg_* file:marts.yml file:marts file:codes file:kept file:sources
staging market.marts market.marts.* market.staging.stg_orders marts.orders o*s *orders stg_* staging.stg_* *_orders market tools
tools.* tools.inner inner.borrowed * market.*orders or?ers *.or?ers *.[io]* *.[!io]* unique_orders_id orders_have_items
orders_add_up marts.orders.orders_add_up top board codes orders_kept kept.orders_kept kept items_kept prices prices.v1 prices_v1
prices.v* marts.prices marts.prices.v2 prices_* relationships_items_id__id__ref_orders_ source_not_null_raw_orders_id raw raw.orders
source:raw source:raw.orders source:raw* source:* source:market.raw.orders source:tools.shed.spades source:tools.shed.*
source:*.orders source:*.*.orders source:raw.*+ source:tools.shed.spades+ +source:raw source:a.b.c.d
config.materialized:table config.materialized:view config.materialized:ephemeral config.materialized:seed config.materialized:test
config.materialized:snapshot config.materialized:t* config.severity:warn config.severity:ERROR config.schema:extra
config.schema:main config.tags:nightly config.meta.owner:ann config.meta.tiers:gold config.enabled:true config.enabled:false
config.strategy:check config.unique_key:id config.group:money config.access:public config.check_cols:id
config.target_schema:kept config.on_schema_change:ignore config.contract.enforced:false config.nosuch:x
resource_type:model resource_type:test resource_type:source resource_type:seed resource_type:snapshot resource_type:analysis
resource_type:exposure resource_type:unit_test resource_type:metric resource_type:m* orders,resource_type:model
+orders,resource_type:source test_type:generic test_type:singular test_type:unit test_type:data test_type:schema test_type:x
test_name:unique test_name:not_* test_name:orders_add_up orders,test_type:generic +test_name:relationships
unit_test:orders_add_up unit_test:orders* unit_test:market.orders_add_up package:market package:tools package:this package:t*
group:money group:m* group:nosuch access:public access:protected access:private access:p* version:latest version:old
version:prerelease version:none version:x exposure:board +exposure:board exposure:* exposure:market.board
exposure:tools.shed_board exposure:tools.* exposure:a.b.c fqn:orders fqn:market.marts orders+,tag:nightly +items,+orders
stg_orders+,tag:finance 1+orders+1,tag:nightly nosuch tag:nosuch @orders+ bogus:x orders++ selector:plain selector:mixed
selector:plain,tag:finance +selector:pair selector:nosuch state:modified result:error source_status:fresher+`

const several = [
  ['--select', 'tag:finance tag:staging'],
  ['--select', 'stg_orders+,tag:finance items'],
  ['--select', '+orders', '--exclude', 'stg_orders'],
  ['--select', 'tag:nightly', '--exclude', 'tag:finance'],
  ['--select', '*', '--exclude', 'resource_type:test'],
  ['--select', 'orders', '--exclude', 'test_type:generic'],
  ['--select', 'market', '--exclude', 'path:models/marts'],
  ['--select', 'orders items', '--exclude', 'test_name:relationships'],
  ['--select', '*', '--exclude', 'source:raw+'],
  ['--exclude', 'resource_type:model'],
  ['--exclude', '+orders'],
  ...'plain pair grown careful buildable bare at mixed both_careful inherits less'
    .split(' ')
    .map(name => ['--selector', name]),
]

test.skipIf(withoutDbt)(
  `a selection finds what dbt finds${withoutDbt ? `: ${withoutDbt}` : ''}`,
  async () => {
    const root = mkdtempSync(join(tmpdir(), 'plinth-market-'))
    onTestFinished(() => rmSync(root, { recursive: true, force: true }))
    const folder = join(root, 'market')
    cpSync(join(import.meta.dirname, 'market'), folder, { recursive: true })
    expect(await dbt(folder, ['deps'], {})).toMatchObject({ status: 0 })
    const all = [
      ...criteria
        .trim()
        .split(/\s+/)
        .map(one => ['--select', one]),
      ...several,
    ]
    const theirs = await dbtList(folder, all)
    const nodes = nodesOf(await loadProject(folder, { root: folder }))
    const { named } = await readSelectors(folder, folder)
    const ours = all.map(words => listed(nodes, words, named))
    const both = all.map((words, index) => [words.join(' '), theirs[index] ?? []] as const)
    expect(Object.fromEntries(all.map((words, index) => [words.join(' '), ours[index]]))).toEqual(
      Object.fromEntries(both),
    )
  },
  120_000,
)

/** Nothing where it is refused, as what nothing answers is. */
function listed(
  nodes: readonly GraphNode[],
  words: readonly string[],
  named: Awaited<ReturnType<typeof readSelectors>>['named'],
): string[] {
  const given = (flag: string) => (words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined)
  const selector = given('--selector')
  const request = { select: given('--select'), exclude: given('--exclude') }
  try {
    const found = selectNodes(nodes, request, selector === undefined ? null : named(selector), named)
    return found.map(({ kind, name, address }) => `${kind}.${kind === 'test' ? address.at(-1) : name}`).sort()
  } catch (error) {
    if (error instanceof PlinthError && error.code === 'USAGE') return []
    throw error
  }
}
