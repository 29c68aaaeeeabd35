/**
 * A real stream behind a real media server, and edges of their own in front of it: the one-machine run publishes, and
 * what it knows of its stream stands in a registry that any edge can ask.
 */
import { SignJWT } from 'jose';
import { parseEpoch, parseRenditionName, parseSessionId, parseStreamId } from '../../contracts/ids.ts';
import type { PlaybackPolicy, StreamRecord } from '../../contracts/registry.ts';
import { startEdgeProcess } from '../edge/edge_process.ts';
import type { EdgeProcess, Runtime } from '../edge/edge_process.ts';
import { startResolver } from '../edge/live_fixture.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';

/** Of the machine's media server; to be set as HW_MEDIA_TOKEN when it is started. */
export const MEDIA_TOKEN = 'media-token-of-the-real-stream';
const SECRET = 'a-playback-secret-of-the-real-stream';
const RESOLVE_TOKEN = 'resolve-token-of-the-real-stream';

export interface RealStream {
  /** What the registry says from now on; edges hear of it within a second or two. */
  playback: PlaybackPolicy;
  /** Opens the stream for five minutes. */
  token(): Promise<string>;
  startEdge(runtime: Runtime): Promise<EdgeProcess>;
  /** The edges stay the caller's. */
  close(): Promise<void>;
}

/** @param machine has the stream live */
export async function openRealStream(machine: MachineProcess, streamId: string): Promise<RealStream> {
  const record = await recordOf(machine, streamId);
  const resolver = await startResolver(RESOLVE_TOKEN);
  resolver.records.set(streamId, record);
  return {
    get playback() {
      return resolver.records.get(streamId)?.playback ?? 'public';
    },
    set playback(playback) {
      resolver.records.set(streamId, { ...record, playback });
    },
    token: async () =>
      new SignJWT({ sub: streamId })
        .setProtectedHeader({ alg: 'HS256', kid: 'test' })
        .setExpirationTime('5m')
        .sign(new TextEncoder().encode(SECRET)),
    startEdge: async (runtime) =>
      startEdgeProcess(runtime, {
        HW_RESOLVE_URL: resolver.url,
        HW_RESOLVE_TOKEN: RESOLVE_TOKEN,
        HW_MEDIA_TOKEN: MEDIA_TOKEN,
        HW_PLAYBACK_KEYS: `test=${SECRET}`,
        // workerd has no second address: it takes the public one.
        HW_UPSTREAM_BASE: runtime === 'worker' ? 'public' : 'private',
      }),
    close: async () => resolver.close(),
  };
}

async function recordOf(machine: MachineProcess, streamId: string): Promise<StreamRecord> {
  const text = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${machine.ports.edge}/${streamId}/${path}`)).text();
  const renditions = [...(await text('live.m3u8')).matchAll(/^([^#\s/]+)\/index\.m3u8$/gm)].map(
    (line) => line[1] ?? '',
  );
  const playlist = await text(`${renditions[0]}/index.m3u8`);
  const { sessionId } = JSON.parse(await text('status.json')) as { sessionId: string };
  const url = `http://127.0.0.1:${machine.ports.media}`;
  return {
    v: 1,
    streamId: parseStreamId(streamId),
    sessionId: parseSessionId(sessionId),
    epoch: parseEpoch(/\/([0-9]+)\/[^/]+\/init\.mp4/.exec(playlist)?.[1] ?? ''),
    state: 'live',
    startedAtMs: Date.now(),
    serverId: 'server-1',
    address: { private: url, public: url },
    previous: [],
    playback: 'public',
    renditions: renditions.map((name) => parseRenditionName(name)),
  };
}
