/**
 * When a session whose server went silent is over: its window has passed, and a watch that looked at it without a
 * pause for as long as the window (30 s at least) never saw its lease renewed. A registry that was away or emptied
 * breaks the watch, so that nobody is ended for having been unable to report.
 */
import type { Ownership } from './ownership.ts';
import { LEAST_WATCH_MS, WATCH_GAP_MS } from './registry_times.ts';
import type { RegistryTimes } from './registry_times.ts';

export interface Silence {
  /** Since the lease was last renewed, ms. */
  readonly silentMs: number;
  /** Window and watch are over: only the owner's own word can save the session. */
  readonly due: boolean;
}

/**
 * Looks at a session once more.
 * @returns the record that knows of the look, and the silence if there is one: undefined while it is heard of, or over
 */
export function look(
  owner: Ownership,
  nowMs: number,
  times: RegistryTimes,
): { readonly owner: Ownership; readonly silence: Silence | undefined } {
  const silentMs = nowMs - owner.renewedAtMs;
  if (owner.state === 'ended' || silentMs <= times.leaseMs) return { owner, silence: undefined };
  const { watch } = owner;
  const unbroken =
    watch !== undefined && watch.renewedAtMs === owner.renewedAtMs && nowMs - watch.lastLookMs <= WATCH_GAP_MS;
  const sinceMs = unbroken ? watch.sinceMs : nowMs;
  const letGo = owner.released !== undefined || owner.state === 'interrupted';
  const windowEndsAtMs = letGo ? owner.windowEndsAtMs : owner.renewedAtMs + times.leaseMs + times.reconnectWindowMs;
  const watchedLongEnough = nowMs - sinceMs >= Math.max(times.reconnectWindowMs, LEAST_WATCH_MS);
  return {
    owner: { ...owner, watch: { sinceMs, lastLookMs: nowMs, renewedAtMs: owner.renewedAtMs } },
    silence: { silentMs, due: watchedLongEnough && nowMs > windowEndsAtMs },
  };
}
