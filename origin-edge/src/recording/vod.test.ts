import { describe, expect, it } from 'vitest';
import { parseEpoch } from '../../../contracts/ids.ts';
import { keyOfPath, recordingKey } from '../../../contracts/recording.ts';
import { HIGH, both, entry } from '../../../contracts/testing/recorded_session.ts';
import { recordedEdge } from '../testing/recorded_edge.ts';
import { record, reply } from '../testing/scripted_edge.ts';

const VOD = '/demo/vod-01JBX0000000000000000000AA';
const MEDIA = `${VOD}/720p.m3u8`;
const list = (...numbers: number[]) => numbers.map((msn) => entry(msn, (msn - 10) * 2));

const TOKEN = 'aaaa.bbbb.cccc';
const signed = {
  session: { playback: 'signed' },
  app: { verifyPlayback: async (token: string) => Promise.resolve(token === TOKEN) },
} as const;

async function textOf(response: Response | Promise<Response>): Promise<string> {
  return (await response).text();
}

const uris = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('a recording during the show', () => {
  it('is composed from what is durable, and grows', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11)));
    const first = await edge.get(MEDIA);
    expect(first.headers.get('cache-control')).toBe('public, max-age=1');
    expect(await first.text()).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-START:TIME-OFFSET=0,PRECISE=YES
