/**
 * Notices when a server that a person drains has nothing left to do: its shows have run out, and nobody asks for their
 * last segments any more.
 */
import type { Clock } from '../clock.ts';
import type { StreamHub } from './stream_hub.ts';

/** Time to take a drain back, or to pass on who still comes, ms. */
const IDLE_MS = 60_000;
const LOOK_MS = 1000;

/** Resolves once the server has been draining with nothing to serve for a minute. */
export function whenDrained(hub: Pick<StreamHub, 'draining' | 'empty'>, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    let idleSinceMs: number | undefined;
    const stop = clock.every(LOOK_MS, () => {
      if (!hub.draining || !hub.empty) {
        idleSinceMs = undefined;
        return;
      }
      idleSinceMs ??= clock.monotonicMs();
      if (clock.monotonicMs() - idleSinceMs < IDLE_MS) return;
      stop();
      resolve();
    });
  });
}
