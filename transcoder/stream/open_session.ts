/**
 * Builds one session of a stream from its parts.
 */
import type { Epoch } from '../../contracts/ids.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { TranscoderSettings } from '../transcoder_settings.ts';
import type { GopMemory } from './gop_memory.ts';
import { LiveStream } from './live_stream.ts';
import { openEpochRun } from './open_epoch_run.ts';
import { SessionCompanions } from './session_companion.ts';
import type { SessionCompanion } from './session_companion.ts';
import { SessionWindow } from './session_window.ts';
import type { NewSession } from './stream_hub.ts';

/** Undefined: this session needs none of the kind. */
export type MakeCompanion = (
  session: Pick<NewSession, 'streamId' | 'sessionId' | 'startedAtMs' | 'grant'> & {
    /** The newest epoch of the session here. */
    readonly epoch: () => Epoch;
  },
  logger: Logger,
) => SessionCompanion | undefined;

export interface SessionDependencies {
  readonly settings: TranscoderSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly gopMemory: GopMemory;
  /** What runs beside each session. */
  readonly companions: readonly MakeCompanion[];
}

export function openSession(session: NewSession, dependencies: SessionDependencies): LiveStream {
  const { settings, clock, gopMemory } = dependencies;
  const { streamId, sessionId, carryOn } = session;
  const logger = dependencies.logger.child({ streamId, sessionId });
  const companions = new SessionCompanions(
    dependencies.companions.flatMap((make) => make({ ...session, epoch: () => stream.epoch }, logger) ?? []),
    logger,
  );
  const window = new SessionWindow({
    streamId,
    carryOn,
    resumed: carryOn.shape !== undefined,
    segmentSeconds: settings.stream.segmentSeconds,
    clock,
    companions,
  });
  const stream: LiveStream = new LiveStream(
    {
      ...session,
      settings: settings.stream,
      clock,
      logger,
      window,
      gopMemory,
      companions,
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
