import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isStreamId, parseEpoch, parseStreamId } from '../../contracts/ids.ts';
import { createMediaServer } from './media_server.ts';
import type { MediaServer } from './media_server.ts';
import type { PlaylistReply, StreamView } from './stream_view.ts';

const STREAM_ID = parseStreamId('demo');
const EPOCH = parseEpoch(5);
const TOKEN = 'media-token';

const playlist = (over: Partial<PlaylistReply & { outcome: 'playlist' }> = {}): PlaylistReply => ({
  outcome: 'playlist',
  text: '#EXTM3U\n',
  state: 'live',
  targetDuration: 2,
  epoch: EPOCH,
  position: { msn: 10, parts: 2 },
  ...over,
});

const view: StreamView = {
  streamId: STREAM_ID,
  status: () => ({ streamId: STREAM_ID, live: true, state: 'live', renditions: [], recordings: [] }),
  multivariant: async () => Promise.resolve({ text: '#EXTM3U\n', epoch: EPOCH, targetDuration: 2 }),
  mediaPlaylist: async () => Promise.resolve(playlist()),
  init: () => [Buffer.from('init')],
  segment: (_, __, msn) => (msn === 9 ? [Buffer.from('abc'), Buffer.from('def')] : undefined),
  part: async () => Promise.resolve(undefined),
  poster: () => undefined,
};

let stream: StreamView = view;
let server: MediaServer;
let port = 0;
const errors: unknown[] = [];

beforeEach(async () => {
  stream = view;
  errors.length = 0;
  server = createMediaServer({
    directory: { find: (streamId) => (isStreamId(streamId) && streamId === STREAM_ID ? stream : undefined) },
    mediaToken: TOKEN,
    ready: () => false,
    onError: (error) => errors.push(error),
  });
  port = await server.listen(0, '127.0.0.1');
});
afterEach(async () => server.close(0));

async function get(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${TOKEN}`, connection: 'close', ...(init.headers as Record<string, string>) },
  });
}

describe('the token', () => {
  it.each([undefined, '', 'Bearer', 'Bearer wrong', 'Basic bWVkaWEtdG9rZW4=', `Bearer ${TOKEN}x`, TOKEN])(
    '%s is refused',
    async (authorization) => {
      const headers = { connection: 'close', ...(authorization === undefined ? {} : { authorization }) };
      const response = await fetch(`http://127.0.0.1:${port}/demo/live.m3u8`, { headers });
      expect([response.status, response.headers.get('cache-control')]).toEqual([401, 'no-store']);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
    },
  );

  it('is not needed for health', async () => {
    const headers = { connection: 'close' };
    expect((await fetch(`http://127.0.0.1:${port}/livez`, { headers })).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`, { headers })).status).toBe(503);
  });
});

describe('a media playlist', () => {
  it('tells the edge where the stream stands', async () => {
    const response = await get('/demo/720p/index.m3u8?_HLS_msn=10&_HLS_part=1');
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/vnd.apple.mpegurl',
      'content-length': '8',
      'cache-control': 'public, max-age=12',
      'x-headwater-epoch': '5',
      'x-headwater-position': '10.2',
      'x-headwater-state': 'live',
      'x-headwater-target-duration': '2',
    });
  });

  it.each([
    ['', {}, 'public, max-age=1'],
    ['?_HLS_msn=10&_HLS_part=2', {}, 'public, max-age=1'],
    ['?_HLS_msn=9', {}, 'public, max-age=12'],
    ['?_HLS_msn=9', { state: 'ended' as const }, 'public, max-age=1'],
  ])('%s with %j may be cached: %s', async (query, over, cacheControl) => {
    stream = { ...view, mediaPlaylist: async () => Promise.resolve(playlist(over)) };
    expect((await get(`/demo/720p/index.m3u8${query}`)).headers.get('cache-control')).toBe(cacheControl);
  });

  it.each(['_HLS_msn=x', '_HLS_part=1', '_HLS_msn=1&_HLS_msn=2', '_HLS_skip=maybe'])('refuses %s', async (query) => {
    const response = await get(`/demo/720p/index.m3u8?${query}`);
    expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
  });

  it('too far ahead is 400, of no rendition 404', async () => {
    stream = { ...view, mediaPlaylist: async () => Promise.resolve({ outcome: 'too-far' }) };
    expect((await get('/demo/720p/index.m3u8?_HLS_msn=99')).status).toBe(400);
    stream = { ...view, mediaPlaylist: async () => Promise.resolve({ outcome: 'not-found' }) };
    expect((await get('/demo/720p/index.m3u8')).status).toBe(404);
  });

  it('is 304 for who has it', async () => {
    const etag = (await get('/demo/720p/index.m3u8')).headers.get('etag') ?? '';
    const response = await get('/demo/720p/index.m3u8', { headers: { 'if-none-match': etag } });
    expect([response.status, await response.text()]).toEqual([304, '']);
  });

  it('ends its wait when the asker goes away', async () => {
    const { promise: aborted, resolve: onAborted } = Promise.withResolvers<void>();
    const { promise: waiting, resolve: onWaiting } = Promise.withResolvers<void>();
    stream = {
      ...view,
      mediaPlaylist: async (_, __, signal) =>
        new Promise((resolve) => {
          onWaiting();
          signal.addEventListener('abort', () => {
            onAborted();
            resolve(playlist());
          });
        }),
    };
    const asker = connect(port, '127.0.0.1');
    asker.write(`GET /demo/720p/index.m3u8?_HLS_msn=11 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`);
    await waiting;
    asker.destroy();
    await aborted;
    expect(errors).toEqual([]);
  });
});

describe('media', () => {
  it('joins its buffers on the wire', async () => {
    const response = await get('/demo/5/720p/9.m4s');
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'video/mp4',
      'content-length': '6',
      'cache-control': 'public, max-age=1209600, immutable',
      etag: '"5-9"',
    });
    expect(await response.text()).toBe('abcdef');
  });

  it('answers HEAD without a body', async () => {
    const response = await get('/demo/5/720p/9.m4s', { method: 'HEAD' });
    expect([response.headers.get('content-length'), await response.text()]).toEqual(['6', '']);
  });

  it.each([
    '/demo/5/720p/8.m4s',
    '/demo/5/720p/8.1.m4s',
    '/demo/poster.jpg',
    '/other/live.m3u8',
    '/',
    '/demo/x/live.m3u8',
    '/demo//live.m3u8',
    '/demo/rewind.m3u8',
    '/metrics',
  ])('%s is 404 for a second', async (path) => {
    const response = await get(path);
    expect([response.status, response.headers.get('cache-control'), response.headers.get('content-type')]).toEqual([
      404,
      'public, max-age=1',
      'application/problem+json',
    ]);
  });
});

describe('what goes wrong', () => {
  it('inside is 500 and is told, without a word to the asker', async () => {
    stream = { ...view, multivariant: async () => Promise.reject(new Error('inner')) };
    const response = await get('/demo/live.m3u8');
    expect([response.status, await response.text()]).toEqual([
      500,
      '{"type":"about:blank","status":500,"title":"Internal Server Error"}',
    ]);
    expect(errors).toHaveLength(1);
  });

  it('with the method is 405', async () => {
    const response = await get('/demo/live.m3u8', { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it.each([
    [`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
    ['nonsense\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n', 400],
  ])('on the wire closes the connection', async (bytes, status) => {
    const reply = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('close', () => resolve(text));
    });
    expect(reply).toContain(`HTTP/1.1 ${status} `);
  });
});
