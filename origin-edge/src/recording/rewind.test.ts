import { describe, expect, it } from 'vitest';
import type { UpstreamReply } from '../../../contracts/edge_dependencies.ts';
import { parseSessionId, sessionStartMs } from '../../../contracts/ids.ts';
import { both, entry, index } from '../../../contracts/testing/recorded_session.ts';
import { gzipByStream } from '../gzip_stream.ts';
import { bytesOf } from '../stored_object.ts';
import { recordedEdge } from '../testing/recorded_edge.ts';
import type { RecordedEdge } from '../testing/recorded_edge.ts';
import { playlistReply, record, reply } from '../testing/scripted_edge.ts';

const REWIND = '/demo/rewind/720p.m3u8';
const list = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, offset) => entry(from + offset, (from + offset - 10) * 2));

/** A live playlist of segments `from` to `to` of epoch 5, and a part of the next. */
function live(
  from: number,
  to: number,
  over: { readonly head?: string; readonly epochs?: (msn: number) => number } = {},
): UpstreamReply {
  const { head = '', epochs = () => 5 } = over;
  const segments = list(from, to).map(({ msn, pdt }, position, all) => {
    const before = all[position - 1];
    const isNew = before !== undefined && epochs(before.msn) !== epochs(msn);
    return `${isNew ? '#EXT-X-DISCONTINUITY\n' : ''}#EXT-X-PROGRAM-DATE-TIME:${new Date(pdt).toISOString()}
#EXTINF:2.00000,
../${epochs(msn)}/720p/${msn}.m4s
`;
  });
  return playlistReply(
    `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,HOLD-BACK=6,PART-HOLD-BACK=1
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:${from}
${head}#EXT-X-MAP:URI="../5/720p/init.mp4"
${segments.join('')}#EXT-X-PART:DURATION=0.50000,URI="../5/720p/${to + 1}.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="../5/720p/${to + 1}.1.m4s"
#EXT-X-RENDITION-REPORT:URI="../360p/index.m3u8",LAST-MSN=${to + 1},LAST-PART=0
`,
    { position: `${to + 1}.1` },
  );
}

function liveEdge(reply_: UpstreamReply): RecordedEdge {
  const edge = recordedEdge();
  edge.registry = async () => Promise.resolve(record());
  edge.upstream = async () => Promise.resolve(reply_);
  return edge;
}

const textOf = async (response: Response | Promise<Response>): Promise<string> => (await response).text();
const numbers = (text: string): number[] => [...text.matchAll(/\/([0-9]+)\.m4s$/gm)].map((match) => Number(match[1]));
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, offset) => from + offset);

