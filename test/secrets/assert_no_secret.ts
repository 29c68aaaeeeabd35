/**
 * Finds a secret in what a program wrote (logs, playlists, metrics, error bodies, argument lists), also when it was
 * encoded on the way. For tests that run a whole system and then read everything it said.
 */

/** A secret shorter than this would be found by accident. */
const SHORTEST = 8;

/**
 * @param text everything that was written, such as a log or a reply
 * @param secrets values by a name that may be shown, such as `{ 'the stream key': key }`
 * @throws Error that tells which secret stands where and in which form, never the secret itself
 */
export function assertNoSecret(text: string, secrets: Readonly<Record<string, string>>): void {
  const folded = text.toLowerCase();
  for (const [name, secret] of Object.entries(secrets)) {
    if (secret.length < SHORTEST)
      throw new Error(`${name} has ${secret.length} characters, wanted ${SHORTEST} or more`);
    for (const [form, encoded] of formsOf(secret)) {
      const found = text.indexOf(encoded);
      const at = found === -1 && form === 'hex' ? folded.indexOf(encoded) : found;
      if (at !== -1) throw new Error(`${name} stands in the text (${form}), line ${lineOf(text, at)}`);
    }
  }
}

function formsOf(secret: string): readonly (readonly [form: string, encoded: string])[] {
  return [
    ['as it is', secret],
    ['URL-encoded', encodeURIComponent(secret)],
    ['as a form field', new URLSearchParams({ k: secret }).toString().slice(2)],
    ['JSON', JSON.stringify(secret).slice(1, -1)],
    ['hex', Buffer.from(secret).toString('hex')],
    ...base64Forms(secret),
  ];
}

/** Base64 of the secret inside a longer text looks different at each of three offsets; the outer characters vary. */
function base64Forms(secret: string): (readonly [string, string])[] {
  return [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
    const from = offset === 0 ? 0 : offset + 1;
    const to = Math.floor((bytes.length * 8) / 6);
    const base64 = bytes.toString('base64').slice(from, to);
    return [
      ['base64', base64],
      ['base64url', base64.replaceAll('+', '-').replaceAll('/', '_')],
    ] as const;
  });
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
