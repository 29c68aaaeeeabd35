/**
 * A live stream that a test moves on by hand: real playlists and bytes in memory behind the transcoder's own media
 * server, and the registry's record of it behind an HTTP look-up.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isRenditionName, parseEpoch, parseRenditionName, parseSessionId, parseStreamId } from '../../contracts/ids.ts';
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import { answersQuery } from '../../contracts/playlist_query.ts';
import type { StreamRecord, StreamState } from '../../contracts/registry.ts';
import type { StreamStatus } from '../../contracts/status.ts';
import { createMediaServer } from '../../transcoder/serve/media_server.ts';
import type { MediaServer } from '../../transcoder/serve/media_server.ts';
import type {
  PlaylistReply,
  PlaylistRequest,
  StreamDirectory,
  StreamView,
} from '../../transcoder/serve/stream_view.ts';

export const RENDITION = parseRenditionName('720p');
export const SESSION = parseSessionId('01JBX0000000000000000000AA');
const PARTS_PER_SEGMENT = 4;
const WINDOW = 6;

export interface FixtureOptions {
  readonly streamId?: string;
  readonly epoch?: number;
  readonly firstMsn?: number;
  /** Bytes of one part. */
  readonly partBytes?: number;
  /** s; a wait ends after three of these. */
  readonly targetDuration?: number;
}

/** One rendition, four parts to a segment. `advance()` publishes the next part. */
export class LiveFixture implements StreamView {
  readonly streamId: StreamId;
  readonly epoch: Epoch;
  /** What the media server asked, in order: the requests that reached it. */
  readonly calls: string[] = [];
  state: StreamState = 'live';
  readonly #partBytes: number;
  readonly #targetDuration: number;
  readonly #segments = new Map<number, Buffer[]>();
  readonly #waiters = new Set<() => void>();
  #msn: number;

  constructor(options: FixtureOptions = {}) {
    this.streamId = parseStreamId(options.streamId ?? 'demo');
    this.epoch = parseEpoch(options.epoch ?? 1_700_000_000_000);
    this.#msn = options.firstMsn ?? 100;
    this.#partBytes = options.partBytes ?? 10_000;
    this.#targetDuration = options.targetDuration ?? 2;
    for (let part = 0; part < 3 * PARTS_PER_SEGMENT; part += 1) this.advance();
  }

