/** What a database holds beside tables, views, types and routines, in a form that serves all kinds: each is told by the statement that makes it. */

/** A composite or range type, a rule, an operator, a publication, … */
export interface Other {
  /** Such as `rule` or `foreign table`; differences name an object by kind and name. */
  readonly kind: string
  /** Null for what belongs to the database as a whole, such as a publication. */
  readonly schema: string | null
  /** With its schema and table, and with what tells overloads apart, such as `shop.===(integer, integer)`. */
  readonly name: string
  /** Qualified name of the relation that it hangs on, or null. */
  readonly table: string | null
  /** As COMMENT ON and DROP name it, quoted. */
  readonly target: string
  /** The statement that makes it; empty where nothing but its being there is known, such as for a subscription, whose connection is a secret. */
  readonly definition: string
  /** Null also where the schema's list of comments has it. */
  readonly comment: string | null
}

/** A property that is set and unset by a statement of its own, and is not as it is by default; of one of the others, or of a table, column, index … */
export interface Setting {
  /** As differences name it, such as `column shop.goods.name`. */
  readonly object: string
  /** Such as `storage`, `attribute street` or `table shop.goods`. */
  readonly property: string
  /** Qualified name of the relation that it belongs to, or null. */
  readonly table: string | null
  readonly value: string
  readonly make: string
  /** Empty where the statement that makes another value is enough. */
  readonly undo: string
}
