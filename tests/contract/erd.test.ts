import { describe, expect, test } from 'vitest'
import { renderMermaid } from '../../src/contract/erd/mermaid.ts'
import { firstSentence, type Picture, pictureOf, shortType } from '../../src/contract/erd/picture.ts'
import { renderPlantUml } from '../../src/contract/erd/plantuml.ts'
import { renderSvg } from '../../src/contract/erd/svg.ts'
import { type Face, textWidth } from '../../src/contract/erd/text.ts'
import { tenancyOf } from '../../src/contract/tenancy.ts'
import type { Schema } from '../../src/schema/model.ts'
import { expectGolden } from '../support/golden.ts'
import { foreignKey, index, schemaOf, shop, shopClassOf, table } from './fixtures.ts'
import { parseXml, walk } from './xml.ts'

const unclassified = (): undefined => undefined

function draw(schema: Schema, classOf = shopClassOf): Picture {
  return pictureOf({ title: 'The shop', schema, classOf, tenantOf: tenancyOf([schema]) })
}

describe('the picture', () => {
  const picture = draw(shop)
  const relation = (name: string, child: string) =>
    picture.relations.find(one => one.name === name && one.child === child)

  test('folds partitions into their table and sorts by name', () => {
    expect(picture.entities.map(entity => entity.id)).toEqual([
      'shop.Odd "names"',
      'shop.addresses',
      'shop.customers',
      'shop.orders',
      'shop.shops',
    ])
    expect(JSON.stringify(picture)).not.toContain('2026w01')
    expect(picture.entities.find(entity => entity.name === 'orders')).toMatchObject({
      partitioned: 'range (ordered_at)',
      rowSecurity: true,
    })
  })

  test('counts both ends: null means no parent is needed, a unique key means at most one child', () => {
    expect(relation('shop_id_fkey', 'shop.customers')).toMatchObject({
      childCount: 'zero or many',
      parentCount: 'exactly one',
    })
    expect(relation('shop_id_customer_id_fkey', 'shop.orders')).toMatchObject({
      childCount: 'zero or many',
      parentCount: 'zero or one',
      childAnchor: 'customer_id',
      parentAnchor: 'id',
    })
    expect(relation('shop_id_customer_id_fkey', 'shop.addresses')).toMatchObject({
      childCount: 'zero or one',
      parentCount: 'exactly one',
    })
  })

  test('a partial, invalid or computed unique index does not make a relation one to one', () => {
    const unique = { unique: true, definition: 'CREATE UNIQUE INDEX i ON a.child USING btree (parent_id)' }
    const childCount = (parts: object) =>
      draw(
        schemaOf({
          tables: [
            table('a.parent', ['id uuid']),
            table('a.child', ['id uuid', 'parent_id uuid'], {
              foreignKeys: [foreignKey('parent_id', 'a.parent')],
              indexes: [index('i', 'parent_id', { ...unique, ...parts })],
            }),
          ],
        }),
      ).relations[0]?.childCount
    expect(childCount({})).toBe('zero or one')
    expect(childCount({ predicate: '(id IS NOT NULL)' })).toBe('zero or many')
    expect(childCount({ valid: false })).toBe('zero or many')
    expect(childCount({ definition: 'CREATE UNIQUE INDEX i ON a.child USING btree (parent_id, lower(note))' })).toBe(
      'zero or many',
    )
  })

  test('knows the tenant key from the policies, also of the table of tenants itself', () => {
    const tenants = picture.entities.flatMap(entity =>
      entity.columns.filter(column => column.tenant).map(column => `${entity.name}.${column.name}`),
    )
    expect(tenants).toEqual(['addresses.shop_id', 'customers.shop_id', 'orders.shop_id', 'shops.id'])
  })

  test('a project without policies may name the tenant key itself', () => {
    const schema = schemaOf({
      tables: [table('raw.events', ['id uuid', 'org uuid']), table('raw.settings', ['id uuid'])],
    })
    const [events, settings] = schema.tables
    expect(events && tenancyOf([schema], 'org')(events)).toBe('org')
    expect(settings && tenancyOf([schema], 'org')(settings)).toBeNull()
    expect(events && tenancyOf([schema])(events)).toBeNull()
  })

  test('a relation to a table that is not in the schema is left out', () => {
    expect(
      draw(schemaOf({ tables: [table('a.child', ['id uuid'], { foreignKeys: [foreignKey('id', 'other.parent')] })] }))
        .relations,
    ).toEqual([])
  })

  test('spells types short and takes the first sentence of a comment', () => {
    expect(
      [
        'timestamp with time zone',
        'timestamp(3) with time zone[]',
        'character varying(40)',
        'double precision',
        'numeric(12,6)',
      ].map(shortType),
    ).toEqual(['timestamptz', 'timestamptz(3)[]', 'varchar(40)', 'double', 'numeric(12,6)'])
    expect(firstSentence('Version 1.5 of it.\nMore.')).toBe('Version 1.5 of it.')
    expect(firstSentence(null)).toBe('')
  })
})

