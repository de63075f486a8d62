/** Secrets in text: known by their form, or given to a column that is named after one. A value is never copied, only its place. */

export interface FoundSecret {
  /** What it is, such as "an access key of AWS". */
  readonly what: string
  readonly start: number
  readonly end: number
}

/** Every secret of a well-known form, also in comments and bodies of functions, in the order of the text. */
export function secretsIn(text: string): readonly FoundSecret[] {
  return forms
    .filter(([, marks]) => marks.some(mark => text.includes(mark)))
    .flatMap(([what, , form]) =>
      [...text.matchAll(form)]
        .filter(match => !/example|placeholder|xxxx|\*\*\*\*|0000000000/i.test(match[0]))
        .map(match => ({ what, start: match.index, end: match.index + match[0].length })),
    )
    .sort((a, b) => a.start - b.start || b.end - a.end)
    .filter((found, at, all) => !all.slice(0, at).some(one => one.end > found.start))
}

/** A value that protects nothing when it is read: a hash, an envelope, or nothing at all. */
export function isHarmless(value: string): boolean {
  return (
    value.trim().length < 4 ||
    /^(\$(2[abxy]?|argon2\w*|scrypt|5|6|pbkdf2[\w-]*)\$|pbkdf2|scrypt:|bcrypt|SCRAM-SHA-256\$|md5[0-9a-f]{32}$|\{[A-Z0-9-]+\})/i.test(
      value,
    ) ||
    /^(\\x)?[0-9a-f]{32,}$/i.test(value) ||
    /^([*x.]+|<.*>|\{\{.*\}\}|\$\{.*\}|%[sLI]|:\w+|null|none|unset|redacted|removed|disabled|locked|invalid|!)$/i.test(
      value,
    )
  )
}

/** The literal that follows, such as behind `password`; places are those of `text`. */
export function literalAfter(text: string, from: number): { readonly start: number; readonly end: number } | null {
  const match = /'(?:[^']|'')*'|(\$\w*\$)[\s\S]*?\1/.exec(text.slice(from))
  return match ? { start: from + match.index, end: from + match.index + match[0].length } : null
}

/** Every secret of a form has one of its marks, which is faster to look for. */
const forms: readonly (readonly [what: string, marks: readonly string[], form: RegExp])[] = [
  ['an access key of AWS', ['AKIA', 'ASIA'], /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g],
  [
    'a token of GitHub',
    ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})\b/g,
  ],
  ['a token of GitLab', ['glpat-', 'glptt-', 'gldt-', 'glrt-'], /\bgl(?:pat|ptt|dt|rt)-[A-Za-z0-9_-]{20,}/g],
  ['a token of Slack', ['xox'], /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g],
  ['a webhook of Slack', ['hooks.slack.com'], /https:\/\/hooks\.slack\.com\/services\/T\w+\/B\w+\/\w{16,}/g],
  ['a key of Stripe', ['k_live_', 'k_test_'], /\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}/g],
  ['a key of Google', ['AIza'], /\bAIza[0-9A-Za-z_-]{35}/g],
  ['a key of SendGrid', ['SG.'], /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/g],
  ['a key of a model provider', ['sk-'], /\bsk-(?:proj-|ant-|svcacct-|or-)?[A-Za-z0-9][A-Za-z0-9_-]{30,}/g],
  ['a token of npm', ['npm_'], /\bnpm_[A-Za-z0-9]{36}\b/g],
  ['a key of Twilio', ['SK'], /\bSK[0-9a-f]{32}\b/g],
  ['a private key', ['PRIVATE KEY'], /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/g],
  ['a signed token (JWT)', ['eyJ'], /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g],
  [
    'a URL with a password',
    ['://'],
    /\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|redis|rediss|amqps?|https?|ftp|smtps?):\/\/[^\s:/@'"]+:(?![$%{<])[^\s:/@'"]{3,}@[\w.-]+/g,
  ],
]
