/** What a server quotes from a row or a file stays out of our messages, whatever language it speaks. */
import { describe, expect, test } from 'vitest'
import { translate } from '../../src/engines/postgres/failure.ts'

function told(code: string, message: string): { readonly code: string; readonly message: string } {
  const thrown = Object.assign(new Error(message), { code, severity: 'ERROR' })
  return translate(thrown, { address: 'host:5432/db', phase: 'work' })
}

describe('values that a message quotes', () => {
  test.each([
    ['English', 'invalid input syntax for type integer: "my secret"'],
    ['German', 'ungültige Eingabesyntax für Typ integer: »my secret«'],
    ['French', 'syntaxe en entrée invalide pour le type integer : « my secret »'],
    ['Spanish', 'la sintaxis de entrada no es válida para tipo integer: «my secret»'],
    ['Swedish', 'ogiltig indatasyntax för typ integer: "my secret"'],
    ['Japanese', 'integer型の入力構文が不正です: "my secret"'],
    ['Japanese, with its own marks', '型integerの値「my secret」は範囲外です'],
    ['Russian', 'неверный синтаксис для типа integer: "my secret"'],
    ['Polish', 'nieprawidłowa składnia wejścia dla typu integer: „my secret”'],
  ])('%s', (_language, message) => {
    expect(told('22P02', message).message).not.toContain('secret')
    expect(told('22P02', message).message).toMatch(/integer/i)
  })

  test.each([
    ['English', `syntax error at or near "'my secret'"`],
    ['German', `Syntaxfehler bei »'my secret'«`],
    ['French', `erreur de syntaxe sur ou près de « 'my secret' »`],
    ['Spanish', `error de sintaxis en o cerca de «'my secret'»`],
  ])('of a statement that is none, %s', (_language, message) => {
    expect(told('42601', message).message).not.toContain('secret')
  })

  test('a word of the statement is named, and so are objects', () => {
    expect(told('42601', 'Syntaxfehler bei »selekt«')).toMatchObject({ message: 'Syntaxfehler bei »selekt«.' })
    expect(told('42601', 'syntax error at or near "selekt"').message).toContain('"selekt"')
    expect(told('42P01', 'Relation »orders« existiert nicht').message).toContain('»orders«')
  })
})

test('a copy that got no rows is told from a timeout in any language', () => {
  expect(told('57014', 'COPY vom STDIN fehlgeschlagen: COPY-Abbruch')).toMatchObject({ code: 'SQL_UNSUPPORTED' })
  expect(told('57014', 'storniere Anfrage wegen Zeitüberschreitung der Anfrage')).toMatchObject({
    code: 'STATEMENT_TIMEOUT',
  })
})
