/**
 * The demo's publisher where there are several servers: sends the test picture over RTMP, and when its server goes,
 * connects to the next one after two seconds, as OBS does behind a load balancer.
 */
import { systemClock } from '../transcoder/clock.ts';
import { inspectAudioTag } from '../transcoder/flv/audio_tag.ts';
import type { MediaTag } from '../transcoder/flv/media_tag.ts';
import { inspectVideoTag } from '../transcoder/flv/video_tag.ts';
import type { Logger } from '../transcoder/logger.ts';
import { makeBatch } from '../transcoder/relay/relay_batch.ts';
import { RelayConnection } from '../transcoder/relay/relay_connection.ts';
import { startPicture } from './picture_source.ts';

export interface ReconnectingPublisherOptions {
  readonly ffmpeg: string;
  readonly streamKey: string;
  readonly logger: Logger;
  /** RTMP ports on this machine, asked anew for each attempt: servers come and go. */
  readonly ports: () => readonly number[];
}

const HOST = '127.0.0.1';
const RETRY_MS = 2000;

/** @returns how to stop it */
export function publishReconnecting(options: ReconnectingPublisherOptions): () => Promise<void> {
  let attempt = 0;
  let stopped = false;
  let stopCurrent: () => Promise<void> = () => Promise.resolve();
  let cancelRetry: () => void = () => undefined;
  const connect = (): void => {
    const ports = options.ports();
    const port = ports[attempt % ports.length];
    attempt += 1;
    const retry = (reason: string): void => {
      options.logger.info({ port, reason }, 'the test picture lost its server');
      if (!stopped) cancelRetry = systemClock.after(RETRY_MS, connect);
    };
    if (port === undefined) retry('no server runs');
    else stopCurrent = publishOnce(options, port, retry);
  };
  connect();
  return async () => {
    stopped = true;
    cancelRetry();
    await stopCurrent();
  };
}

/** @param onLost called once, when the connection has failed */
function publishOnce(
  { ffmpeg, streamKey }: ReconnectingPublisherOptions,
  port: number,
  onLost: (reason: string) => void,
): () => Promise<void> {
  let stopPicture: () => void = () => undefined;
  const tcUrl = `rtmp://${HOST}:${port}/stream`;
  const connection = new RelayConnection({
    endpoint: { secure: false, host: HOST, port, app: 'stream', tcUrl, playName: () => streamKey, equals: () => false },
    network: { allowPrivate: true },
    fourCcs: [],
    clock: systemClock,
    handlers: {
      live: (messageStreamId) => {
        stopPicture = startPicture({
          ffmpeg,
          onTag: (tag) => connection.send(messageOf(tag, messageStreamId)),
          onFailure: (reason) => {
            connection.destroy();
            onLost(reason);
          },
        });
      },
      failed: (failure) => {
        stopPicture();
        onLost(failure.message);
      },
    },
  });
  return async () => {
    stopPicture();
    await connection.finish();
  };
}

function messageOf(tag: MediaTag, messageStreamId: number): Buffer {
  const isHeader = tag.kind === 'metadata' || inspect(tag)?.packet === 'sequence-header';
  return makeBatch([{ tag, timestampMs: tag.timestampMs, isStart: false, isHeader }], messageStreamId).bytes;
}

function inspect(tag: MediaTag) {
  return tag.kind === 'video' ? inspectVideoTag(tag.body) : inspectAudioTag(tag.body);
}
