/**
 * A small live origin for the watch page's tests: FFmpeg's HLS muxer cuts half a minute of test picture into parts
 * once, and this serves them as low-latency HLS (blocking reload, parts) that goes on for as long as it is told to.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PART_S = 0.5;
const SECONDS = 30;
const WINDOW = 12;
const RENDITIONS = [
  { name: '360p', size: '640x360', bandwidth: 900_000 },
  { name: '180p', size: '320x180', bandwidth: 400_000 },
];

interface Media {
  readonly init: Buffer;
  readonly parts: readonly Buffer[];
}

/** The cut picture, by rendition: 24 frames per second, a key frame at the head of each part. */
async function cutMedia(): Promise<ReadonlyMap<string, Media>> {
  const folder = await mkdtemp(join(tmpdir(), 'watch-page-'));
  const scale = RENDITIONS.map(({ size }, index) => `[s${index}]scale=${size.replace('x', ':')}[v${index}]`).join(';');
  const maps = RENDITIONS.flatMap((_, index) => ['-map', `[v${index}]`, '-map', '1:a']);
  await promisify(execFile)(
    'ffmpeg',
    [
      ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=24'],
      ['-f', 'lavfi', '-i', 'sine=frequency=330:sample_rate=48000', '-t', String(SECONDS)],
      ['-filter_complex', `[0:v]split=${RENDITIONS.length}[s0][s1];${scale}`, ...maps],
      ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '12', '-sc_threshold', '0'],
      ['-b:v:0', '700k', '-b:v:1', '250k', '-c:a', 'aac', '-b:a', '64k', '-f', 'hls', '-hls_time', String(PART_S)],
      ['-hls_segment_type', 'fmp4', '-hls_playlist_type', 'vod', '-hls_segment_filename', '%v_%d.m4s'],
      ['-var_stream_map', RENDITIONS.map(({ name }, index) => `v:${index},a:${index},name:${name}`).join(' ')],
      ['-hls_fmp4_init_filename', 'init_%v.mp4', '%v.m3u8'],
    ].flat(),
    { cwd: folder },
  );
  const media = new Map<string, Media>();
  for (const { name } of RENDITIONS) {
    const read = (file: string): Promise<Buffer> => readFile(join(folder, file));
    const parts = Array.from({ length: SECONDS / PART_S }, async (_, index) => read(`${name}_${index}.m4s`));
    media.set(name, { init: await read(`init_${name}.mp4`), parts: await Promise.all(parts) });
  }
  await rm(folder, { recursive: true });
  return media;
}

/** One run of the encoder: media from its first picture on, from `startMs` until `stopMs`. */
interface Run {
  readonly epoch: number;
  readonly firstMsn: number;
  readonly startMs: number;
  stopMs: number;
}

type State = 'none' | 'starting' | 'live' | 'interrupted' | 'ended';

/** A stream that a test puts on the air, interrupts and ends. */
export class LiveFixture {
  state: State = 'none';
  title: string | undefined;
  /** Everything that is asked for is answered 503. */
  broken = false;
  readonly #media: ReadonlyMap<string, Media>;
  #runs: Run[] = [];
  #session = 0;
  #epoch = 1000;

  private constructor(media: ReadonlyMap<string, Media>) {
    this.#media = media;
  }

  static async make(): Promise<LiveFixture> {
    return new LiveFixture(await cutMedia());
  }