#EXT-X-MEDIA-SEQUENCE:10
#EXT-X-MAP:URI="../5/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:00:00.000Z
#EXTINF:2.00000,
../5/720p/10.m4s
#EXTINF:2.00000,
../5/720p/11.m4s
`);
    edge.seal(both(5, list(10, 11, 12)));
    edge.record(both(5, list(13), { serial: 1 }));
    await edge.clock.advance(1000);
    expect(uris(await textOf(edge.get(MEDIA)))).toHaveLength(4);
    expect(await textOf(edge.get(`${VOD}.m3u8`))).toContain('vod-01JBX0000000000000000000AA/720p.m3u8');
  });

  it('reads what changed, and once for all who ask', async () => {
    const edge = recordedEdge();
    edge.seal(both(5, list(10, 11)));
    edge.record(both(5, list(12), { serial: 1 }));
    await Promise.all(Array.from({ length: 50 }, async () => edge.get(MEDIA)));
    expect(edge.source.reads).toHaveLength(4);
    edge.record(both(5, list(12, 13), { serial: 1 }));
    await edge.clock.advance(1000);
    edge.source.reads.length = 0;
    await edge.get(MEDIA);
    expect(edge.source.reads).toEqual([
      'list demo/vod-01JBX0000000000000000000AA/',
      'demo/vod-01JBX0000000000000000000AA/tail/0000000000000005.json',
    ]);
  });

  it('reads a roll-up instead of the sealed indexes that it joins, unless it knows those', async () => {
    const edge = recordedEdge();
    const { streamId, sessionId } = edge.session;
    const sealed = Array.from({ length: 31 }, (_, serial) => both(5, list(10 + serial), { serial }));
    for (const index of sealed) edge.seal(index);
    edge.record(both(5, list(41), { serial: 31 }));
    await edge.get(MEDIA);
    edge.source.put(
      recordingKey.rollUp(streamId, sessionId, parseEpoch(5), 29),
      both(5, list(...Array.from({ length: 30 }, (_, offset) => 10 + offset)), { serial: 29 }),
    );
    edge.source.reads.length = 0;
    await edge.clock.advance(1000);
    await edge.get(MEDIA);
    expect(edge.source.reads.filter((key) => !key.startsWith('list'))).toEqual([]);
    const cold = recordedEdge({ app: { recordings: edge.source } });
    expect(uris(await textOf(cold.get(MEDIA)))).toHaveLength(32);
    const names = edge.source.reads.map((key) => key.split('/')[2]).filter((name) => name !== undefined);
    expect(names.toSorted()).toEqual(['', '', 'index', 'rolled', 'session.json', 'tail']);
  });

  it('of a name that strangers guess costs no list, and pushes out nothing that is known', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11)));
    await edge.get(MEDIA);
    edge.source.reads.length = 0;
    for (let guess = 100; guess < 140; guess += 1) {
      expect((await edge.get(`/demo/vod-01JBX00000000000000000${guess}0.m3u8`)).status).toBe(404);
    }
    expect(edge.source.reads).toHaveLength(80);
    expect(edge.source.reads.filter((key) => key.startsWith('list'))).toEqual([]);
    await edge.clock.advance(1000);
    edge.source.reads.length = 0;
    await edge.get(MEDIA);
    expect(edge.source.reads).toEqual(['list demo/vod-01JBX0000000000000000000AA/']);
  });

  it('never loses what it showed when a tail is sealed between a list and a read', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11, 12)));
    expect(uris(await textOf(edge.get(MEDIA)))).toHaveLength(3);
    // The list that comes next shows the new tail, but not yet the sealed index before it.
    edge.record(both(5, list(13), { serial: 1 }));
    await edge.clock.advance(1000);
    expect(uris(await textOf(edge.get(MEDIA)))).toHaveLength(3);
    edge.seal(both(5, list(10, 11, 12)));
    await edge.clock.advance(1000);
    expect(uris(await textOf(edge.get(MEDIA)))).toHaveLength(4);
  });

  it('goes on in the next epoch once the one before has grown no more for a minute', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11)));
    edge.source.nowMs += 30_000;
    edge.record(both(6, list(20, 21)));
    expect(uris(await textOf(edge.get(MEDIA)))).toHaveLength(2);
    edge.source.nowMs += 30_000;
    await edge.clock.advance(1000);
    const text = await textOf(edge.get(MEDIA));
    expect(uris(text)).toHaveLength(12);
    expect(text.match(/#EXT-X-GAP/g)).toHaveLength(8);
  });

  it('is not there before its first segment, nor when there is none', async () => {
    const edge = recordedEdge();
    for (const path of [MEDIA, `${VOD}.m3u8`, '/demo/vod-01JBX0000000000000000000BB.m3u8', `${VOD}/1080p.m3u8`]) {
      const response = await edge.get(path);
      expect([response.status, response.headers.get('cache-control')]).toEqual([404, 'public, max-age=1']);
    }
  });

  it('is the last known one while the store is away, and 503 when nothing is known', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11)));
    await edge.get(MEDIA);
    edge.source.failure = new Error('SlowDown');
    await edge.clock.advance(5000);
    expect((await edge.get(MEDIA)).status).toBe(200);
    const cold = recordedEdge();
    cold.source.failure = new Error('SlowDown');
    const response = await cold.get(MEDIA);
    expect([response.status, response.headers.get('cache-control')]).toEqual([503, 'no-store']);
    cold.source.failure = undefined;
    cold.record(both(5, list(10, 11)));
    await cold.clock.advance(1000);
    expect((await cold.get(MEDIA)).status).toBe(200);
  });
});

describe('a final recording', () => {
  it('is what finalizeVod wrote', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11)));
    expect(await textOf(edge.get(MEDIA))).not.toContain('ENDLIST');
    edge.finish([both(5, list(10, 11, 12))]);
    await edge.clock.advance(1000);
    const response = await edge.get(MEDIA);
    expect(response.headers.get('cache-control')).toBe('public, max-age=60, stale-while-revalidate=600');
    const text = await response.text();
    expect(uris(text)).toHaveLength(3);
    expect(text).toContain('#EXT-X-PLAYLIST-TYPE:VOD');
    expect(text.endsWith('#EXT-X-ENDLIST\n')).toBe(true);
    expect((await edge.get(`${VOD}.m3u8`)).status).toBe(200);
  });

  it('is cut into clips without reading an index', async () => {
    const edge = recordedEdge();
    const index = both(5, list(10, 11, 12, 13));
    edge.seal(index);
    edge.finish([index]);
    expect(uris(await textOf(edge.get(`${MEDIA}?start=2&end=5`)))).toEqual(['../5/720p/11.m4s', '../5/720p/12.m4s']);
    expect(edge.source.reads.filter((key) => key.includes('/index/'))).toEqual([]);
    const reads = edge.source.reads.length;
    await edge.get(`${MEDIA}?start=0&end=1`);
    expect(edge.source.reads).toHaveLength(reads);
  });
});

describe('VLC', () => {
  const headers = { 'user-agent': 'VLC/3.0.21 LibVLC/3.0.21' };

  it('gets playlists that it can play over a discontinuity and a gap, which nobody else gets', async () => {
    const edge = recordedEdge();
    const indexes = [both(5, list(10)), both(6, list(12, 13))];
    for (const index of indexes) edge.seal(index);
    edge.finish(indexes);
    const plain = ['../5/720p/10.m4s', '../5/720p/11.m4s', '../6/720p/12.m4s', '../6/720p/13.m4s'];
    for (let count = 0; count < 2; count += 1) {
      const response = await edge.get(MEDIA, { headers });
      expect(response.headers.get('cache-control')).toBe('private, max-age=1');
      expect(uris(await response.text())).toEqual([
        '../5/720p/10.m4s',
        '../5/720p/11.m4s?gap=1',
        '../6/720p/12.m4s?init=1',
        '../6/720p/13.m4s',
      ]);
      expect(uris(await textOf(edge.get(MEDIA)))).toEqual(plain);
    }
    expect(uris(await textOf(edge.get(`${MEDIA}?start=0&end=7`, { headers })))[2]).toBe('../6/720p/12.m4s?init=1');
  });

  it('carries its token on', async () => {
    const edge = recordedEdge(signed);
    edge.record(both(5, list(10)));
    edge.record(both(6, list(11)));
    expect(uris(await textOf(edge.get(`${MEDIA}?token=${TOKEN}`, { headers })))).toEqual([
      '../5/720p/10.m4s?token={$token}',
      '../6/720p/11.m4s?init=1&token={$token}',
    ]);
  });
});

describe('clips', () => {
  it.each([
    ['start=3&end=3', 'start (3) must be less than end (3)'],
    ['start=5&end=3', 'start (5) must be less than end (3)'],
    ['start=-1&end=3', 'start must not be negative'],
    ['start=a', 'start must be a number of seconds'],
    ['start=1&start=2', 'start must be a number of seconds'],
    ['start=%31', 'start must be a number of seconds'],
    ['end=', 'end must be a number of seconds'],
    ['start=8', 'start (8) lies beyond the end: the recording is 8.000 s long'],
    ['start=1&end=9', 'end (9) lies beyond the end: the recording is 8.000 s long'],
  ])('%s: 400 that says so', async (query, detail) => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11, 12, 13)));
    for (const path of [MEDIA, `${VOD}.m3u8`]) {
      const response = await edge.get(`${path}?${query}`);
      expect([response.status, response.headers.get('cache-control')]).toEqual([400, 'no-store']);
      expect(await response.json()).toEqual({ type: 'about:blank', status: 400, title: 'Bad Request', detail });
    }
  });

  it('are handed on by the multivariant playlist, and share one object however they are spelt', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11, 12, 13)));
    expect(await textOf(edge.get(`${VOD}.m3u8?start=02.0&end=4`))).toContain('/720p.m3u8?start=2&end=4\n');
    await edge.get(`${MEDIA}?start=2&end=4`);
    const { memoryHits } = edge.counters;
    await edge.get(`${MEDIA}?end=4.0&other=1&start=2`);
    expect(edge.counters.memoryHits).toBe(memoryHits + 1);
  });
});

describe('a recording that is not public', () => {
  it.each([
    MEDIA,
    `${VOD}.m3u8`,
    `${MEDIA}?start=0&end=2`,
    `${MEDIA}?start=99`,
    '/demo/5/720p/10.m4s',
    '/demo/5/720p/10.m4s?init=1',
    '/demo/5/720p/99.m4s?gap=1',
  ])('wants a token for %s, from memory too, whatever its stream says today', async (path) => {
    const edge = recordedEdge(signed);
    edge.record(both(5, list(10, 11)));
    edge.registry = async () => Promise.resolve(record({ epochNumber: 9, startedAtMs: 8 }));
    await edge.get('/demo/live.m3u8');
    for (let count = 0; count < 2; count += 1) {
      const refused = await edge.get(path);
      expect([refused.status, refused.headers.get('cache-control')]).toEqual([401, 'no-store']);
      const forged = await edge.get(path, { headers: { authorization: 'Bearer aaaa.bbbb.dddd' } });
      expect(forged.status).toBe(403);
      const shown = await edge.get(path, { headers: { authorization: `Bearer ${TOKEN}` } });
      expect(shown.status).toBe(path.includes('start=99') ? 400 : 200);
      expect(shown.headers.get('cache-control')).toMatch(/private|no-store/);
    }
  });

  it('hands the token on to what its playlists list', async () => {
    const edge = recordedEdge(signed);
    edge.record(both(5, list(10, 11)));
    const text = await textOf(edge.get(`${MEDIA}?start=0&end=2&token=${TOKEN}`));
    expect(uris(text)).toEqual(['../5/720p/10.m4s?token={$token}']);
    expect(text).toContain('URI="../5/720p/init.mp4?token={$token}"');
    const top = await textOf(edge.get(`${VOD}.m3u8?start=0&end=2&token=${TOKEN}`));
    expect(top).toContain('/720p.m3u8?start=0&end=2&token={$token}\n');
    expect(text + top).not.toContain(TOKEN);
  });

  it('stays shut when its policy cannot be read', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11)));
    edge.source.put(recordingKey.session(edge.session.streamId, edge.session.sessionId), '{"v":1}');
    edge.source.put(recordingKey.epoch(edge.session.streamId, parseEpoch(5)), 'no JSON');
    expect((await edge.get(MEDIA)).status).toBe(503);
    expect((await edge.get('/demo/5/720p/10.m4s')).status).toBe(503);
    edge.source.delete(recordingKey.session(edge.session.streamId, edge.session.sessionId));
    edge.source.delete(recordingKey.epoch(edge.session.streamId, parseEpoch(5)));
    await edge.clock.advance(3000);
    expect((await edge.get(MEDIA)).status).toBe(404);
    expect((await edge.get('/demo/5/720p/10.m4s')).status).toBe(404);
    expect(JSON.stringify(edge.log)).not.toContain('secret');
  });
});

describe('media of a signed recording of a stream that is public today', () => {
  it('wants its token before anything is loaded, and is shut while the store cannot say', async () => {
    const edge = recordedEdge(signed);
    edge.record(both(5, list(10)));
    edge.registry = async () => Promise.resolve(record({ epochNumber: 9, startedAtMs: 8 }));
    expect((await edge.get('/demo/5/720p/10.m4s')).status).toBe(401);
    expect(edge.source.reads).toEqual(['demo/5/epoch.json']);
    const away = recordedEdge(signed);
    away.registry = edge.registry;
    away.source.failure = new Error('SlowDown');
    expect((await away.get('/demo/5/720p/10.m4s')).status).toBe(503);
    away.upstream = async () => Promise.resolve(reply(200, 'live'));
    expect((await away.get('/demo/9/720p/10.m4s')).status).toBe(200);
  });
});

describe('a public recording of a stream that is signed today', () => {
  it('plays without a token', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10, 11)));
    edge.registry = async () => Promise.resolve(record({ epochNumber: 9, startedAtMs: 8, playback: 'signed' }));
    expect((await edge.get('/demo/live.m3u8')).status).toBe(401);
    for (const path of [MEDIA, `${VOD}.m3u8`, '/demo/5/720p/10.m4s', '/demo/5/720p/init.mp4']) {
      expect((await edge.get(path)).status).toBe(200);
      expect((await edge.get(path)).status).toBe(200);
    }
    expect((await edge.get('/demo/9/720p/10.m4s')).status).toBe(401);
  });
});

describe('media of a recording', () => {
  it('comes from the store when nobody knows the stream any more, with ranges, immutable', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10)));
    const response = await edge.get('/demo/5/720p/10.m4s', { headers: { range: 'bytes=0-4' } });
    expect([response.status, await response.text()]).toEqual([206, 'media']);
    expect(response.headers.get('cache-control')).toBe('public, max-age=1209600, immutable');
    expect(response.headers.get('content-type')).toBe('video/mp4');
    expect((await edge.get('/demo/5/720p/11.m4s')).status).toBe(404);
  });

  it.each([
    ['no longer holds it', async () => Promise.resolve(reply(404))],
    ['is dead', async () => Promise.reject(new Error('refused'))],
  ])('comes from the store when its server %s', async (_, upstream) => {
    const edge = recordedEdge();
    edge.record(both(5, list(10)));
    edge.registry = async () => Promise.resolve(record());
    edge.upstream = upstream;
    expect(await textOf(edge.get('/demo/5/720p/10.m4s'))).toBe('media 10');
    expect(edge.asked.urls).toHaveLength(1);
  });

  it('comes from its server as long as that holds it, whatever the store does', async () => {
    const edge = recordedEdge();
    edge.source.failure = new Error('SlowDown');
    edge.registry = async () => Promise.resolve(record());
    edge.upstream = async () => Promise.resolve(reply(200, 'live'));
    expect(await textOf(edge.get('/demo/5/720p/10.m4s'))).toBe('live');
    expect(edge.source.reads).toEqual([]);
  });

  it('comes from the store when its server hangs', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10)));
    edge.registry = async () => Promise.resolve(record());
    edge.upstream = async () => new Promise(() => undefined);
    const waiting = edge.get('/demo/5/720p/10.m4s');
    await edge.clock.advance(1000);
    expect(await textOf(waiting)).toBe('media 10');
  });

  it('comes after its initialization segment, or as that alone, for players that know no second one and no gaps', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10)));
    const after = await edge.get('/demo/5/720p/10.m4s?init=1');
    expect([after.status, await after.text()]).toEqual([200, 'initmedia 10']);
    expect(after.headers.get('cache-control')).toContain('immutable');
    const gap = await edge.get('/demo/5/720p/11.m4s?gap=1');
    expect([gap.status, await gap.text()]).toEqual([200, 'init']);
    expect(gap.headers.get('cache-control')).not.toContain('immutable');
    expect((await edge.get('/demo/5/720p/11.m4s?init=1')).status).toBe(404);
    expect((await edge.get('/demo/6/720p/11.m4s?gap=1')).status).toBe(404);
    expect(await textOf(edge.get('/demo/5/720p/10.m4s?other=1'))).toBe('media 10');
  });

  it('of an earlier session is not asked of a server first', async () => {
    const edge = recordedEdge();
    edge.record(both(5, list(10)));
    edge.registry = async () => Promise.resolve(record({ epochNumber: 9, startedAtMs: 8 }));
    expect((await edge.get('/demo/5/720p/10.m4s')).status).toBe(200);
    expect(edge.asked.urls).toEqual([]);
    expect(
      keyOfPath({ kind: 'segment', streamId: edge.session.streamId, epoch: parseEpoch(5), rendition: HIGH, msn: 10 }),
    ).toBe('demo/5/720p/10.m4s');
  });
});

describe('media of a signed session that its server still has, while the next session is public', () => {
  function betweenSessions() {
    const edge = recordedEdge(signed);
    edge.record(both(5, list(10)));
    edge.registry = async () => Promise.resolve(record({ epochNumber: 9, startedAtMs: 9 }));
    edge.upstream = async () => Promise.resolve(reply(200, 'media of the signed session'));
    return edge;
  }

  it.each(['11.m4s', '10.0.m4s', '11.2.m4s'])('%s wants a token, also once somebody had it by one', async (name) => {
    const edge = betweenSessions();
    const path = `/demo/5/720p/${name}`;
    expect((await edge.get(path)).status).toBe(401);
    expect(await textOf(edge.get(`${path}?token=${TOKEN}`))).toBe('media of the signed session');
    expect((await edge.get(path)).status).toBe(401);
  });

  it('is shut when the store cannot say whose it is', async () => {
    const edge = betweenSessions();
    edge.source.failure = new Error('away');
    expect((await edge.get('/demo/5/720p/11.2.m4s')).status).toBe(503);
  });
});
