/**
 * What the life of a stream is told by the operator.
 */
import type { LadderRung } from '../encode/ladder_rungs.ts';
import type { PlaybackPolicy, RecordPolicy } from '../../contracts/registry.ts';

export interface StreamSettings {
  /** ms after a lost connection. */
  readonly reconnectWindowMs: number;
  /** ms after a clean goodbye. */
  readonly goodbyeWindowMs: number;
  /** How long media stays after ENDLIST, ms. */
  readonly graceMs: number;
  readonly rungs: readonly LadderRung[];
  readonly topRendition: 'copy' | 'encode';
  readonly segmentSeconds: number;
  readonly partSeconds: number;
  readonly playback: PlaybackPolicy;
  readonly record: RecordPolicy;
}

/** Media this recent means that a publisher is alive: a second one is refused (docs/architecture.md). */
export const ALIVE_MS = 3000;
/** Without media for this long while connected, the picture is held. */
export const QUIET_MS = 2500;
/** A publisher that sends no media at all for this long is closed: it holds a place that others may need. */
export const NO_MEDIA_MS = 30_000;
/**
 * When a stream is handed over: how long a publisher that was asked to connect again may go on sending here, and how
 * much media may still be published here in all, ms.
 */
export const HAND_OVER_MS = { reconnect: 8_000, held: 20_000 };
