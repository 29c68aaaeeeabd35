/**
 * A session's media for its relays: one timeline, chunked once for all targets. Keeps the headers and what came since
 * the last key frame, with which a target that joins begins.
 */
import { inspectAudioTag } from '../flv/audio_tag.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import { inspectVideoTag } from '../flv/video_tag.ts';
import { makeBatch } from './relay_batch.ts';
import type { PlacedTag, RelayBatch } from './relay_batch.ts';
import { RelayTimeline } from './relay_timeline.ts';

interface Target {
  readonly messageStreamId: number;
  readonly push: (batch: RelayBatch) => void;
}

/** A GOP that is larger is not kept: a target that joins waits for the next one. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024;
const MAX_BACKLOG_TAGS = 10_000;

export class RelayFeed {
  readonly #monotonicMs: () => number;
  readonly #timeline = new RelayTimeline();
  readonly #targets = new Set<Target>();
  readonly #headers: { [Kind in MediaTag['kind']]?: MediaTag } = {};
  readonly #fourCcs = new Set<string>();
  #hasVideo = false;
  #started = false;
  #backlog: PlacedTag[] = [];
  #backlogBytes = 0;
  #backlogUsable = false;
  #pending: PlacedTag[] = [];

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** FourCC codes of enhanced RTMP that the source has used. */
  get fourCcs(): readonly string[] {
    return [...this.#fourCcs];
  }

  /** Another publisher, with headers and a clock of its own. */
  restart(): void {
    this.#flush();
    this.#timeline.restart();
    this.#started = false;
    this.#hasVideo = false;
    this.#dropBacklog();
    for (const kind of ['metadata', 'video', 'audio'] as const) delete this.#headers[kind];
    this.#fourCcs.clear();
  }

  /**
   * Gives every batch from now on.
   * @param open gets the media since the last key frame, as far as it is kept
   * @returns what ends it
   */
  join(messageStreamId: number, open: (backlog: RelayBatch) => Target['push']): () => void {
    this.#flush();
    const target = { messageStreamId, push: open(makeBatch(this.#backlog, messageStreamId)) };
    this.#targets.add(target);
    return () => this.#targets.delete(target);
  }

  /** Metadata and sequence headers as they are now, for a target that goes on at that time. */
  headers(messageStreamId: number, timestampMs: number): RelayBatch {
    const { metadata, video, audio } = this.#headers;
    const tags = [metadata, video, audio].filter((tag) => tag !== undefined);
    return makeBatch(
      tags.map((tag) => ({ tag, timestampMs, isStart: false, isHeader: true })),
      messageStreamId,
    );
  }

  push(tag: MediaTag): void {
    const kind = this.#inspect(tag);
    // Pictures and sound before the first key frame are of no use to anyone.
    if (!kind.isHeader && !this.#started && !kind.isStart) return;
    if (kind.isStart) this.#started = true;
    if (this.#pending.length === 0) queueMicrotask(() => this.#flush());
    const timestampMs = this.#timeline.place(tag, kind.isHeader, this.#monotonicMs());
    this.#pending.push({ tag, timestampMs, ...kind });
  }

  #inspect({ kind, body }: MediaTag): Pick<PlacedTag, 'isStart' | 'isHeader'> {
    if (kind === 'metadata') return { isStart: false, isHeader: true };
    const info = kind === 'audio' ? inspectAudioTag(body) : inspectVideoTag(body);
    if (kind === 'video' && !this.#hasVideo) {
      this.#hasVideo = true;
      // Sound alone was enough so far. Now nothing goes on without a picture to begin with.
      this.#started = false;
    }
    const isHeader = info?.packet === 'sequence-header';
    if (isHeader && info.enhanced && info.codec !== 'unknown') {
      this.#fourCcs.add(body.toString('latin1', 1, 5));
    }
    const isKeyFrame = info !== undefined && 'keyFrame' in info && info.keyFrame;
    return { isHeader, isStart: kind === 'video' ? isKeyFrame : !isHeader && !this.#hasVideo };
  }

  /** Everything that came since the last turn of the event loop, chunked once per message stream id. */
  #flush(): void {
    const placed = this.#pending;
    if (placed.length === 0) return;
    this.#pending = [];
    for (const one of placed) this.#remember(one);
    const batches = new Map<number, RelayBatch>();
    for (const { messageStreamId, push } of this.#targets) {
      const batch = batches.get(messageStreamId) ?? makeBatch(placed, messageStreamId);
      batches.set(messageStreamId, batch);
      push(batch);
    }
  }

  #remember(placed: PlacedTag): void {
    const { tag, isHeader, isStart } = placed;
    if (isHeader) {
      const before = this.#headers[tag.kind];
      this.#headers[tag.kind] = tag;
      // A new header changes what follows it, and what came before it must not follow it. Encoders repeat theirs.
      if (tag.kind !== 'metadata' && before?.body.equals(tag.body) !== true) this.#dropBacklog();
      return;
    }
    // Without video every tag is a start: what a target begins with is the next one.
    if (isStart && this.#hasVideo) {
      this.#dropBacklog();
      this.#backlogUsable = true;
    }
    if (!this.#backlogUsable) return;
    this.#backlog.push(placed);
    this.#backlogBytes += tag.body.length;
    if (this.#backlogBytes > MAX_BACKLOG_BYTES || this.#backlog.length > MAX_BACKLOG_TAGS) this.#dropBacklog();
  }

  #dropBacklog(): void {
    this.#backlog = [];
    this.#backlogBytes = 0;
    this.#backlogUsable = false;
  }
}
