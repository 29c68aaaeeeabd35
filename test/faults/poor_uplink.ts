/**
 * A TCP proxy that passes on what a poor line carries: so many bytes a second, and none at all for moments, as TCP does
 * while it sends lost packets again. The sender is held back, nothing is dropped.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Line {
  /** Bits per second towards the server; Infinity: all that comes. */
  readonly bitrate: number;
  /** Chance that the line stands still from one moment to the next, 0 to 1. */
  readonly lossRate: number;
}

export interface PoorUplink {
  readonly port: number;
  /** From now on. */
  line: Line;
  close(): void;
}

const TICK_MS = 20;
/** The first retransmission of a packet that was lost late: RFC 6298's least timeout, as Linux has it, ms. */
const STALL_MS = 200;

/**
 * @param targetPort on 127.0.0.1
 * @param random from 0 up to, not including, 1
 */
export async function startPoorUplink(targetPort: number, first: Line, random: () => number): Promise<PoorUplink> {
  const closers = new Set<() => void>();
  const uplink = { line: first };
  const server = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1');
    let budget = 0;
    let standsUntilMs = 0;
    let lastMs = performance.now();
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const { bitrate, lossRate } = uplink.line;
      const elapsedMs = nowMs - lastMs;
      lastMs = nowMs;
      if (nowMs < standsUntilMs) return;
      if (random() < lossRate) {
        standsUntilMs = nowMs + STALL_MS;
        return;
      }
      // What a line did not carry it does not carry later.
      budget = Math.min(budget + (bitrate * elapsedMs) / 8000, Math.max(bitrate / 8, near.readableLength));
      budget -= pass(near, far, Math.floor(Math.min(budget, near.readableLength)));
    }, TICK_MS);
    const close = (): void => {
      clearInterval(timer);
      closers.delete(close);
      near.destroy();
      far.destroy();
    };
    closers.add(close);
    far.pipe(near);
    // Not read but by the timer: what does not fit stays with the sender.
    near.on('readable', () => undefined);
    for (const socket of [near, far]) {
      // Either side may reset; the other one then hears of it.
      socket.on('error', () => undefined);
      socket.once('close', close);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get line() {
      return uplink.line;
    },
    set line(line: Line) {
      uplink.line = line;
    },
    close: () => {
      for (const close of closers) close();
      server.close();
    },
  };
}

/** @returns bytes that were passed on */
function pass(near: Socket, far: Socket, bytes: number): number {
  const data = bytes > 0 ? (near.read(bytes) as Buffer | null) : null;
  if (data === null || far.destroyed) return 0;
  far.write(data);
  return data.length;
}