  /** @returns undefined for a path that is not the stream's */
  async handle(url: URL): Promise<{ status: number; type: string; body: string | Buffer } | undefined> {
    const [, streamId, ...rest] = url.pathname.split('/');
    if (streamId !== 'demo') return undefined;
    if (this.broken) return { status: 503, type: 'application/problem+json', body: '{}' };
    const missing = { status: 404, type: 'application/problem+json', body: '{}' };
    if (rest[0] === 'status.json') return this.state === 'none' ? missing : this.#status();
    if (this.#runs.length === 0) return missing;
    if (rest[0] === 'live.m3u8') return playlist(multivariant());
    const rendition = this.#media.get(rest[0] ?? '');
    if (rendition !== undefined && rest[1] === 'index.m3u8') {
      await this.#reached(url.searchParams);
      return playlist(this.#mediaPlaylist());
    }
    return (await this.#object(rest)) ?? missing;
  }

  /** A new session begins. */
  goLive(): void {
    this.#session += 1;
    this.#runs = [];
    this.#startRun(this.#session * 1000);
    this.state = 'live';
  }

  /** The publisher is away: the playlist stands still. */
  interrupt(): void {
    this.#stopRun();
    this.state = 'interrupted';
  }

  /** The publisher is back: the next epoch of the same session. */
  resume(): void {
    const last = this.#runs.at(-1);
    this.#startRun(last === undefined ? 100 : last.firstMsn + Math.ceil((last.stopMs - last.startMs) / 1000));
    this.state = 'live';
  }

  end(): void {
    this.#stopRun();
    this.state = 'ended';
  }

  /** Nothing is known of the stream any more. */
  forget(): void {
    this.#runs = [];
    this.state = 'none';
  }

  #startRun(firstMsn: number): void {
    this.#epoch += 1;
    this.#runs.push({ epoch: this.#epoch, firstMsn, startMs: performance.now() - 5000, stopMs: Infinity });
  }

  #stopRun(): void {
    const last = this.#runs.at(-1);
    // The segment that is being made is finished, so that the next epoch begins with one.
    if (last !== undefined) last.stopMs = last.startMs + Math.ceil((performance.now() - last.startMs) / 1000) * 1000;
  }

  #status(): { status: number; type: string; body: string } {
    const sessionId = `01J0000000000000000000000${this.#session % 10}`;
    const onAir = this.state === 'live' || this.state === 'interrupted';
    const title = this.title === undefined ? {} : { title: this.title };
    const body = {
      streamId: 'demo',
      live: onAir,
      state: this.state,
      sessionId,
      ...title,
      renditions: [],
      recordings: [],
    };
    return { status: 200, type: 'application/json', body: JSON.stringify(body) };
  }

  #segmentsOf(run: Run): number {
    return Math.min(SECONDS, (Math.min(performance.now(), run.stopMs) - run.startMs) / 1000);
  }

  #partsOf(run: Run): number {
    // Half a millisecond of grace for the clock's binary fractions.
    return Math.floor((this.#segmentsOf(run) + 0.0005) / PART_S);
  }

  /** Holds a blocking reload (RFC 8216bis section 6.2.5.2) until its part is there, or for three seconds. */
  async #reached(query: URLSearchParams): Promise<void> {
    const msn = query.get('_HLS_msn');
    const run = this.#runs.at(-1);
    if (msn === null || run === undefined) return;
    const wanted = (Number(msn) - run.firstMsn) * 2 + Number(query.get('_HLS_part') ?? 1) + 1;
    await this.#until(run, wanted);
  }

  async #until(run: Run, parts: number): Promise<void> {
    const deadline = performance.now() + 3000;
    while (this.#partsOf(run) < parts && performance.now() < deadline && this.#runs.at(-1) === run) {
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }

  #mediaPlaylist(): string {
    const lines: string[] = [];
    const newest = this.#runs.at(-1);
    const end = newest === undefined ? 0 : newest.firstMsn + Math.ceil(this.#partsOf(newest) / 2);
    const first = Math.max(this.#runs[0]?.firstMsn ?? 0, end - WINDOW);
    for (const [index, run] of this.#runs.entries()) {
      const parts = this.#partsOf(run);
      const skipped = Math.max(0, first - run.firstMsn);
      if (skipped * 2 >= parts) continue;
      if (index > 0 && skipped === 0) lines.push('#EXT-X-DISCONTINUITY');
      lines.push(`#EXT-X-MAP:URI="../${run.epoch}/RENDITION/init.mp4"`, ...segmentLines(run, skipped, parts));
    }
    if (this.state === 'ended') lines.push('#EXT-X-ENDLIST');
    else if (newest !== undefined && newest.stopMs === Infinity) {
      const next = this.#partsOf(newest);
      const uri = `../${newest.epoch}/RENDITION/${newest.firstMsn + Math.floor(next / 2)}.${next % 2}.m4s`;
      lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${uri}"`);
    }
    return [
      '#EXTM3U',
      '#EXT-X-VERSION:9',
      '#EXT-X-TARGETDURATION:1',
      `#EXT-X-PART-INF:PART-TARGET=${PART_S}`,
      '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=3',
      `#EXT-X-MEDIA-SEQUENCE:${first}`,
      `#EXT-X-DISCONTINUITY-SEQUENCE:${this.#runs.filter((run, index) => index > 0 && run.firstMsn < first).length}`,
      ...lines,
      '',
    ].join('\n');
  }

  async #object(rest: readonly string[]): Promise<{ status: number; type: string; body: Buffer } | undefined> {
    const [epoch, name, file] = rest;
    const run = this.#runs.find((one) => String(one.epoch) === epoch);
    const media = this.#media.get(name ?? '');
    if (run === undefined || media === undefined || file === undefined) return undefined;
    if (file === 'init.mp4') return { status: 200, type: 'video/mp4', body: media.init };
    const [msn, part] = file.split('.');
    const at = (Number(msn) - run.firstMsn) * 2;
    if (part === 'm4s') return piece(media.parts.slice(at, at + 2));
    await this.#until(run, at + Number(part) + 1);
    return this.#partsOf(run) > at + Number(part)
      ? piece(media.parts.slice(at + Number(part), at + Number(part) + 1))
      : undefined;
  }
}

