/**
 * A hub with fakes around it: a clock that tests move, a control plane that they answer for, and epochs without FFmpeg.
 */
import type { StreamId } from '../../../contracts/ids.ts';
import { DEFAULT_LADDER } from '../../encode/ladder_rungs.ts';
import type { PublisherConnection, PublishSink } from '../../ingest/publisher.ts';
import type { EpochRunOptions } from '../epoch_run.ts';
import { GopMemory } from '../gop_memory.ts';
import { LiveStream } from '../live_stream.ts';
import { SessionCompanions } from '../session_companion.ts';
import { SessionWindow } from '../session_window.ts';
import { StreamHub } from '../stream_hub.ts';
import type { NewSession } from '../stream_hub.ts';
import type { StreamSettings } from '../stream_settings.ts';
import { FakeClock } from './fake_clock.ts';
import { FakeControl } from './fake_control.ts';
import { FakeRun } from './fake_run.ts';
import { silentLogger } from './silent_logger.ts';
import { audioHeader, videoFrame, videoHeader } from './tags.ts';

export const DEMO = 'demo' as StreamId;
const SETTINGS: StreamSettings = {
  reconnectWindowMs: 60_000,
  goodbyeWindowMs: 10_000,
  graceMs: 120_000,
  rungs: DEFAULT_LADDER,
  topRendition: 'copy',
  segmentSeconds: 2,
  partSeconds: 0.5,
  playback: 'public',
  record: 'off',
};

/** What was said to a publisher. */
export interface FakePublisher extends PublisherConnection {
  closed: boolean;
  readonly said: string[];
}

export function publisher(clientAddress = '127.0.0.1'): FakePublisher {
  const connection = {
    connectionId: 'a-1',
    clientAddress,
    said: [] as string[],
    bytesReceived: 0,
    silentForMs: 0,
    closed: false,
    reject: (code: string, description: string) => {
      connection.said.push(`${code}: ${description}`);
      connection.closed = true;
    },
    close: () => (connection.closed = true),
  };
  return connection;
}

export interface HubStage {
  readonly clock: FakeClock;
  readonly control: FakeControl;
  readonly hub: StreamHub;
  readonly runs: FakeRun[];
  readonly sessions: LiveStream[];
  readonly accept: (streamKey?: string, connection?: PublisherConnection, signal?: AbortSignal) => Promise<PublishSink>;
}

export function start(settings: Partial<StreamSettings> = {}, maxStreams = 10): HubStage {
  const clock = new FakeClock();
  const control = new FakeControl(clock);
  const runs: FakeRun[] = [];
  const sessions: LiveStream[] = [];
  const all = { ...SETTINGS, ...settings };
  let claimIds = 0;
  const hub = new StreamHub({
    serverId: 'test',
    address: () => ({ private: 'http://127.0.0.1:1' }),
    control,
    settings: all,
    maxStreams,
    clock,
    logger: silentLogger,
    makeClaimId: () => `claim-${(claimIds += 1)}-0123456789`,
    openSession: (session) => {
      const stream = openFakeSession(session, { clock, settings: all, runs });
      sessions.push(stream);
      return stream;
    },
  });
  const accept: HubStage['accept'] = (
    streamKey = 'demo',
    connection = publisher(),
    signal = new AbortController().signal,
  ) => hub.accept({ streamKey, app: 'stream', query: {}, clientAddress: '', connectionId: '' }, connection, signal);
  return { clock, control, hub, runs, sessions, accept };
}

function openFakeSession(
  session: NewSession,
  { clock, settings, runs }: { clock: FakeClock; settings: StreamSettings; runs: FakeRun[] },
): LiveStream {
  const { streamId, carryOn, onShape } = session;
  const companions = new SessionCompanions([], silentLogger);
  const window = new SessionWindow({
    streamId,
    carryOn,
    resumed: false,
    segmentSeconds: 2,
    clock,
    companions,
    onShape,
  });
  const openRun = (options: EpochRunOptions): FakeRun => {
    const run = new FakeRun(options, clock.monotonicMs());
    runs.push(run);
    // As the packager does: the session's shape is known with the first media.
    window.open(options.plan, 2);
    window.tracksKnown(
      options.plan,
      options.plan.renditions.map(({ name }) => ({ name, codecs: 'avc1.64001f,mp4a.40.2' })),
    );
    return run;
  };
  const gopMemory = new GopMemory();
  const logger = silentLogger;
  const parts = { settings, clock, logger, window, companions, gopMemory, openRun, isRoomy: () => true };
  return new LiveStream({ ...session, ...parts }, session.epoch);
}

/** One GOP of two seconds. */
export async function publish(sink: PublishSink, clock: FakeClock, fromMs = 0): Promise<void> {
  sink.media(videoHeader(fromMs));
  sink.media(audioHeader(fromMs));
  for (let frame = 0; frame < 60; frame += 1) {
    sink.media(videoFrame(fromMs + frame * 33, frame === 0));
    await clock.pass(33);
  }
}
