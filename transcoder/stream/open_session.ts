/**
 * Builds one session of a stream from its parts.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { TranscoderSettings } from '../transcoder_settings.ts';
import type { GopMemory } from './gop_memory.ts';
import { LiveStream } from './live_stream.ts';
import { openEpochRun } from './open_epoch_run.ts';
import { SessionWindow } from './session_window.ts';
import type { NewSession } from './stream_hub.ts';

export interface SessionDependencies {
  readonly settings: TranscoderSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly gopMemory: GopMemory;
}

export function openSession(session: NewSession, dependencies: SessionDependencies): LiveStream {
  const { settings, clock, gopMemory } = dependencies;
  const { streamId, sessionId, carryOn } = session;
  const logger = dependencies.logger.child({ streamId, sessionId });
  const window = new SessionWindow({
    streamId,
    carryOn,
    resumed: carryOn.shape !== undefined,
    segmentSeconds: settings.stream.segmentSeconds,
    clock,
  });
  const stream: LiveStream = new LiveStream(
    {
      ...session,
      settings: settings.stream,
      clock,
      logger,
      window,
      gopMemory,
      openRun: (options) =>
        openEpochRun(options, {
          ffmpeg: settings.ffmpeg,
          encoder: settings.encoder,
          segmentSeconds: settings.stream.segmentSeconds,
          targetDuration: () => stream.targetDuration,
          window,
          clock,
          logger,
        }),
    },
    session.epoch,
  );
  return stream;
}
