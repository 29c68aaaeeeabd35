/**
 * What one session of a stream is made of, and whom it tells how it goes.
 */
import type { Epoch, SessionId, StreamId } from '../../contracts/ids.ts';
import type { PublishGrant } from '../../contracts/publish.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { OpenEpochRun } from './epoch_run.ts';
import type { GopMemory } from './gop_memory.ts';
import type { LiveStream } from './live_stream.ts';
import type { SessionCompanions, SessionEnd } from './session_companion.ts';
import type { SessionWindow } from './session_window.ts';
import type { NotifyStream } from './stream_notifier.ts';
import type { StreamSettings } from './stream_settings.ts';

export interface LiveStreamOptions {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly startedAtMs: number;
  readonly grant: PublishGrant;
  readonly settings: StreamSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly window: SessionWindow;
  readonly gopMemory: GopMemory;
  readonly openRun: OpenEpochRun;
  readonly companions: SessionCompanions;
  readonly claimEpoch: () => Promise<Epoch>;
  readonly notify: NotifyStream;
  /** There is CPU for more than what runs. */
  readonly isRoomy: () => boolean;
  /** The publisher is away; `windowMs` is how long the session waits. */
  readonly onInterrupted: (stream: LiveStream, windowMs: number, reason: string) => void;
  /** ENDLIST stands, or the session goes on elsewhere. */
  readonly onEnded: (stream: LiveStream, reason: string, how: SessionEnd) => void;
}
