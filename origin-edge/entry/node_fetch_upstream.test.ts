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
    // It was found out on another connection that the server does not announce lengths.
    expect(connections).toBe(2);
    await expect.poll(() => upstream.openSockets()).toBe(1);
  });

  it('reads replies of any size over one connection', async () => {
    const sizes = [0, 1, 65_000, 65_300, 65_535, 65_536, 70_000, 1_000_000];
    answer = (request, response) => {
      const body = Buffer.alloc(Number(request.url?.slice(1)), 7);
      response.writeHead(200, { 'content-length': body.length, 'x-path': request.url }).end(body);
    };
    for (const size of sizes) {
      const { body, headers } = await upstream.fetchUpstream(url.replace('x', String(size)), {
        ...LIMITS,
        maxBytes: 2 ** 20,
      });
      expect([size, headers['x-path'], body.length]).toEqual([size, `/${size}`, size]);
      expect(body.every((byte) => byte === 7)).toBe(true);
    }
    expect([connections, upstream.openSockets()]).toEqual([1, 1]);
  });

  it('uses no connection that the server wants to close, and as many as are needed at once', async () => {
    answer = (_, response) => response.writeHead(200, { 'content-length': 2, connection: 'close' }).end('ok');
    await upstream.fetchUpstream(url, LIMITS);
    await expect.poll(() => upstream.openSockets()).toBe(0);
    answer = (_, response) => response.writeHead(200, { 'content-length': 2 }).end('ok');
    await Promise.all(Array.from({ length: 5 }, async () => upstream.fetchUpstream(url, LIMITS)));
    expect([connections, upstream.openSockets()]).toEqual([6, 5]);
  });

  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n', 'no HTTP/1.1 reply'],
    ['a header that is none', 'HTTP/1.1 200 OK\r\nbroken\r\n\r\n', 'a header that is none'],
    ['a header with a control character', 'HTTP/1.1 200 OK\r\nx: a\u0001b\r\n\r\n', 'a header that is none'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 'two lengths'],
    ['more than it announced', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab', 'more than the announced'],
    ['a length that is too large', 'HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n', 'more than 1000 bytes'],
    ['headers without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`, 'a head of more than'],
  ])('rejects %s, and keeps no socket', async (_, bytes, message) => {
    answer = (request) => request.socket.end(bytes);
    await expect(upstream.fetchUpstream(url, LIMITS)).rejects.toThrow(message);
    await expect.poll(() => upstream.openSockets()).toBe(0);
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
      (_: IncomingMessage, response: ServerResponse) => {
        response.write('x'.repeat(600));
        response.end('x'.repeat(600));
      },
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
      else response.writeHead(200, { 'content-length': 2 }).end('ok');
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