describe('rewind', () => {
  it('lists the recording up to the live window, then that, without parts', async () => {
    const edge = liveEdge(live(12, 14));
    edge.record(both(5, list(10, 12)));
    const response = await edge.get(REWIND);
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'public, max-age=1']);
    expect(await response.text()).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12
#EXT-X-MEDIA-SEQUENCE:10
#EXT-X-MAP:URI="../5/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:00:00.000Z
#EXTINF:2.00000,
../5/720p/10.m4s
#EXTINF:2.00000,
../5/720p/11.m4s
#EXTINF:2.00000,
../5/720p/12.m4s
#EXTINF:2.00000,
../5/720p/13.m4s
#EXTINF:2.00000,
../5/720p/14.m4s
`);
  });

  it('has a multivariant playlist of what is recorded', async () => {
    const edge = liveEdge(reply(200, '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n720p/index.m3u8\n'));
    expect(await textOf(edge.get('/demo/rewind.m3u8'))).toMatch(/rewind\/360p\.m3u8\n[^]*rewind\/720p\.m3u8\n$/);
    const unrecorded = liveEdge(reply(200, '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n720p/index.m3u8\n'));
    unrecorded.source.delete('demo/vod-01JBX0000000000000000000AA/session.json');
    expect(await textOf(unrecorded.get('/demo/rewind.m3u8'))).toBe(
      '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nrewind/720p.m3u8\n',
    );
  });

  it('is the live window where nothing is recorded, and 404 where there is no stream', async () => {
    const edge = liveEdge(live(12, 14));
    expect(numbers(await textOf(edge.get(REWIND)))).toEqual([12, 13, 14]);
    edge.registry = async () => Promise.resolve(undefined);
    expect((await edge.get('/nobody/rewind.m3u8')).status).toBe(404);
    expect((await edge.get('/nobody/rewind/720p.m3u8')).status).toBe(404);
  });

  it('has gaps, never wrong numbers, for what is neither recorded yet nor live any more', async () => {
    const edge = liveEdge(live(15, 16));
    edge.record(both(5, list(10, 12)));
    const text = await textOf(edge.get(REWIND));
    expect(numbers(text)).toEqual(range(10, 16));
    expect(text.match(/#EXT-X-GAP\n#EXTINF:2.00000,\n\.\.\/5\/720p\/1[34]\.m4s/g)).toHaveLength(2);
    edge.record(both(5, list(10, 15)));
    await edge.clock.advance(1000);
    expect(await textOf(edge.get(REWIND))).not.toContain('EXT-X-GAP');
  });

  it('has none for what this edge saw live while the recorder lagged', async () => {
    const edge = liveEdge(live(12, 14));
    edge.record(both(5, list(10, 12)));
    await edge.get(REWIND);
    edge.upstream = async () => Promise.resolve(live(15, 17));
    await edge.clock.advance(1000);
    const text = await textOf(edge.get(REWIND));
    expect(numbers(text)).toEqual(range(10, 17));
    expect(text).not.toContain('EXT-X-GAP');
  });

  it('goes on while the store is away, and while the media server is', async () => {
    const edge = liveEdge(live(12, 14));
    edge.record(both(5, list(10, 12)));
    await edge.get(REWIND);
    edge.source.failure = new Error('SlowDown');
    edge.upstream = async () => Promise.resolve(live(13, 15));
    await edge.clock.advance(2000);
    expect(numbers(await textOf(edge.get(REWIND)))).toEqual(range(10, 15));
    edge.upstream = async () => Promise.reject(new Error('away'));
    await edge.clock.advance(2000);
    expect(numbers(await textOf(edge.get(REWIND)))).toEqual(range(10, 15));
  });

  it('ends with the session', async () => {
    const edge = liveEdge(live(12, 14));
    edge.record(both(5, list(10, 12)));
    const { body } = live(12, 14);
    edge.upstream = async () =>
      Promise.resolve(playlistReply(`${new TextDecoder().decode(body)}#EXT-X-ENDLIST\n`, { state: 'ended' }));
    expect((await textOf(edge.get(REWIND))).endsWith('14.m4s\n#EXT-X-ENDLIST\n')).toBe(true);
  });

  it('counts discontinuities from the start of the session, whatever left the live window', async () => {
    const epochs = (msn: number) => (msn < 13 ? 5 : 6);
    const edge = liveEdge(live(12, 14, { epochs, head: '#EXT-X-DISCONTINUITY-SEQUENCE:7\n' }));
    edge.record(both(5, list(10, 12)));
    edge.record(both(6, list(13, 13)));
    expect((await textOf(edge.get(REWIND))).match(/#EXT-X-DISC.*/g)).toEqual(['#EXT-X-DISCONTINUITY']);
    const short = recordedEdge({ app: { rewindSeconds: 4 } });
    short.registry = edge.registry;
    short.upstream = edge.upstream;
    short.record(both(5, list(10, 12)));
    short.record(both(6, list(13, 13)));
    const text = await textOf(short.get(REWIND));
    expect(numbers(text)).toEqual([13, 14]);
    expect(text.match(/#EXT-X-DISC.*/g)).toEqual(['#EXT-X-DISCONTINUITY-SEQUENCE:1']);
    const unrecorded = liveEdge(live(12, 14, { epochs, head: '#EXT-X-DISCONTINUITY-SEQUENCE:7\n' }));
    expect((await textOf(unrecorded.get(REWIND))).match(/#EXT-X-DISC.*/g)).toEqual([
      '#EXT-X-DISCONTINUITY-SEQUENCE:7',
      '#EXT-X-DISCONTINUITY',
    ]);
  });

  it('is the same in a rendition that is not recorded, as far as that goes', async () => {
    const edge = recordedEdge({ session: { record: 'top', renditions: ['720p'] as never } });
    edge.registry = async () => Promise.resolve(record());
    const low = new TextDecoder().decode(live(12, 14).body).replaceAll('720p', '360p');
    edge.upstream = async () => Promise.resolve(playlistReply(low));
    edge.record(index(5, { '720p': list(10, 12) }));
    expect(numbers(await textOf(edge.get('/demo/rewind/360p.m3u8')))).toEqual([12, 13, 14]);
    expect(await textOf(edge.get('/demo/rewind.m3u8'))).not.toContain('360p');
  });

  it('needs a token when the stream does', async () => {
    const edge = liveEdge(live(12, 14));
    edge.registry = async () => Promise.resolve(record({ playback: 'signed' }));
    for (const path of [REWIND, '/demo/rewind.m3u8', `${REWIND}?_HLS_skip=YES`]) {
      expect((await edge.get(path)).status).toBe(401);
      expect((await edge.get(path)).status).toBe(401);
    }
  });

  it('passes over blocking reloads, which it does not offer', async () => {
    const edge = liveEdge(live(12, 14));
    expect(numbers(await textOf(edge.get(`${REWIND}?_HLS_msn=99&_HLS_part=1`)))).toEqual([12, 13, 14]);
  });
});

describe('four hours of rewind', () => {
  it('reload in less than 10 KB, over a discontinuity too', async () => {
    const epochs = (msn: number) => (msn < 100 ? 5 : 6);
    const edge = liveEdge(live(7201, 7230, { epochs }));
    edge.record(both(5, list(10, 99)));
    edge.record(both(6, list(100, 7200)));
    const whole = await textOf(edge.get(REWIND));
    const delta = await textOf(edge.get(`${REWIND}?_HLS_skip=YES`));
    expect(numbers(whole)).toHaveLength(7200);
    expect(numbers(whole)[0]).toBe(31);
    expect(delta).toContain('#EXT-X-SKIP:SKIPPED-SEGMENTS=7194\n');
    expect(numbers(delta)).toEqual(range(7225, 7230));
    expect(delta.length).toBeLessThan(1000);
    expect((await gzipByStream(bytesOf(whole))).length).toBeLessThan(60_000);
  });
});

describe('a live stream whose server is dead, seen by an edge that knows nothing', () => {
  it('is what is durable of it', async () => {
    const edge = recordedEdge();
    edge.registry = async () => Promise.resolve(record());
    edge.upstream = async () => Promise.reject(new Error('refused'));
    edge.record(both(5, list(10, 50)));
    expect(await textOf(edge.get('/demo/live.m3u8'))).toContain('\n720p/index.m3u8\n');
    const waiting = edge.get('/demo/720p/index.m3u8');
    await edge.clock.advance(1000);
    const response = await waiting;
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'public, max-age=1']);
    const text = await response.text();
    expect(numbers(text)).toEqual(range(21, 50));
    expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:21\n');
    expect(text).not.toContain('ENDLIST');
    expect((await edge.get('/demo/5/720p/21.m4s')).status).toBe(200);
  });

  it('has its ENDLIST once the session is over', async () => {
    const edge = recordedEdge();
    edge.registry = async () => Promise.resolve(record({ state: 'ended' }));
    edge.upstream = async () => Promise.resolve(reply(404));
    edge.seal(both(5, list(10, 12)));
    edge.finish([both(5, list(10, 12))]);
    expect((await textOf(edge.get('/demo/720p/index.m3u8'))).endsWith('12.m4s\n#EXT-X-ENDLIST\n')).toBe(true);
  });

  it('is what its server says when that is slow, and the store hangs', async () => {
    const edge = recordedEdge({
      app: {
        recordings: { get: async () => new Promise(() => undefined), list: async () => new Promise(() => undefined) },
      },
    });
    edge.registry = async () => Promise.resolve(record());
    edge.upstream = async () =>
      new Promise((resolve) => {
        edge.clock.after(1500, () => resolve(live(12, 14)));
      });
    const waiting = edge.get('/demo/720p/index.m3u8');
    await edge.clock.advance(1500);
    expect(numbers(await textOf(waiting)).slice(0, 3)).toEqual([12, 13, 14]);
  });
});

