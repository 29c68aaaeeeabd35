/**
 * What relays count about themselves: plain numbers, read by whatever exports them. Nothing here names a target.
 */
import { RELAY_FAILURES } from './relay_error.ts';
import type { RelayFailureClass } from './relay_error.ts';

export type RelayState = 'connecting' | 'live' | 'failing';
export const RELAY_STATES = ['connecting', 'live', 'failing'] as const satisfies readonly RelayState[];

export interface RelayCounters {
  /** Relays that run now, by state. */
  readonly states: Record<RelayState, number>;
  /** Attempts and connections that failed. */
  readonly failures: Record<RelayFailureClass, number>;
  /** Targets that were asked for and may not be used. */
  refused: number;
  /** Connections that went live. */
  published: number;
  /** Bytes handed to sockets. */
  sentBytes: number;
  /** Media messages dropped because a target was too far behind, or waited for a key frame. */
  droppedMessages: number;
}

export function newRelayCounters(): RelayCounters {
  return {
    states: { connecting: 0, live: 0, failing: 0 },
    failures: Object.fromEntries(RELAY_FAILURES.map((name) => [name, 0])) as Record<RelayFailureClass, number>,
    refused: 0,
    published: 0,
    sentBytes: 0,
    droppedMessages: 0,
  };
}