  get position(): { readonly msn: number; readonly parts: number } {
    return { msn: this.#msn, parts: this.#segments.get(this.#msn)?.length ?? 0 };
  }

  /** How many requests wait for something that is not there yet. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Publishes the next part and wakes all who wait. */
  advance(): void {
    const parts = this.#segments.get(this.#msn) ?? [];
    parts.push(Buffer.alloc(this.#partBytes, parts.length + 1));
    this.#segments.set(this.#msn, parts);
    if (parts.length === PARTS_PER_SEGMENT) this.#msn += 1;
    this.#segments.delete(this.#msn - WINDOW - 1);
    this.#wake();
  }

  end(): void {
    this.state = 'ended';
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
  }

  async #until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    if (holds() || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (holds()) done();
      };
      const done = (): void => {
        this.#waiters.delete(check);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, 3000 * this.#targetDuration);
      this.#waiters.add(check);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  status(): StreamStatus {
    this.calls.push('status');
    return { streamId: this.streamId, live: true, state: 'live', sessionId: SESSION, renditions: [], recordings: [] };
  }

  async multivariant(): Promise<{ text: string; epoch: Epoch; targetDuration: number }> {
    this.calls.push('multivariant');
    const text = [
      '#EXTM3U',
      '#EXT-X-VERSION:9',
      '#EXT-X-INDEPENDENT-SEGMENTS',
      '#EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000',
      `${RENDITION}/index.m3u8`,
      '',
    ].join('\n');
    return Promise.resolve({ text, epoch: this.epoch, targetDuration: this.#targetDuration });
  }

  async mediaPlaylist(rendition: RenditionName, request: PlaylistRequest, signal: AbortSignal): Promise<PlaylistReply> {
    this.calls.push(`playlist ${JSON.stringify(request)}`);
    if (rendition !== RENDITION) return { outcome: 'not-found' };
    if (request.msn !== undefined && request.msn > this.#msn + 2) return { outcome: 'too-far' };
    await this.#until(() => this.state === 'ended' || answersQuery(request, this.position), signal);
    return {
      outcome: 'playlist',
      text: this.#text(),
      state: this.state,
      targetDuration: this.#targetDuration,
      epoch: this.epoch,
      position: this.position,
    };
  }

  #text(): string {
    const base = `/${this.streamId}/${this.epoch}/${RENDITION}`;
    const first = Math.max(Math.min(...this.#segments.keys()), this.#msn - WINDOW);
    const lines = [
      '#EXTM3U',
      '#EXT-X-VERSION:9',
      `#EXT-X-TARGETDURATION:${this.#targetDuration}`,
      '#EXT-X-PART-INF:PART-TARGET=0.5',
      '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5',
      `#EXT-X-MEDIA-SEQUENCE:${first}`,
      `#EXT-X-MAP:URI="${base}/init.mp4"`,
    ];
    for (const [msn, parts] of this.#segments) {
      if (msn < first) continue;
      for (const part of parts.keys()) lines.push(`#EXT-X-PART:DURATION=0.5,URI="${base}/${msn}.${part}.m4s"`);
      if (parts.length === PARTS_PER_SEGMENT) lines.push('#EXTINF:2.0,', `${base}/${msn}.m4s`);
    }
    const { msn, parts } = this.position;
    if (this.state === 'ended') lines.push('#EXT-X-ENDLIST');
    else lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${base}/${msn}.${parts}.m4s"`);
    return `${lines.join('\n')}\n`;
  }

  init(epoch: Epoch, rendition: RenditionName): readonly Buffer[] | undefined {
    this.calls.push('init');
    return this.#holds(epoch, rendition) ? [Buffer.from('init')] : undefined;
  }

  segment(epoch: Epoch, rendition: RenditionName, msn: number): readonly Buffer[] | undefined {
    this.calls.push(`segment ${msn}`);
    const parts = this.#holds(epoch, rendition) ? this.#segments.get(msn) : undefined;
    return parts?.length === PARTS_PER_SEGMENT ? parts : undefined;
  }

  async part(
    epoch: Epoch,
    rendition: RenditionName,
    msn: number,
    part: number,
    signal: AbortSignal,
  ): Promise<readonly Buffer[] | undefined> {
    this.calls.push(`part ${msn}.${part}`);
    if (!this.#holds(epoch, rendition)) return undefined;
    const find = (): Buffer | undefined => this.#segments.get(msn)?.[part];
    const { position } = this;
    const isAnnounced = msn === position.msn && part === position.parts;
    if (isAnnounced) await this.#until(() => find() !== undefined || this.state === 'ended', signal);
    const found = find();
    return found === undefined ? undefined : [found];
  }

  poster(): Buffer {
    return Buffer.from([0xff, 0xd8, 0xff, 0xd9]);
  }

  #holds(epoch: Epoch, rendition: RenditionName): boolean {
    return epoch === this.epoch && isRenditionName(rendition) && rendition === RENDITION;
  }
}

/** A media server with some streams. */
export interface Origin {
  readonly url: string;
  readonly port: number;
  readonly streams: Map<string, LiveFixture>;
  readonly server: MediaServer;
}

export async function startOrigin(
  fixtures: readonly LiveFixture[],
  options: { readonly mediaToken?: string; readonly port?: number } = {},
): Promise<Origin> {
  const streams = new Map(fixtures.map((fixture) => [fixture.streamId as string, fixture]));
  const directory: StreamDirectory = { find: (streamId) => streams.get(streamId) };
  const server = createMediaServer({
    directory,
    ready: () => true,
    onError: (error) => console.error(error),
    ...(options.mediaToken === undefined ? {} : { mediaToken: options.mediaToken }),
  });
  const port = await server.listen(options.port ?? 0, '127.0.0.1');
  return { url: `http://127.0.0.1:${port}`, port, streams, server };
}

export function recordOf(fixture: LiveFixture, url: string): StreamRecord {
  return {
    v: 1,
    streamId: fixture.streamId,
    sessionId: SESSION,
    epoch: fixture.epoch,
    state: fixture.state,
    startedAtMs: 1_700_000_000_000,
    serverId: 'server-1',
    address: { private: url },
    previous: [],
    playback: 'public',
    renditions: [RENDITION],
  };
}

/** The `resolve` look-up over HTTP. */
export interface Resolver {
  readonly url: string;
  readonly records: Map<string, StreamRecord>;
  /** `down`: connections are cut. */
  mode: 'up' | 'down';
  asked: number;
  close(): Promise<void>;
}

export async function startResolver(token: string): Promise<Resolver> {
  const records = new Map<string, StreamRecord>();
  const resolver: Resolver = { url: '', records, mode: 'up', asked: 0, close: async () => closeServer(server) };
  const server = createServer((request, response) => {
    resolver.asked += 1;
    if (resolver.mode === 'down') {
      request.socket.destroy();
      return;
    }
    if (request.headers.authorization !== `Bearer ${token}`) {
      response.writeHead(401).end();
      return;
    }
    const record = records.get((request.url ?? '').slice(1));
    response.writeHead(record === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(record ?? {}));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  return Object.assign(resolver, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
