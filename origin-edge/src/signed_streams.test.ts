import { describe, expect, it } from 'vitest';
import { parseSessionId } from '../../contracts/ids.ts';
import { carryToken } from './carry_token.ts';
import { playlistReply, record, reply, scriptedEdge } from './testing/scripted_edge.ts';

const PLAYLIST = '/demo/720p/index.m3u8';
const MEDIA = '/demo/5/720p/7.m4s';
const GOOD = 'good.good.good';
const LATER = parseSessionId('01JBX0000000000000000000AB');

function signedEdge() {
  const edge = scriptedEdge({
    verifyPlayback: async (token, streamId) => Promise.resolve(token === GOOD && streamId === 'demo'),
  });
  edge.registry = async () => Promise.resolve(record({ playback: 'signed' }));
  edge.upstream = async (url) =>
    Promise.resolve(url.includes('m3u8') ? playlistReply('#EXTM3U\n/demo/5/720p/7.m4s\n') : reply(200, 'media'));
  return edge;
}

describe('a stream that is not public', () => {
  it.each([
    ['nothing', MEDIA, {}, 401],
    ['a token of nothing', `${MEDIA}?token=`, {}, 403],
    ['a bad token', `${MEDIA}?token=bad.bad.bad`, {}, 403],
    ['a bad header beside a good parameter', `${MEDIA}?token=${GOOD}`, { authorization: 'Bearer bad.bad.bad' }, 403],
    ['an escaped token', `${MEDIA}?token=good%2egood%2egood`, {}, 403],
    ['a good parameter', `${MEDIA}?x=1&token=${GOOD}`, {}, 200],
    ['a good header', MEDIA, { authorization: `Bearer ${GOOD}` }, 200],
    ['a good cookie', MEDIA, { cookie: `a=b; hw_token=${GOOD}` }, 200],
    ['nothing, for its status', '/demo/status.json', {}, 401],
  ])('with %s: %s', async (_, path, headers, status) => {
    const edge = signedEdge();
    for (let count = 0; count < 2; count += 1) {
      const response = await edge.get(path, { headers });
      expect(response.status).toBe(status);
      expect(response.headers.get('cache-control') === 'no-store').toBe(status !== 200);
    }
    expect(edge.asked.urls.join()).not.toContain('good');
    expect(edge.asked.urls).toHaveLength(status === 200 ? 1 : 0);
    expect(edge.log).toEqual([]);
  });

  it('is kept by shared caches only under a URL that holds the token', async () => {
    const edge = signedEdge();
    const byUrl = await edge.get(`${MEDIA}?token=${GOOD}`);
    const byHeader = await edge.get(MEDIA, { headers: { authorization: `Bearer ${GOOD}` } });
    expect(byUrl.headers.get('cache-control')).toBe('public, max-age=1209600, immutable');
    expect(byHeader.headers.get('cache-control')).toBe('private, max-age=1209600, immutable');
    expect(byHeader.headers.get('vary')).toContain('Authorization');
    expect(edge.asked.urls).toHaveLength(1);
  });

  it('has playlists that hand the token on without holding it', async () => {
    const edge = signedEdge();
    expect(await (await edge.get(`${PLAYLIST}?token=${GOOD}`)).text()).toBe(
      '#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM="token"\n/demo/5/720p/7.m4s?token={$token}\n',
    );
    const byCookie = await edge.get(PLAYLIST, { headers: { cookie: `hw_token=${GOOD}` } });
    expect(await byCookie.text()).toBe('#EXTM3U\n/demo/5/720p/7.m4s\n');
  });

  it('stays closed when the registry is down or the stream is over', async () => {
    const edge = signedEdge();
    await edge.get(`${MEDIA}?token=${GOOD}`);
    edge.registry = async () => Promise.reject(new Error('down'));
    await edge.clock.advance(60_000);
    expect((await edge.get(MEDIA)).status).toBe(401);
    edge.registry = async () => Promise.resolve(undefined);
    await edge.clock.advance(60_000);
    expect((await edge.get(MEDIA)).status).toBe(401);
  });
});

it('media of a signed session wants a token while its server holds it, though nothing is recorded and the next session is public', async () => {
  const edge = signedEdge();
  edge.registry = async () => Promise.resolve(record({ playback: 'signed', startedAtMs: 5 }));
  await edge.get(`${PLAYLIST}?token=${GOOD}`);
  edge.registry = async () => Promise.resolve(record({ epochNumber: 9, startedAtMs: 9, sessionId: LATER }));
  await edge.clock.advance(2000);
  for (const path of [MEDIA, '/demo/5/720p/8.1.m4s']) {
    expect((await edge.get(path)).status).toBe(401);
    expect((await edge.get(`${path}?token=${GOOD}`)).status).toBe(200);
    expect((await edge.get(path)).status).toBe(401);
  }
  expect((await edge.get('/demo/9/720p/9.m4s')).status).toBe(200);
});

it('carryToken touches every URI and nothing else', () => {
  const text = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="/demo/5/720p/init.mp4"
#EXT-X-PART:DURATION=0.5,INDEPENDENT=YES,URI="/demo/5/720p/7.0.m4s"
#EXTINF:2.0,
/demo/5/720p/7.m4s
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="/demo/5/720p/8.0.m4s"
#EXT-X-RENDITION-REPORT:URI="/demo/360p/index.m3u8",LAST-MSN=8,LAST-PART=0
`;
  expect(carryToken(text)).toBe(`#EXTM3U
#EXT-X-DEFINE:QUERYPARAM="token"
#EXT-X-VERSION:11
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="/demo/5/720p/init.mp4?token={$token}"
#EXT-X-PART:DURATION=0.5,INDEPENDENT=YES,URI="/demo/5/720p/7.0.m4s?token={$token}"
#EXTINF:2.0,
/demo/5/720p/7.m4s?token={$token}
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="/demo/5/720p/8.0.m4s?token={$token}"
#EXT-X-RENDITION-REPORT:URI="/demo/360p/index.m3u8?token={$token}",LAST-MSN=8,LAST-PART=0
`);
});

describe('the question whether a viewer may have an object', () => {
  it.each([
    ['no token', MEDIA, 401, 'no-store'],
    ['a bad token', `${MEDIA}?token=bad.bad.bad`, 403, 'no-store'],
    ['a good token', `${MEDIA}?x=1&token=${GOOD}`, 204, 'public, max-age=5'],
    ['a good token, for a playlist', `${PLAYLIST}?_HLS_msn=7&token=${GOOD}`, 204, 'public, max-age=5'],
    ['a path of nothing', '/demo/nothing', 204, 'no-store'],
  ])('with %s', async (_, path, status, cacheControl) => {
    const edge = signedEdge();
    const response = await edge.get(`/api/access${path}`);
    expect([response.status, response.headers.get('cache-control')]).toEqual([status, cacheControl]);
    expect(edge.asked.urls).toEqual([]);
  });

  it('is answered for public and for unknown streams too', async () => {
    const edge = signedEdge();
    edge.registry = async () => Promise.resolve(record());
    expect((await edge.get(`/api/access${MEDIA}`)).headers.get('cache-control')).toBe('public, max-age=1');
    edge.registry = async () => Promise.resolve(undefined);
    expect((await edge.get('/api/access/other/live.m3u8')).headers.get('cache-control')).toBe('no-store');
  });
});
