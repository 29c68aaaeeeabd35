/**
 * How a server leaves a running fleet: its streams go to peers one after the other, its media stays for viewers who are
 * behind, and it is gone before its time is up (docs/architecture.md, "When a server goes").
 */
import type { Clock } from '../clock.ts';
import type { SessionEnd } from './session_companion.ts';
import type { StreamHub } from './stream_hub.ts';

/** Hand-overs begin within this time, ms: each takes up to twelve seconds more. */
const SPREAD_MS = 30_000;
/** Between two hand-overs when there are few, ms. */
const MOST_APART_MS = 2_000;
/** From the beginning on, media is served for this long, ms: what is flushed then has until 110 s. */
const SERVE_MS = 100_000;
/** Shows that end here: their last segments are served for this long, ms. */
const LINGER_MS = 6_000;
/** How often it is asked whether anything is left to serve, ms. */
const LOOK_MS = 500;

export interface LeaveOptions {
  readonly hub: Pick<StreamHub, 'handOver' | 'empty' | 'readyPeers' | 'liveStreams'>;
  readonly clock: Clock;
  /** Ends the sessions, serves what is left of them for `lingerMs`, and closes all. */
  readonly close: (how: SessionEnd, lingerMs: number) => Promise<void>;
}

/** Resolves when all is closed. Without a ready peer, or without streams, that is at once. */
export async function leaveFleet({ hub, clock, close }: LeaveOptions): Promise<void> {
  if (hub.readyPeers === 0) {
    await close('ended', LINGER_MS);
    return;
  }
  const endAtMs = clock.monotonicMs() + SERVE_MS;
  await hub.handOver(Math.min(SPREAD_MS, hub.liveStreams.length * MOST_APART_MS));
  while (!hub.empty && clock.monotonicMs() < endAtMs) {
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
  await close('moved', 0);
}
