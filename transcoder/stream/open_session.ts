/**
 * Builds one session of a stream from its parts.
 */
import type { Epoch } from '../../contracts/ids.ts';
import type { PlaybackPolicy } from '../../contracts/registry.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { TranscoderSettings } from '../transcoder_settings.ts';
import { epochLogger } from './epoch_logger.ts';
import type { GopMemory } from './gop_memory.ts';
import { LiveStream } from './live_stream.ts';
import { openEpochRun } from './open_epoch_run.ts';
import { SessionCompanions } from './session_companion.ts';
import type { SessionCompanion } from './session_companion.ts';
import { SessionWindow } from './session_window.ts';
import type { StreamCounters } from './stream_counters.ts';
import type { NewSession } from './stream_hub.ts';

/** Undefined: this session needs none of the kind. */
export type MakeCompanion = (
  session: Pick<NewSession, 'streamId' | 'sessionId' | 'startedAtMs' | 'grant'> & {
    /** The newest epoch of the session here. */
    readonly epoch: () => Epoch;
    /** The session's policy, which the registry may have made stricter than the grant's. */
    readonly playback: () => PlaybackPolicy;
  },
  logger: Logger,
) => SessionCompanion | undefined;

export interface SessionDependencies {
  readonly settings: TranscoderSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly gopMemory: GopMemory;
  /** There is CPU for more than what runs. */
  readonly isRoomy: () => boolean;
  /** What runs beside each session. */
  readonly companions: readonly MakeCompanion[];
  readonly counters: StreamCounters;
}

export function openSession(session: NewSession, dependencies: SessionDependencies): LiveStream {
  const { settings, clock, gopMemory, isRoomy } = dependencies;
  const { streamId, sessionId, carryOn } = session;
  let opened: LiveStream | undefined;
  const logger = epochLogger(dependencies.logger.child({ streamId, sessionId }), () => opened?.epoch ?? session.epoch);
  const accompanied = { ...session, epoch: () => stream.epoch, playback: () => stream.report().playback };
  const companions = new SessionCompanions(
    dependencies.companions.flatMap((make) => make(accompanied, logger) ?? []),
    logger,
  );
  const resumed = carryOn.shape !== undefined;
  // Its predecessor may have died before it reported any media: there was none before the session began.
  const programDateTimeEndMs = Math.max(carryOn.programDateTimeEndMs, resumed ? session.startedAtMs : 0);
  const window = new SessionWindow({
    streamId,
    carryOn: { ...carryOn, programDateTimeEndMs },
    resumed,
    segmentSeconds: settings.stream.segmentSeconds,
    clock,
    companions,
    onShape: session.onShape,
  });
  const stream: LiveStream = new LiveStream(
    {
      ...session,
      settings: settings.stream,
      clock,
      logger,
      window,
      gopMemory,
      isRoomy,
      companions,
      openRun: (options) => {
        dependencies.counters.encoderStarts += 1;
        const onFailure = (reason: string) => {
          dependencies.counters.encoderFailures += 1;
          options.onFailure(reason);
        };
        return openEpochRun(
          { ...options, onFailure },
          {
            ffmpeg: settings.ffmpeg,
            encoder: settings.encoder,
            segmentSeconds: settings.stream.segmentSeconds,
            targetDuration: () => stream.targetDuration,
            window,
            clock,
            logger,
          },
        );
      },
    },
    session.epoch,
  );
  opened = stream;
  return stream;
}
