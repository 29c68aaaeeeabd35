import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { Hono } from 'hono';
import { afterEach, expect, it } from 'vitest';
import type { EdgeApp } from '../src/app.ts';
import type { Reply } from '../src/respond.ts';
import { serveNode } from './node_server.ts';
import type { NodeServer } from './node_server.ts';

const OK: Reply = { status: 200, headers: { 'content-length': '2' }, body: new TextEncoder().encode('ok') };

let server: NodeServer | undefined;

afterEach(async () => server?.close(0));

/** An edge that answers media as it is told, and nothing else. */
async function serve(answer: EdgeApp['answer']): Promise<(text: string) => Socket> {
  server = await serveNode({ app: new Hono(), answer }, 0, '127.0.0.1');
  const { port } = server;
  return (text) =>
    connect(port, '127.0.0.1', function send(this: Socket) {
      this.write(text);
    }).setEncoding('latin1');
}

async function firstLine(socket: Socket): Promise<string> {
  const text = await new Promise<string>((resolve) => {
    socket.once('data', (chunk) => resolve(String(chunk)));
  });
  socket.destroy();
  return text.slice(0, text.indexOf('\r\n'));
}

it.each(['a b\\c', 'x/demo', 'x@y', '', 'x:y', '[zz]'])('refuses the Host %j, for media too', async (host) => {
  const send = await serve(() => OK);
  expect(await firstLine(send(`GET /demo/live.m3u8 HTTP/1.1\r\nHost: ${host}\r\n\r\n`))).toBe(
    'HTTP/1.1 400 Bad Request',
  );
});

it.each(['localhost', 'my_edge:8080', '127.0.0.1:1', '[::1]:8080', 'A.example.com'])(
  'takes the Host %j',
  async (host) => {
    const send = await serve(() => OK);
    expect(await firstLine(send(`GET /demo/live.m3u8 HTTP/1.1\r\nHost: ${host}\r\n\r\n`))).toBe('HTTP/1.1 200 OK');
  },
);

it('cuts a connection that sends ahead without end, and serves the others', async () => {
  let asked = 0;
  const reply = Promise.withResolvers<Reply>();
  const send = await serve(() => {
    asked += 1;
    return reply.promise;
  });
  const request = 'GET /demo/720p/index.m3u8?_HLS_msn=1 HTTP/1.1\r\nHost: x\r\n\r\n';
  const greedy = send(request.repeat(5000));
  await new Promise((resolve) => {
    greedy.on('error', () => undefined).once('close', resolve);
  });
  expect(asked).toBeLessThan(100);
  const other = send(request);
  await expect.poll(() => asked).toBeLessThan(100);
  reply.resolve(OK);
  expect(await firstLine(other)).toBe('HTTP/1.1 200 OK');
});

it('answers what was sent ahead in its order', async () => {
  const send = await serve(async (_, target) =>
    Promise.resolve({ ...OK, body: new TextEncoder().encode(target.slice(-2)) }),
  );
  const targets = Array.from({ length: 32 }, (_, index) => String(index + 10));
  const socket = send(targets.map((name) => `GET /${name} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  await expect.poll(() => text.match(/\r\n\r\n(..)/g)?.map((body) => body.trim())).toEqual(targets);
  socket.destroy();
});
