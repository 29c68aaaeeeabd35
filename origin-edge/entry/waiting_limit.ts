/**
 * Bounds the requests of one connection that wait at the same time. HTTP/1.1 lets a client send the next request before
 * the last one is answered (RFC 9112 section 9.3.2): without a limit one connection opens thousands to media servers.
 */
import type { Socket } from 'node:net';

/** Far more than a cache or a browser sends ahead. */
const MOST_WAITING = 64;

/** @returns to be told of each request that is not answered at once; it cuts the connection of one too many */
export function createWaitingLimit(): (socket: Socket, work: Promise<void>) => void {
  const waiting = new WeakMap<Socket, number>();
  const add = (socket: Socket, change: number): number => {
    const count = (waiting.get(socket) ?? 0) + change;
    waiting.set(socket, count);
    return count;
  };
  return (socket, work) => {
    if (add(socket, 1) > MOST_WAITING) socket.destroy();
    void work.finally(() => add(socket, -1));
  };
}