function segmentLines(run: Run, skipped: number, parts: number): string[] {
  const lines: string[] = [];
  for (let segment = skipped; segment * 2 < parts; segment += 1) {
    const uri = `../${run.epoch}/RENDITION/${run.firstMsn + segment}`;
    for (let part = segment * 2; part < Math.min(parts, segment * 2 + 2); part += 1) {
      lines.push(`#EXT-X-PART:DURATION=${PART_S},URI="${uri}.${part % 2}.m4s",INDEPENDENT=YES`);
    }
    if (segment * 2 + 2 <= parts) lines.push('#EXTINF:1,', `${uri}.m4s`);
  }
  return lines;
}

function multivariant(): string {
  const lines = RENDITIONS.flatMap(({ name, size, bandwidth }) => [
    `#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth},RESOLUTION=${size},FRAME-RATE=24,CODECS="avc1.42c01e,mp4a.40.2"`,
    `${name}/index.m3u8`,
  ]);
  return ['#EXTM3U', '#EXT-X-VERSION:9', '#EXT-X-INDEPENDENT-SEGMENTS', ...lines, ''].join('\n');
}

function playlist(body: string): { status: number; type: string; body: string } {
  return { status: 200, type: 'application/vnd.apple.mpegurl', body };
}

function piece(parts: readonly Buffer[]): { status: number; type: string; body: Buffer } {
  return { status: 200, type: 'video/mp4', body: Buffer.concat(parts) };
}

/** The pages and the stream on one origin, on a port of the system's choice. */
export interface FixtureServer {
  readonly origin: string;
  readonly close: () => Promise<void>;
}

/** @param pages what answers every path that is not the stream's */
export async function serveFixture(
  live: LiveFixture,
  pages: (request: Request) => Promise<Response> | Response,
): Promise<FixtureServer> {
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host ?? 'localhost'}`);
    const reply = await live.handle(url);
    if (reply !== undefined) {
      const rendition = url.pathname.split('/')[2] ?? '';
      const body = typeof reply.body === 'string' ? reply.body.replaceAll('RENDITION', rendition) : reply.body;
      outgoing.writeHead(reply.status, { 'Content-Type': reply.type, 'Cache-Control': 'no-store' }).end(body);
      return;
    }
    const page = await pages(new Request(url, { headers: headersOf(incoming) }));
    outgoing.writeHead(page.status, Object.fromEntries(page.headers)).end(Buffer.from(await page.arrayBuffer()));
  };
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch((error: unknown) => outgoing.destroy(error instanceof Error ? error : undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function headersOf(incoming: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) if (typeof value === 'string') headers.set(name, value);
  return headers;
}
