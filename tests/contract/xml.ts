/** Reads SVG strictly enough to tell whether a browser would: every tag closed in order, every attribute quoted, every entity known. */
export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: Element[]
  text: string
}

export function parseXml(source: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' }
  const open = [root]
  let rest = source.replace(/^<\?xml [^?]*\?>\n/, '').replace(/<!--(?:(?!--)[\s\S])*-->/g, '')
  while (rest !== '') {
    const parent = open.at(-1)
    if (!parent) throw new Error('A tag is closed that was not opened.')
    const text = /^[^<]+/.exec(rest)?.[0]
    if (text !== undefined) {
      parent.text += decoded(text)
      rest = rest.slice(text.length)
      continue
    }
    const closing = /^<\/([a-zA-Z]+)>/.exec(rest)
    if (closing) {
      if (closing[1] !== parent.name) throw new Error(`<${parent.name}> is closed by </${closing[1]}>.`)
      open.pop()
      rest = rest.slice(closing[0].length)
      continue
    }
    const tag = /^<([a-zA-Z]+)((?: [a-zA-Z:-]+="[^"<]*")*)(\/?)>/.exec(rest)
    if (!tag) throw new Error(`Not a tag: ${rest.slice(0, 60)}`)
    const attributes = Object.fromEntries(
      Array.from((tag[2] ?? '').matchAll(/ ([a-zA-Z:-]+)="([^"]*)"/g), ([, name = '', value = '']) => [
        name,
        decoded(value),
      ]),
    )
    const element: Element = { name: tag[1] ?? '', attributes, children: [], text: '' }
    parent.children.push(element)
    if (tag[3] === '') open.push(element)
    rest = rest.slice(tag[0].length)
  }
  if (open.length !== 1) throw new Error(`<${open.at(-1)?.name}> is not closed.`)
  const [svg] = root.children
  if (!svg || root.children.length !== 1) throw new Error('There must be exactly one root.')
  return svg
}

/** All elements, outermost first, with the translation that holds for them. */
export function walk(
  element: Element,
  x = 0,
  y = 0,
): readonly { readonly element: Element; readonly x: number; readonly y: number }[] {
  const [, dx = '0', dy = '0'] =
    /^translate\((-?[\d.]+) (-?[\d.]+)\)$/.exec(element.attributes['transform'] ?? '') ?? []
  const [left, top] = [x + Number(dx), y + Number(dy)]
  return [{ element, x: left, y: top }, ...element.children.flatMap(child => walk(child, left, top))]
}

function decoded(text: string): string {
  if (/&(?!amp;|lt;|gt;|quot;)/.test(text)) throw new Error(`An entity is not known in: ${text}`)
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&')
}