describe('diagram languages', () => {
  test('Mermaid, as kept', () => {
    const [whole, ...parts] = renderMermaid(draw(shop))
    expect(parts).toEqual([])
    expectGolden('contract/shop.mmd', whole?.text ?? '')
  })

  test('PlantUML, as kept', () => {
    expectGolden('contract/shop.puml', renderPlantUml(draw(shop)))
  })

  test('every line of Mermaid is one that its grammar knows', () => {
    for (const { text } of [...renderMermaid(draw(shop)), ...renderMermaid(many(90))])
      expect(text.split('\n').filter(line => !mermaidLine.test(line))).toEqual([])
  })

  test('names that become the same identifier stay apart', () => {
    const [whole] = renderMermaid(
      draw(schemaOf({ tables: [table('a.b_c', ['x.y int', 'x_y int']), table('a_b.c', ['id int'])] })),
    )
    expect(whole?.text).toContain('a_b_c["a.b_c"]')
    expect(whole?.text).toContain('a_b_c_2["a_b.c"]')
    expect(whole?.text).toContain('int x_y_2 "x_y"')
  })

  test('a large picture is cut in parts that hold every table once, below the limit of characters', () => {
    const picture = many(90)
    const [overview, ...parts] = renderMermaid(picture)
    expect(parts.map(({ part }) => part)).toEqual(['1', '2', '3'])
    expect(overview?.text).not.toContain('{\n')
    const detailed = parts.flatMap(({ text }) => Array.from(text.matchAll(/\["(.+)"\] \{/g), ([, name]) => name))
    expect(detailed).toHaveLength(picture.entities.length)
    expect(new Set(detailed)).toEqual(new Set(picture.entities.map(entity => entity.id)))
    for (const { text } of parts) expect(text.length).toBeLessThan(50_000)
  })

  test('few tables of very many columns are cut by characters', () => {
    const wide = Array.from({ length: 20 }, (_, number) =>
      table(
        `a.t${number}`,
        Array.from({ length: 200 }, (_, column) => `a_column_with_a_long_name_${column} text?`),
      ),
    )
    const parts = renderMermaid(draw(schemaOf({ tables: wide }), unclassified))
    expect(parts.length).toBeGreaterThan(2)
    for (const { text } of parts) expect(text.length).toBeLessThan(50_000)
  })
})

describe('SVG', () => {
  test('as kept', async () => {
    expectGolden('contract/shop.svg', await renderSvg(draw(shop)))
  })

  const long = 'a_name_that_goes_on_and_on_until_postgresql_would_cut_it_off_at63'
  const pictures: Readonly<Record<string, Picture>> = {
    'the shop': draw(shop),
    'no table': draw(schemaOf({})),
    'one table': draw(schemaOf({ tables: [table('a.b', ['id int'])] }), unclassified),
    'a table without columns': draw(schemaOf({ tables: [table('a.b', [])] })),
    'long names': draw(
      schemaOf({
        tables: [
          table(`${long}.${long}`, ['id int', `${long} ${long}?`]),
          table('a.WIDE_WWWW_MMMM', [`WWWWWWWWWWWWWWWWWWWWWWWW 表表表表表表表表?`], {
            foreignKeys: [foreignKey('WWWWWWWWWWWWWWWWWWWWWWWW', `${long}.${long}`)],
          }),
        ],
      }),
    ),
    'ninety tables': many(90),
    'a table that points to itself twice': draw(
      schemaOf({
        tables: [
          table('a.tree', ['id int', 'up int?', 'root int'], {
            foreignKeys: [foreignKey('up', 'a.tree'), foreignKey('root', 'a.tree')],
          }),
        ],
      }),
    ),
    'a circle over two schemas': draw(
      schemaOf({
        tables: [
          table('a.x', ['id int', 'y int'], { foreignKeys: [foreignKey('y', 'b.y')] }),
          table('b.y', ['id int', 'z int'], { foreignKeys: [foreignKey('z', 'b.z')] }),
          table('b.z', ['id int', 'x int'], { foreignKeys: [foreignKey('x', 'a.x')] }),
          table('c.alone', ['id int']),
        ],
      }),
    ),
    'many that point to one': draw(
      schemaOf({
        tables: [
          table('a.hub', ['id int']),
          ...Array.from({ length: 30 }, (_, number) =>
            table(`a.leaf_${number}`, ['id int', 'hub int'], { foreignKeys: [foreignKey('hub', 'a.hub')] }),
          ),
        ],
      }),
    ),
    'markup in names': draw(schemaOf({ tables: [table('a.<b>&"c"', ['</text> text', 'a\u0007b int'])] })),
  }

  test.each(Object.entries(pictures))('%s: well-formed, nothing overflows or overlaps', async (_, picture) => {
    const svg = parseXml(await renderSvg(picture))
    const [width, height] = [Number(svg.attributes['width']), Number(svg.attributes['height'])]
    expect(svg.attributes).toMatchObject({ role: 'img', 'aria-labelledby': 'title description' })
    const cards = cardsIn(svg)
    expect(cards).toHaveLength(picture.entities.length)
    for (const card of cards) {
      expect(card.x >= 0 && card.y >= 0 && card.x + card.width <= width && card.y + card.height <= height).toBe(true)
      for (const text of card.texts)
        expect(text.start >= card.x && text.end <= card.x + card.width, `"${text.text}" overflows its card`).toBe(true)
    }
    for (const [number, a] of cards.entries()) {
      for (const b of cards.slice(number + 1))
        expect(
          a.x + a.width < b.x || b.x + b.width < a.x || a.y + a.height < b.y || b.y + b.height < a.y,
          'two cards overlap',
        ).toBe(true)
    }
    for (const text of textsIn(walk(svg)))
      expect(text.start >= 0 && text.end <= width, `"${text.text}" leaves the picture`).toBe(true)
    for (const point of pointsIn(svg))
      expect(point.x >= 0 && point.x <= width && point.y >= 0 && point.y <= height, 'a line leaves the picture').toBe(
        true,
      )
  })

  test('texts of a row never touch each other', async () => {
    for (const card of Object.values(pictures)) {
      for (const { texts } of cardsIn(parseXml(await renderSvg(card)))) {
        for (const [number, a] of texts.entries()) {
          for (const b of texts.slice(number + 1))
            expect(a.y !== b.y || a.end <= b.start || b.end <= a.start, `"${a.text}" touches "${b.text}"`).toBe(true)
        }
      }
    }
  })

  test('every relation is drawn as a line or told in its row', async () => {
    const hub = pictures['many that point to one']
    const svg = await renderSvg(hub ?? draw(shop))
    expect(svg.match(/→ hub<\/text>/g)).toHaveLength(30)
    const shopSvg = await renderSvg(draw(shop))
    expect(shopSvg.match(/_fkey: /g)).toHaveLength(draw(shop).relations.length)
  })

  test('has no script, link, font or other thing to load', async () => {
    expect(await renderSvg(draw(shop))).not.toMatch(/<script|href|url\(|@import|https?:\/\/(?!www\.w3\.org\/2000\/svg)/)
  })

  test('sixty unrelated tables have the shape of a screen', async () => {
    const tables = Array.from({ length: 60 }, (_, number) =>
      table(
        `a.t${number}`,
        Array.from({ length: 1 + ((number * 7) % 12) }, (_, column) => `c${column} int`),
      ),
    )
    const { attributes } = parseXml(await renderSvg(draw(schemaOf({ tables }))))
    const ratio = Number(attributes['width']) / Number(attributes['height'])
    expect(ratio).toBeGreaterThan(1)
    expect(ratio).toBeLessThan(2.5)
  })
})

/** Tables in a tree, as a service grows them. */
function many(count: number): Picture {
  const tables = Array.from({ length: count }, (_, number) => {
    const parent = Math.floor(number / 3)
    const points = number > 0 && number % 4 !== 0
    const fields = Array.from({ length: (number * 5) % 9 }, (_, field) => `field_${field} text?`)
    return table(
      `app.t${String(number).padStart(3, '0')}`,
      ['id uuid', ...(points ? ['parent_id uuid'] : []), ...fields],
      {
        foreignKeys: points ? [foreignKey('parent_id', `app.t${String(parent).padStart(3, '0')}`)] : [],
      },
    )
  })
  return draw(schemaOf({ tables }))
}

const word = '[A-Za-z_][A-Za-z0-9_]*'
const mermaidLine = new RegExp(
  [
    '^$',
    '^%% .*$',
    '^erDiagram$',
    '^ {2}accTitle: [^\\n]+$',
    `^ {2}${word}\\["[^"]+"\\]( \\{)?$`,
    '^ {2}\\}$',
    `^ {4}[A-Za-z_][A-Za-z0-9_()[\\]-]* ${word}( (PK|FK|UK)(, (PK|FK|UK))*)?( "[^"]+")?$`,
    `^ {2}${word} (\\|\\||\\|o)--(o\\{|o\\|) ${word} : "[^"]+"$`,
  ].join('|'),
)

interface Text {
  readonly text: string
  readonly y: number
  readonly start: number
  readonly end: number
}

function textsIn(elements: ReturnType<typeof walk>): readonly Text[] {
  return elements
    .filter(({ element }) => element.name === 'text')
    .map(({ element: { attributes, text }, x, y }) => {
      const face: Face = attributes['class'] === 'm' ? 'mono' : attributes['font-weight'] ? 'bold' : 'regular'
      const width = textWidth(text, Number(attributes['font-size']), face)
      const at = x + Number(attributes['x'])
      const start = { start: at, middle: at - width / 2, end: at - width }[attributes['text-anchor'] ?? 'start'] ?? at
      return {
        text,
        y: Math.round(y + Number(attributes['y'])),
        start: Math.round(start),
        end: Math.floor(start + width),
      }
    })
}

/** A card is a group whose first drawn child is its rectangle. */
function cardsIn(svg: ReturnType<typeof parseXml>) {
  return walk(svg).flatMap(({ element, x, y }) => {
    const [title, rect] = element.children
    if (element.name !== 'g' || title?.name !== 'title' || rect?.name !== 'rect' || rect.attributes['rx'] !== '8')
      return []
    const size = { width: Number(rect.attributes['width']), height: Number(rect.attributes['height']) }
    const inside = element.children.flatMap(child => walk(child, x, y))
    return [{ x, y, ...size, texts: textsIn(inside) }]
  })
}

function pointsIn(svg: ReturnType<typeof parseXml>): readonly { readonly x: number; readonly y: number }[] {
  return walk(svg).flatMap(({ element, x, y }) => {
    const d = element.attributes['d'] ?? ''
    if (element.name !== 'path' || !d.includes('C')) return []
    return Array.from(d.matchAll(/(-?[\d.]+) (-?[\d.]+)/g), ([, px, py]) => ({ x: x + Number(px), y: y + Number(py) }))
  })
}