describe('status and poster', () => {
  const ID = '01JBX0000000000000000000AA';

  it('know the recordings, also of a stream that the registry has forgotten', async () => {
    const edge = recordedEdge();
    const url = `/demo/vod-${ID}.m3u8`;
    expect(await (await edge.get('/demo/status.json')).json()).toEqual({
      streamId: 'demo',
      live: false,
      state: 'ended',
      renditions: [],
      recordings: [{ sessionId: ID, url, startedAt: new Date(sessionStartMs(parseSessionId(ID))).toISOString() }],
    });
    edge.registry = async () => Promise.resolve(record());
    edge.upstream = async () => Promise.resolve(reply(200, '{"streamId":"demo","live":true,"recordings":[]}'));
    await edge.clock.advance(10_000);
    const status = (await (await edge.get('/demo/status.json')).json()) as { live: boolean; recordings: unknown[] };
    expect([status.live, status.recordings.length]).toEqual([true, 1]);
  });

  it('are refused of a signed recording of a stream that is forgotten', async () => {
    const edge = recordedEdge({ session: { playback: 'signed' } });
    edge.source.put(`demo/vod-${ID}/poster.jpg`, 'jpeg');
    for (const path of ['/demo/status.json', '/demo/poster.jpg']) {
      expect((await edge.get(path)).status).toBe(401);
      expect((await edge.get(path)).status).toBe(401);
    }
  });

  it('come from the newest recording after the end', async () => {
    const edge = recordedEdge();
    expect((await edge.get('/demo/poster.jpg')).status).toBe(404);
    edge.source.put(`demo/vod-${ID}/poster.jpg`, 'jpeg');
    await edge.clock.advance(2000);
    const response = await edge.get('/demo/poster.jpg');
    expect([response.headers.get('content-type'), await response.text()]).toEqual(['image/jpeg', 'jpeg']);
  });
});
