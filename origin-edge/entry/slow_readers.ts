/**
 * Cuts off viewers who do not take a reply: Node's own time-out begins anew with each byte that leaves, so that one
 * byte a second would hold a connection, and the reply's memory, for ever.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

interface Delivery {
  /** Bytes handed to the connection so far: the same while the same reply is on its way. */
  readonly handed: number;
  readonly sinceMs: number;
}

/** A reply that is on its way for so long is cut, ms. A segment that takes longer cannot be played. */
const LONGEST_DELIVERY_MS = 48_000;
const LOOK_EVERY_MS = 5000;

/** Looks at all connections of `server` every 5 s, for as long as it listens. */
export function cutSlowReaders(server: Server, monotonicMs: () => number): void {
  const sockets = new Map<Socket, Delivery | undefined>();
  server.on('connection', (socket: Socket) => {
    sockets.set(socket, undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  const look = setInterval(() => {
    const nowMs = monotonicMs();
    for (const [socket, delivery] of sockets) {
      if (socket.writableLength === 0) {
        if (delivery !== undefined) sockets.set(socket, undefined);
      } else if (delivery?.handed !== socket.bytesWritten) {
        sockets.set(socket, { handed: socket.bytesWritten, sinceMs: nowMs });
      } else if (nowMs - delivery.sinceMs >= LONGEST_DELIVERY_MS) {
        socket.destroy();
      }
    }
  }, LOOK_EVERY_MS).unref();
  server.once('close', () => clearInterval(look));
}
