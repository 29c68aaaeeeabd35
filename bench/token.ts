/**
 * What the check of a playback token costs on Node: CPU of a first check (HS256) and of one that is remembered.
 * `script/node bench/token.ts [tokens]`
 */
import { SignJWT } from 'jose';
import { parseStreamId } from '../contracts/ids.ts';
import { createPlaybackKeys } from '../origin-edge/src/playback_keys.ts';
import { createPlaybackVerifier } from '../origin-edge/src/playback_verifier.ts';

const count = Number(process.argv[2] ?? 5000);
const ROUNDS = 7;
const secret = 'a-playback-secret-of-the-benchmark';
const streamId = parseStreamId('bench');
const sign = async (viewer: string): Promise<string> =>
  new SignJWT({ sub: streamId, jti: viewer })
    .setProtectedHeader({ alg: 'HS256', kid: 'bench' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret));
const verify = createPlaybackVerifier({
  keyFor: await createPlaybackKeys(`bench=${secret}`, undefined),
  wallMs: () => Date.now(),
});

async function cpuOf(tokens: readonly string[]): Promise<number> {
  const before = process.cpuUsage();
  for (const token of tokens) if (!(await verify(token, streamId))) throw new Error('a good token was refused');
  const { user, system } = process.cpuUsage(before);
  return (user + system) / tokens.length;
}

const first: number[] = [];
const again: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  const tokens = await Promise.all(Array.from({ length: count }, async (_, viewer) => sign(`${round}-${viewer}`)));
  first.push(await cpuOf(tokens));
  again.push(await cpuOf(tokens));
}
const median = (values: readonly number[]): number =>
  Number((values.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN).toFixed(1));
console.log(
  JSON.stringify({ algorithm: 'HS256', count, rounds: ROUNDS, firstUs: median(first), againUs: median(again) }),
);
