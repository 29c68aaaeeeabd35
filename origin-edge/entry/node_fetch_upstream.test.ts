import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNodeUpstream } from './node_fetch_upstream.ts';
import type { NodeUpstream } from './node_fetch_upstream.ts';

const LIMITS = { timeoutMs: 5000, maxBytes: 1000 };

let server: Server;
let url = '';
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let upstream: NodeUpstream;
let connections = 0;

beforeEach(async () => {
  connections = 0;
  server = createServer((request, response) => answer(request, response));
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  upstream = createNodeUpstream('the-token');
});
afterEach(() => {
  upstream.close();
  server.closeAllConnections();
  server.close();
});

describe('fetchUpstream on Node', () => {
  it('gives the whole reply, whether its length was announced or not', async () => {
    answer = (request, response) => {
      if (request.headers['accept-encoding'] === 'identity') response.setHeader('x-seen', 'identity');
      response.write('abc');
      response.end(request.headers.authorization);
    };
    const chunked = await upstream.fetchUpstream(url, LIMITS);
    expect([chunked.status, Buffer.from(chunked.body).toString()]).toEqual([200, 'abcBearer the-token']);
    expect(chunked.headers['x-seen']).toBe('identity');
    answer = (_, response) => response.writeHead(404, { 'content-length': 3 }).end('abc');
    const announced = await upstream.fetchUpstream(url, LIMITS);
    expect([announced.status, Buffer.from(announced.body).toString()]).toEqual([404, 'abc']);
    expect([connections, upstream.openSockets()]).toEqual([1, 1]);
  });

  it.each([
    ['says nothing', () => undefined, 'no whole reply within 50 ms'],
    ['stops half way', (_: IncomingMessage, response: ServerResponse) => response.write('a'), 'no whole reply within'],
    [
      'breaks off',
      (_: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 10 });
        response.write('abc', () => response.destroy());
      },
      /aborted|broke off/,
    ],
    [
      'sends too much',
      (_: IncomingMessage, response: ServerResponse) => response.end('x'.repeat(1001)),
      'more than 1000 bytes',
    ],
  ])('rejects when the server %s, and keeps no socket', async (_, behaviour, message) => {
    answer = behaviour;
    await expect(upstream.fetchUpstream(url, { ...LIMITS, timeoutMs: 50 })).rejects.toThrow(message);
    await expect.poll(() => upstream.openSockets()).toBe(0);
  });

  it('tries once more when a kept-alive socket turns out to be closed', async () => {
    let requests = 0;
    answer = (request, response) => {
      requests += 1;
      if (requests === 2) request.socket.resetAndDestroy();
      else response.end('ok');
    };
    await upstream.fetchUpstream(url, LIMITS);
    expect((await upstream.fetchUpstream(url, LIMITS)).status).toBe(200);
    expect(requests).toBe(3);
  });

  it('follows no redirect', async () => {
    answer = (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    expect((await upstream.fetchUpstream(url, LIMITS)).status).toBe(302);
  });
});
