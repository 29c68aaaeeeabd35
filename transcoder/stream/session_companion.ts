/**
 * What runs beside a session without being needed by it: its recorder, its relays, its traces. A companion that fails is
 * dropped; the session goes on.
 */
import type { PublishGrant } from '../../contracts/publish.ts';
import type { SessionShape } from '../../contracts/stream_shape.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import type { Logger } from '../logger.ts';
import type { SegmentWindow } from '../package/segment_window.ts';

/** What an accepted publisher brought. */
export interface Publication {
  readonly grant: PublishGrant;
  /** Of the publish URL; may hold relay keys: secrets. */
  readonly query: Readonly<Record<string, string>>;
}

/** `ended`: ENDLIST stands. `moved`: the session goes on at another server. */
export type SessionEnd = 'ended' | 'moved';

/** All calls are synchronous and may throw; what they begin is theirs to finish. */
export interface SessionCompanion {
  readonly name: string;
  /** The session's first publisher, or one that came back. */
  publisherArrived?(publication: Publication): void;
  /** The publisher's media as it came. */
  media?(tag: MediaTag): void;
  /** The publisher is away; the session may wait for it. */
  publisherLeft?(): void;
  /** The window that all epochs of this session write to on this server, before its first segment. */
  windowOpened?(window: SegmentWindow): void;
  /** What the multivariant playlist promises: known with the first epoch's headers, before its first whole segment. */
  shapeKnown?(shape: SessionShape): void;
  posterMade?(jpeg: Buffer): void;
  /** Called once. Resolves when nothing of the session is left to be done (uploads); the program's end waits for it. */
  ended?(how: SessionEnd): Promise<void>;
}

type Occasion = Exclude<keyof SessionCompanion, 'name' | 'ended'>;

/** The companions of one session. */
export class SessionCompanions {
  readonly #companions: Set<SessionCompanion>;
  readonly #logger: Logger;

  constructor(companions: readonly SessionCompanion[], logger: Logger) {
    this.#companions = new Set(companions);
    this.#logger = logger;
  }

  tell<Name extends Occasion>(occasion: Name, ...args: Parameters<NonNullable<SessionCompanion[Name]>>): void {
    for (const companion of this.#companions) {
      try {
        const listener = companion[occasion] as ((...values: typeof args) => void) | undefined;
        listener?.apply(companion, args);
      } catch (error) {
        this.#companions.delete(companion);
        this.#logger.error(
          { err: error, companion: companion.name },
          'a part beside the stream failed; the stream goes on',
        );
      }
    }
  }

  async ended(how: SessionEnd): Promise<void> {
    const endings = [...this.#companions].map(async (companion) => {
      try {
        await companion.ended?.(how);
      } catch (error) {
        this.#logger.error({ err: error, companion: companion.name }, 'a part beside the stream failed at its end');
      }
    });
    await Promise.all(endings);
  }
}
