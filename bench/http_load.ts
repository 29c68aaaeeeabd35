/**
 * GETs over kept-alive raw sockets, as fast as they are answered: costs less than what it measures.
 */
import { connect } from 'node:net';

export interface Load {
  readonly port: number;
  readonly target: string;
  /** Requests in all. */
  readonly requests: number;
  readonly connections: number;
}

/** @returns ms of each request, rising. @throws on anything but 200 with Content-Length */
export async function load({ port, target, requests, connections }: Load): Promise<readonly number[]> {
  let left = requests;
  const times: number[] = [];
  const request = `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const connection = async (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let missing = -1;
      let sentAtMs = 0;
      const next = (): void => {
        if (left <= 0) {
          socket.end();
          resolve();
          return;
        }
        left -= 1;
        missing = -1;
        sentAtMs = performance.now();
        socket.write(request);
      };
      socket.setNoDelay(true);
      socket.on('connect', next);
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the server closed the connection')));
      socket.on('data', (chunk) => {
        if (missing < 0) {
          const headEnd = chunk.indexOf('\r\n\r\n');
          const head = chunk.subarray(0, headEnd).toString('latin1');
          const length = /^content-length: (\d+)$/im.exec(head)?.[1];
          if (!head.startsWith('HTTP/1.1 200') || length === undefined) {
            socket.destroy(new Error(`got ${head.split('\r\n')[0]}`));
            return;
          }
          missing = Number(length) + headEnd + 4;
        }
        missing -= chunk.length;
        if (missing > 0) return;
        times.push(performance.now() - sentAtMs);
        next();
      });
    });
  await Promise.all(Array.from({ length: connections }, connection));
  return times.toSorted((a, b) => a - b);
}
