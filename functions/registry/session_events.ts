/**
 * Which events a change of a stream's record makes: what the operator's webhook was last told of a session is part of
 * the record, and the difference between that and the new state is told. An event's id follows from the transition, so
 * that a repeated call cannot make two.
 */
import type { LifecycleEvent } from '../../contracts/lifecycle_event.ts';
import type { StreamReport } from '../../contracts/registry.ts';
import type { Ownership } from './ownership.ts';
import { YOUNG_SESSION_MS } from './registry_times.ts';

/** The last word about a session. `nothing`: it was never playable. */
export type Told = 'nothing' | 'live' | 'interrupted' | 'ended';

/** An event before its stream's sequence and time. */
export type NewEvent = Pick<LifecycleEvent, 'id' | 'type' | 'sessionId' | 'data'>;

/** Why a change was made, in words for people. */
export interface Cause {
  readonly reason?: string | undefined;
  /** The claimer replaced a server that had not let go. */
  readonly takenOver?: boolean;
}

/** What people are told when nobody said why. */
export const REASON = {
  away: 'the publisher is away',
  notBack: 'the publisher did not come back',
  ended: 'the stream ended',
  replaced: 'another session took its place',
  takenOver: 'its server let go of it or went silent',
  silent: 'its server went silent',
  stopped: { ended: 'an operator ended it', revoked: 'its key was revoked' },
} as const;

const seconds = (ms: number): number => Math.floor(ms / 1000 + 0.5);

/** What was told of a session that is known from a report alone: all, unless it may just have begun. */
export function toldBefore(report: StreamReport, nowMs: number): Told {
  if (report.state === 'ended') return 'ended';
  if (report.shape === undefined || nowMs - report.startedAtMs < YOUNG_SESSION_MS) return 'nothing';
  return report.state;
}

function liveEvent(of: Ownership): NewEvent {
  return {
    id: `evt_${of.sessionId}_live`,
    type: 'stream.live',
    sessionId: of.sessionId,
    data: {
      path: `/${of.streamId}/live.m3u8`,
      playback: of.playback,
      ...(of.title !== undefined && { title: of.title }),
    },
  };
}

function interruptedEvent(of: Ownership, windowMs: number, reason: string): NewEvent {
  return {
    id: `evt_${of.sessionId}_${of.epoch}_interrupted`,
    type: 'stream.interrupted',
    sessionId: of.sessionId,
    data: { reason, windowSeconds: seconds(Math.max(0, windowMs)) },
  };
}

function resumedEvent(of: Ownership, awayMs: number): NewEvent {
  return {
    id: `evt_${of.sessionId}_${of.epoch}_resumed`,
    type: 'stream.resumed',
    sessionId: of.sessionId,
    data: { awaySeconds: seconds(awayMs) },
  };
}

function endedEvent(of: Ownership, nowMs: number, reason: string): NewEvent {
  return {
    id: `evt_${of.sessionId}_ended`,
    type: 'stream.ended',
    sessionId: of.sessionId,
    data: { reason, durationSeconds: seconds(nowMs - of.startedAtMs) },
  };
}

const isOpen = (told: Told): boolean => told === 'live' || told === 'interrupted';

/**
 * @param after with what was told until now
 * @returns the events in their order, and the record that knows of them
 */
export function tell(
  before: Ownership | undefined,
  after: Ownership | undefined,
  nowMs: number,
  cause: Cause = {},
): { readonly owner: Ownership | undefined; readonly events: readonly NewEvent[] } {
  const events: NewEvent[] = [];
  if (before !== undefined && before.sessionId !== after?.sessionId && isOpen(before.told)) {
    events.push(endedEvent(before, nowMs, REASON.replaced));
  }
  if (after === undefined) return { owner: after, events };
  let { told, toldAtMs } = after;
  const say = (next: Told, event: NewEvent): void => {
    events.push(event);
    told = next;
    toldAtMs = nowMs;
  };
  if (cause.takenOver === true && before !== undefined && told === 'live') {
    say('interrupted', interruptedEvent(before, 0, REASON.takenOver));
    say('live', resumedEvent(after, nowMs - before.renewedAtMs + before.mediaAgeMs));
  }
  if (told === 'nothing' && after.shape !== undefined) say('live', liveEvent(after));
  if (told === 'live' && after.state === 'interrupted') {
    say('interrupted', interruptedEvent(after, after.windowEndsAtMs - nowMs, cause.reason ?? REASON.away));
  } else if (told === 'interrupted' && after.state === 'live') {
    say('live', resumedEvent(after, nowMs - toldAtMs));
  }
  if (after.state === 'ended' && told !== 'ended') {
    const reason = cause.reason ?? (before?.state === 'interrupted' ? REASON.notBack : REASON.ended);
    if (isOpen(told)) say('ended', endedEvent(after, nowMs, reason));
    told = 'ended';
  }
  return { owner: { ...after, told, toldAtMs }, events };
}
