/**
 * Ends the sessions whose server went silent past their window, and has the recordings of sessions that are over made
 * final when nobody did. Run every minute; twice is as good as once.
 */
import type { Epoch, SessionId, StreamId } from '../contracts/ids.ts';
import type { ServerAddress } from '../contracts/registry.ts';

/** A session that is over but for its owner's own word. */
export interface SilentSession {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly epoch: Epoch;
  readonly address: ServerAddress;
  /** The last sign of life, ms since 1970 by the registry's clock. */
  readonly renewedAtMs: number;
}

export type SessionState =
  | { readonly state: 'running' }
  /** `endedForMs`: since its end, where that is known. */
  | { readonly state: 'over'; readonly endedForMs?: number }
  /** The registry was found empty a moment ago: its servers may not have reported yet. */
  | { readonly state: 'unknown' };

/** The reaper's view of the registry. */
export interface SessionReaping {
  /**
   * Looks at all sessions whose lease ran out, and gives those that have been looked at in vain for their whole window
   * (30 s at least) without a pause of 90 s.
   */
  silentSessions(): Promise<readonly SilentSession[]>;
  /** Ends it, unless it was heard of since the look. True: this call ended it. */
  endSilent(session: SilentSession): Promise<boolean>;
  sessionState(streamId: StreamId, sessionId: SessionId): Promise<SessionState>;
}

/** What the session's server says of it. `serving`: it lives, and will end the session itself. `gone`: it knows of no such session. */
export type OwnerWord = 'serving' | 'gone' | 'unreachable';

export interface OpenRecording {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
}

export interface ReapSessionsOptions {
  readonly sessions: SessionReaping;
  /** Never rejects. */
  readonly askOwner: (session: SilentSession) => Promise<OwnerWord>;
  /** Has the recording made final, or has that started. */
  readonly finalizeVod: (recording: OpenRecording) => Promise<void>;
  /** Recordings that nobody has made final; undefined where nothing is recorded. */
  readonly listOpenRecordings?: (() => AsyncIterable<OpenRecording>) | undefined;
  /** Told of every step that failed; the next run tries it again. */
  readonly onError: (step: string, recording: OpenRecording | undefined, error: unknown) => void;
}

export interface ReapReport {
  /** Sessions that this run ended. */
  readonly ended: readonly OpenRecording[];
  /** Recordings whose finalisation this run asked for. */
  readonly finalized: number;
  readonly failures: number;
}

/** Its server has this long after a session's end to store the rest and make the recording final itself, ms. */
export const ORPHAN_AFTER_MS = 300_000;
/** Finalisations that one run asks for; the next run goes on. */
const MOST_ORPHANS = 200;
const AT_ONCE = 8;

class Reaper {
  readonly #options: ReapSessionsOptions;
  readonly #ended: OpenRecording[] = [];
  /** Stream id and session id. */
  readonly #asked = new Set<string>();
  #finalized = 0;
  #failures = 0;

  constructor(options: ReapSessionsOptions) {
    this.#options = options;
  }

  async run(): Promise<ReapReport> {
    await this.#try('finding silent sessions', undefined, () => this.#endSilent());
    await this.#try('finding open recordings', undefined, () => this.#finalizeOrphans());
    return { ended: this.#ended, finalized: this.#finalized, failures: this.#failures };
  }

  async #endSilent(): Promise<void> {
    const { sessions, askOwner } = this.#options;
    const left = [...(await sessions.silentSessions())];
    const work = async () => {
      for (let session = left.shift(); session !== undefined; session = left.shift()) {
        const silent = session;
        const { streamId, sessionId } = silent;
        await this.#try('ending a session', { streamId, sessionId }, async () => {
          if ((await askOwner(silent)) === 'serving' || !(await sessions.endSilent(silent))) return;
          this.#ended.push({ streamId, sessionId });
          await this.#finalize({ streamId, sessionId });
        });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  async #finalizeOrphans(): Promise<void> {
    const { sessions, listOpenRecordings } = this.#options;
    if (listOpenRecordings === undefined) return;
    for await (const recording of listOpenRecordings()) {
      if (this.#asked.size >= MOST_ORPHANS) return;
      await this.#try('looking at an open recording', recording, async () => {
        const session = await sessions.sessionState(recording.streamId, recording.sessionId);
        if (session.state !== 'over' || (session.endedForMs ?? Infinity) < ORPHAN_AFTER_MS) return;
        await this.#finalize(recording);
      });
    }
  }

  async #finalize(recording: OpenRecording): Promise<void> {
    const key = `${recording.streamId}/${recording.sessionId}`;
    if (this.#asked.has(key)) return;
    this.#asked.add(key);
    await this.#try('making a recording final', recording, async () => {
      await this.#options.finalizeVod(recording);
      this.#finalized += 1;
    });
  }

  async #try(step: string, recording: OpenRecording | undefined, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#failures += 1;
      this.#options.onError(step, recording, error);
    }
  }
}

/** One run of the reaper. Never rejects: what failed is counted, and told to `onError`. */
export function reapSessions(options: ReapSessionsOptions): Promise<ReapReport> {
  return new Reaper(options).run();
}
