/**
 * The transcoder put together: ingest, the streams, and the media server. The one place that builds them.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { RecordingStore } from '../contracts/recording_store.ts';
import type { ServerAddress } from '../contracts/registry.ts';
import type { Clock } from './clock.ts';
import type { Control } from './control.ts';
import { createIngestServer } from './ingest/ingest_server.ts';
import type { IngestServer } from './ingest/ingest_server.ts';
import type { Logger } from './logger.ts';
import { Recorder } from './record/recorder.ts';
import { newRelayCounters } from './relay/relay_counters.ts';
import type { RelayCounters } from './relay/relay_counters.ts';
import { relayCompanion } from './relay/session_relays.ts';
import { createMediaServer } from './serve/media_server.ts';
import { createCpuTimes } from './cpu_times.ts';
import { MachineLoad } from './machine_load.ts';
import { GopMemory } from './stream/gop_memory.ts';
import type { LiveStream } from './stream/live_stream.ts';
import { leaveFleet } from './stream/leave_fleet.ts';
import { openSession } from './stream/open_session.ts';
import type { MakeCompanion } from './stream/open_session.ts';
import type { SessionEnd } from './stream/session_companion.ts';
import { newStreamCounters } from './stream/stream_counters.ts';
import type { StreamCounters } from './stream/stream_counters.ts';
import { StreamHub } from './stream/stream_hub.ts';
import { traceAccept, traceCompanion, traceControl } from './trace/publish_trace.ts';
import type { Tracing } from './trace/tracing.ts';
import type { TranscoderSettings } from './transcoder_settings.ts';

/** How long answers that are being sent may take when the program ends, ms. */
const CLOSE_GRACE_MS = 200;

export interface Transcoder {
  readonly ports: { readonly rtmp: number; readonly rtmps?: number; readonly media: number };
  readonly address: ServerAddress;
  readonly ingest: IngestServer;
  readonly hub: StreamHub;
  readonly relays: RelayCounters;
  readonly streams: StreamCounters;
  readonly maxStreams: number;
  /** Absent: nothing is recorded. */
  readonly recorder: Recorder | undefined;
  /** Ends all streams and closes all ports. */
  close(): Promise<void>;
  /**
   * Hands all streams over to peers, serves what is left of them, and closes within 110 s. Without a peer that is ready
   * it is `close`: the shows end here, and their recordings become final.
   */
  leave(): Promise<void>;
}

export interface TranscoderDependencies {
  readonly control: Control;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where recordings go; absent: nothing is recorded. Closed by who opened it. */
  readonly recordings?: RecordingStore | undefined;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing | undefined;
}

