/**
 * How long the registry waits, holds and remembers; the same for its memory and its Redis form.
 */
export interface RegistryTimes {
  /** A server that was not heard for this long no longer holds its streams' leases, ms. */
  readonly leaseMs: number;
  /** How long a session waits for its publisher when the release does not say, ms. */
  readonly reconnectWindowMs: number;
  /** How long claims for unknown streams wait after an emptied registry was first seen, ms. */
  readonly settleMs: number;
  /** Media that is known to be younger than this makes its owner unassailable, ms. */
  readonly freshMediaMs: number;
  /** How long a grant is repeated to its claim id, ms. */
  readonly grantKeptMs: number;
  /** How long the record of an ended stream answers `resolve`, ms: more than the grace after the end. */
  readonly endedKeptMs: number;
  /** How long a stream that nobody reports is found at all, ms: far more than any reconnect window. */
  readonly silentKeptMs: number;
  /** How long the highest epoch and MSN of a stream are kept beyond that, ms; the clock takes over from them. */
  readonly floorKeptMs: number;
  /** How long undelivered events, the ids of events and ended sessions are kept, ms. */
  readonly eventsKeptMs: number;
}

export const REGISTRY_TIMES: RegistryTimes = {
  leaseMs: 10_000,
  reconnectWindowMs: 60_000,
  settleMs: 5_000,
  freshMediaMs: 3_000,
  grantKeptMs: 120_000,
  endedKeptMs: 600_000,
  silentKeptMs: 6 * 3_600_000,
  floorKeptMs: 7 * 24 * 3_600_000,
  eventsKeptMs: 14 * 24 * 3_600_000,
};

/** A session that is found right after the registry was emptied, and is younger than this, may not have been told of yet, ms. */
export const YOUNG_SESSION_MS = 60_000;
/** A health event is news for this long, ms; the same one under the same id is one for as long. */
export const HEALTH_KEPT_MS = 300_000;
/** What is kept of one stream at most: undelivered events, undelivered health events, ids of events, sessions. */
export const MOST_EVENTS = 1_000;
export const MOST_HEALTH_EVENTS = 64;
export const MOST_EVENT_IDS = 512;
export const MOST_SESSIONS = 64;
/** The reaper looks every minute; when it did not for this long, it begins anew, ms. */
export const WATCH_GAP_MS = 90_000;
/** A silent session is watched for this long at least before it is ended, ms. */
export const LEAST_WATCH_MS = 30_000;
/** Events that are older than this were left over by the call that made them, ms; a call takes far less. */
export const LEFTOVER_MS = 30_000;
