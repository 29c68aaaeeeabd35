/**
 * Requests as bytes, for what no HTTP client would send, and sockets that are left half way.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** Sends the bytes and gives back all that comes until the other side closes. */
export async function sendRaw(port: number, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

/** GET of a target exactly as written; the reply's status. */
export async function statusOf(port: number, target: string, headers = ''): Promise<number> {
  const text = await sendRaw(port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`);
  return Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(text)?.[1] ?? 0);
}

/** Connects, asks, and goes away after the first bytes of the reply. */
export async function abortMidBody(port: number, target: string): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
    });
    socket.once('data', () => {
      socket.resetAndDestroy();
      resolve();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });
}