/** @throws Error in one line when a port is taken or the certificate cannot be read */
export async function startTranscoder(
  settings: TranscoderSettings,
  given: TranscoderDependencies,
): Promise<Transcoder> {
  const { clock, tracing } = given;
  const control = tracing === undefined ? given.control : traceControl(tracing.tracer, given.control);
  const dependencies = { ...given, control };
  const tls = settings.tls === undefined ? undefined : await readCertificate(settings.tls);
  const place: Place = { address: { private: settings.advertiseUrl ?? 'http://127.0.0.1:0' }, ingest: undefined };
  const recorder = makeRecorder(settings, dependencies);
  const { hub, machine, relays, streams } = makeHub(settings, dependencies, place, recorder);
  const { media, ingest } = makeDoors(settings, dependencies, hub, tls);
  const close = async (how: SessionEnd = 'ended', lingerMs = 0) => {
    recorder?.stopping();
    machine.close();
    // At once: publishers are told and given time to read it while the encoders flush.
    await Promise.all([ingest.close(), hub.close(how)]);
    if (!hub.empty && lingerMs > 0) await new Promise<void>((resolve) => clock.after(lingerMs, resolve));
    await Promise.all([media.close(CLOSE_GRACE_MS), recorder?.close(), tracing?.close()]);
  };
  try {
    const mediaPort = await media
      .listen(settings.mediaPort, settings.bind)
      .catch(named('HW_MEDIA_PORT', settings.mediaPort));
    place.address = {
      private: settings.advertiseUrl ?? `http://${reachable(settings.bind)}:${mediaPort}`,
      ...(settings.advertisePublicUrl === undefined ? {} : { public: settings.advertisePublicUrl }),
    };
    void recorder?.start();
    const rtmp = await ingest.listen().catch((error: NodeJS.ErrnoException) => namedIngestPort(error, settings));
    place.ingest = `${new URL(place.address.private).hostname}:${rtmp.rtmp}`;
    // Peers and operators see it from now on.
    hub.heartbeatSoon();
    const counted = { ingest, hub, relays, streams, maxStreams: settings.maxStreams, recorder };
    return {
      ports: { ...rtmp, media: mediaPort },
      address: place.address,
      ...counted,
      close: () => close(),
      leave: () => leaveFleet({ hub, clock, close }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Where others find this server: known once its ports are open. */
interface Place {
  address: ServerAddress;
  ingest: string | undefined;
}

/** The streams, and what runs beside each session. */
function makeHub(
  settings: TranscoderSettings,
  { control, clock, logger, tracing }: TranscoderDependencies,
  place: Place,
  recorder: Recorder | undefined,
) {
  const gopMemory = new GopMemory();
  const relays = newRelayCounters();
  const streams = newStreamCounters();
  const companions: readonly MakeCompanion[] = [
    relayCompanion({ ...settings.relays, counters: relays, control, clock, random: Math.random }),
    ...(recorder === undefined ? [] : [recorder.companion]),
    ...(tracing === undefined ? [] : [traceCompanion(tracing.tracer)]),
  ];
  const machine = new MachineLoad({
    clock,
    cpuTimes: createCpuTimes(),
    availableMemory: () => process.availableMemory(),
  });
  const isRoomy = () => machine.isRoomy;
  const hub = new StreamHub({
    serverId: settings.serverId,
    address: () => place.address,
    ingest: () => place.ingest,
    control,
    settings: settings.stream,
    maxStreams: settings.maxStreams,
    clock,
    logger,
    makeClaimId: () => randomBytes(12).toString('hex'),
    overload: (running) => findOverload(running, machine, settings),
    openSession: (session) =>
      openSession(session, { settings, clock, logger, gopMemory, companions, counters: streams, isRoomy }),
  });
  return { hub, machine, relays, streams };
}

/** What is listened on: nothing is opened yet. */
function makeDoors(
  settings: TranscoderSettings,
  { clock, logger, tracing }: TranscoderDependencies,
  hub: StreamHub,
  tls: Awaited<ReturnType<typeof readCertificate>> | undefined,
) {
  const media = createMediaServer({
    directory: hub,
    ...(settings.mediaToken === undefined ? {} : { mediaToken: settings.mediaToken }),
    ready: () => hub.full === undefined,
    onError: (error, path) => logger.error({ err: error, path }, 'a media request failed'),
  });
  const ingest = createIngestServer({
    accept: tracing === undefined ? hub.accept : traceAccept(tracing.tracer, hub.accept),
    logger,
    host: settings.bind,
    port: settings.rtmpPort,
    proxyProtocol: settings.proxyProtocol,
    monotonicMs: () => clock.monotonicMs(),
    fleet: {
      passOnTo: (clientAddress) => hub.passOnTo(clientAddress),
      takesMore: () => hub.full === undefined,
      secret: settings.mediaToken ?? '',
    },
    ...(tls === undefined ? {} : { tls }),
  });
  return { media, ingest };
}

/**
 * Why there is no room for another stream. A running one that falls behind always is a reason; how busy the machine is
 * counts only where its operator has not said how many streams it takes, and for those beyond the second.
 */
function findOverload(
  streams: readonly LiveStream[],
  machine: MachineLoad,
  { maxStreamsIsSet }: TranscoderSettings,
): string | undefined {
  if (streams.some((stream) => stream.isStrained)) return 'its encoders cannot keep up with what is published already';
  return maxStreamsIsSet || streams.length < 2 ? machine.outOfMemory : machine.exhaustedBy(streams.length);
}

function makeRecorder(settings: TranscoderSettings, dependencies: TranscoderDependencies): Recorder | undefined {
  const { recordings: store, control, clock, logger } = dependencies;
  if (store === undefined) return undefined;
  const makeId = () => randomBytes(12).toString('hex');
  return new Recorder({
    settings: settings.recorder,
    store,
    control,
    clock,
    logger,
    random: Math.random,
    makeId,
  });
}

/** Where this machine reaches a listener that is bound to `bind`. */
function reachable(bind: string): string {
  if (bind === '0.0.0.0' || bind === '::') return '127.0.0.1';
  return bind.includes(':') ? `[${bind}]` : bind;
}

/** Turns a failed listen into one line that names the setting. */
export function named(setting: string, port: number): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const taken = error.code === 'EADDRINUSE';
    const what = taken ? 'is taken by another program' : `cannot be opened (${error.code ?? error.message})`;
    throw new Error(`port ${port} ${what}: set ${setting} to another one`, { cause: error });
  };
}

/** Names the one of the two RTMP ports that could not be opened. */
function namedIngestPort(error: NodeJS.ErrnoException, { rtmpPort, tls }: TranscoderSettings): never {
  const isSecure = tls !== undefined && 'port' in error && error.port === tls.port && tls.port !== rtmpPort;
  return isSecure ? named('HW_RTMPS_PORT', tls.port)(error) : named('HW_RTMP_PORT', rtmpPort)(error);
}

async function readCertificate(tls: { readonly port: number; readonly certFile: string; readonly keyFile: string }) {
  const read = (path: string, setting: string) =>
    readFile(path).catch((error: NodeJS.ErrnoException) => {
      throw new Error(`${setting}: ${path} cannot be read (${error.code ?? error.message})`, { cause: error });
    });
  const [cert, key] = await Promise.all([read(tls.certFile, 'HW_TLS_CERT'), read(tls.keyFile, 'HW_TLS_KEY')]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`HW_TLS_CERT: ${tls.certFile} and HW_TLS_KEY: ${tls.keyFile} cannot be used together (${why})`, {
      cause: error,
    });
  }
  return { port: tls.port, cert, key };
}
