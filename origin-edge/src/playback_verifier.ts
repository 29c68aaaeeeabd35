/**
 * Checks playback tokens (RFC 7519): signature, `exp`, `nbf`, `sub` = stream id, `aud` where one is wanted. A token
 * that was good once is remembered until it expires, so that a viewer's next segment costs no signature check.
 */
import { jwtVerify } from 'jose';
import type { JWTVerifyGetKey } from 'jose';
import type { StreamId } from '../../contracts/ids.ts';
import { BoundedMap } from './bounded_map.ts';
import { PLAYBACK_ALGORITHMS } from './playback_keys.ts';

/** Whether the token lets its bearer watch the stream now. Never rejects. */
export type VerifyPlayback = (token: string, streamId: StreamId) => Promise<boolean>;

export interface PlaybackVerifierOptions {
  readonly keyFor: JWTVerifyGetKey;
  readonly audience?: string | undefined;
  /** Unix time, ms. */
  readonly wallMs: () => number;
}

const MAX_REMEMBERED = 50_000;
/** s; clocks of issuers and edges differ a little */
const CLOCK_TOLERANCE = 5;

export function createPlaybackVerifier(options: PlaybackVerifierOptions): VerifyPlayback {
  const { keyFor, audience, wallMs } = options;
  const goodUntilMs = new BoundedMap<string, number>(MAX_REMEMBERED);
  return async (token, streamId) => {
    const key = `${streamId} ${token}`;
    const remembered = goodUntilMs.get(key);
    if (remembered !== undefined && wallMs() < remembered) return true;
    try {
      const { payload } = await jwtVerify(token, keyFor, {
        algorithms: PLAYBACK_ALGORITHMS,
        subject: streamId,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: CLOCK_TOLERANCE,
        currentDate: new Date(wallMs()),
        ...(audience === undefined ? {} : { audience }),
      });
      goodUntilMs.set(key, ((payload.exp ?? 0) + CLOCK_TOLERANCE) * 1000);
      return true;
    } catch {
      // Whatever is wrong with it (forged, expired, for another stream, a key that cannot be had): it opens nothing.
      goodUntilMs.delete(key);
      return false;
    }
  };
}
