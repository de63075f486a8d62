/** What names say. */

/** The words of a name, in lower case: `apiToken_2` is `api` and `token`. */
export function wordsOf(name: string): readonly string[] {
  const known = words.get(name)
  if (known) return known
  if (words.size > 10_000) words.clear()
  const split = splitName(name)
  words.set(name, split)
  return split
}

/** Columns are called alike everywhere, and many rules ask each of them. */
const words = new Map<string, readonly string[]>()

function splitName(name: string): readonly string[] {
  return name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter(Boolean)
}

/** A table whose rows tell what happened, such as `audit_log`; `login_attempts` and `catalog` are none. */
export function keepsHistory(table: string): boolean {
  const words = wordsOf(table)
  return (
    words.some(word => /^(audit|audits|auditlog|ledger|journal)$/.test(word)) ||
    /(^|_)(event|audit|activity|access)_logs?$/.test(table)
  )
}

/** Text types, which can hold a value as it is. */
export function isText(type: string): boolean {
  return /^(text|character|citext|public\.citext|"char"|name)\b/.test(type)
}

/** What a column of text seems to hold, if it does not seem to be protected; ids, kinds and times of a secret are no secrets. */
export function soundsSecret({
  name,
  type,
}: {
  readonly name: string
  readonly type: string
}): 'password' | 'secret' | null {
  if (!isText(type)) return null
  const words = wordsOf(name)
  const last = words.at(-1) ?? ''
  if (words.some(word => guarded.has(word)) || about.has(last)) return null
  const joined = words.join('')
  if (words.some(word => passwords.has(word)) || /(passwords?|passwd|passphrase)$/.test(joined)) return 'password'
  if (secrets.some(pattern => pattern.test(words.join('_')))) return 'secret'
  return null
}

/** Whether the name is one of a person's own data. */
export function soundsPersonal({ name, type }: { readonly name: string; readonly type: string }): boolean {
  const words = wordsOf(name)
  return isText(type) && !about.has(words.at(-1) ?? '') && words.some(word => personal.has(word))
}

const passwords = new Set(['password', 'passwd', 'passwort', 'pwd', 'passphrase', 'passcode'])

const secrets = [
  /(^|_)(secret|secrets|credential|credentials)$/,
  /(^|_)(client|api|app|shared|webhook|signing|totp|otp|mfa|two_factor)_secret$/,
  /(^|_)(access|refresh|auth|api|bearer|session|reset|remember|confirmation|verification|invite|invitation|bot|oauth|id)_?token$/,
  /^(token|tokens)$/,
  /(^|_)(api|private|secret|encryption|signing|master)_?key$/,
  /(^|_)(ssn|social_security_number|card_number|credit_card|cvv|cvc|iban|pan)$/,
  /(^|_)(recovery|backup)_codes?$/,
]

/** The value is not there as it is. */
const guarded = new Set([
  'hash',
  'hashed',
  'digest',
  'hmac',
  'bcrypt',
  'argon',
  'scrypt',
  'pbkdf',
  'encrypted',
  'encryption',
  'ciphertext',
  'cipher',
  'sealed',
  'enc',
  'salt',
  'salted',
  'fingerprint',
  'masked',
  'redacted',
  'prefix',
  'suffix',
  'hint',
  'ref',
  'reference',
  'arn',
  'path',
  'vault',
  'public',
  'last',
  'verifier',
  'crypt',
  'crypted',
])

/** What a name ends with when it tells about the thing. */
const about = new Set([
  'id',
  'ids',
  'at',
  'on',
  'by',
  'kind',
  'type',
  'status',
  'state',
  'count',
  'name',
  'url',
  'uri',
  'expiry',
  'version',
  'length',
  'policy',
  'strength',
  'algorithm',
  'algo',
  'method',
  'scope',
  'scopes',
  'label',
  'source',
  'format',
  'locale',
  'template',
  'subject',
  'verified',
])

const personal = new Set([
  'email',
  'mail',
  'phone',
  'mobile',
  'birthday',
  'birth',
  'birthdate',
  'ssn',
  'iban',
  'passport',
  'surname',
  'firstname',
  'lastname',
  'street',
  'address',
  'password',
  'token',
  'secret',
])
