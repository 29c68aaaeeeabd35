/**
 * The transcoder put together: ingest, the streams, and the media server. The one place that builds them.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { ServerAddress } from '../contracts/registry.ts';
import type { Clock } from './clock.ts';
import type { Control } from './control.ts';
import { createIngestServer } from './ingest/ingest_server.ts';
import type { IngestServer } from './ingest/ingest_server.ts';
import type { Logger } from './logger.ts';
import { createMediaServer } from './serve/media_server.ts';
import { GopMemory } from './stream/gop_memory.ts';
import { openSession } from './stream/open_session.ts';
import type { MakeCompanion } from './stream/open_session.ts';
import { StreamHub } from './stream/stream_hub.ts';
import type { TranscoderSettings } from './transcoder_settings.ts';

/** How long answers that are being sent may take when the program ends, ms. */
const CLOSE_GRACE_MS = 200;

export interface Transcoder {
  readonly ports: { readonly rtmp: number; readonly rtmps?: number; readonly media: number };
  readonly address: ServerAddress;
  readonly ingest: IngestServer;
  readonly hub: StreamHub;
  /** Ends all streams and closes all ports. */
  close(): Promise<void>;
}

export interface TranscoderDependencies {
  readonly control: Control;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** @throws Error in one line when a port is taken or the certificate cannot be read */
export async function startTranscoder(
  settings: TranscoderSettings,
  dependencies: TranscoderDependencies,
): Promise<Transcoder> {
  const { control, clock, logger } = dependencies;
  const tls = settings.tls === undefined ? undefined : await readCertificate(settings.tls);
  const gopMemory = new GopMemory();
  /** Recorder, relays: whatever runs beside each session. */
  const companions: MakeCompanion[] = [];
  let address: ServerAddress = { private: settings.advertiseUrl ?? 'http://127.0.0.1:0' };
  const hub = new StreamHub({
    serverId: settings.serverId,
    address: () => address,
    control,
    settings: settings.stream,
    maxStreams: settings.maxStreams,
    clock,
    logger,
    makeClaimId: () => randomBytes(12).toString('hex'),
    openSession: (session) => openSession(session, { settings, clock, logger, gopMemory, companions }),
  });
  const media = createMediaServer({
    directory: hub,
    ...(settings.mediaToken === undefined ? {} : { mediaToken: settings.mediaToken }),
    ready: () => hub.liveStreams.length < settings.maxStreams,
    onError: (error, path) => logger.error({ err: error, path }, 'a media request failed'),
  });
  const ingest = createIngestServer({
    accept: hub.accept,
    logger,
    host: settings.bind,
    port: settings.rtmpPort,
    proxyProtocol: settings.proxyProtocol,
    monotonicMs: () => clock.monotonicMs(),
    ...(tls === undefined ? {} : { tls }),
  });
  const close = async () => {
    // At once: publishers are told and given time to read it while the encoders flush.
    await Promise.all([ingest.close(), hub.close()]);
    await media.close(CLOSE_GRACE_MS);
  };
  try {
    const mediaPort = await media
      .listen(settings.mediaPort, settings.bind)
      .catch(named('HW_MEDIA_PORT', settings.mediaPort));
    address = {
      private: settings.advertiseUrl ?? `http://${reachable(settings.bind)}:${mediaPort}`,
      ...(settings.advertisePublicUrl === undefined ? {} : { public: settings.advertisePublicUrl }),
    };
    const rtmp = await ingest.listen().catch((error: NodeJS.ErrnoException) => namedIngestPort(error, settings));
    return { ports: { ...rtmp, media: mediaPort }, address, ingest, hub, close };
  } catch (error) {
    await close();
    throw error;
  }
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
