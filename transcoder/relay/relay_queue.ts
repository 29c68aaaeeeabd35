/**
 * Stands between the shared media and one target's socket: begins at a key frame, and when the target falls too far
 * behind drops up to the next one, so that a slow target costs a bounded amount of memory and nobody else anything.
 */
import type { RelayBatch, RelayPacket } from './relay_batch.ts';

export interface RelayQueueOptions {
  /** Bytes that wait in the socket. */
  readonly queuedBytes: () => number;
  readonly send: (bytes: Buffer) => void;
  /** Metadata and sequence headers as they are now, with this time, ms. */
  readonly headers: (timestampMs: number) => Buffer;
  /** Called for each media message that is lost to this target because it was too far behind. */
  readonly dropped: () => void;
}

/** Bytes that may wait for one target: 13 s at 2.5 Mb/s. */
export const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** Dropping ends at a key frame once this little waits: without the distance it would begin again at once. */
const RESUME_BYTES = MAX_QUEUED_BYTES / 2;

export class RelayQueue {
  readonly #options: RelayQueueOptions;
  /** `waiting`: nothing was sent yet. `dropping`: the target was too far behind. Both end at a packet to start with. */
  #state: 'waiting' | 'flowing' | 'dropping' = 'waiting';

  /** @param backlog media since the last key frame: what the target begins with */
  constructor(options: RelayQueueOptions, backlog: RelayBatch) {
    this.#options = options;
    const [first] = backlog.packets;
    if (first === undefined) return;
    this.#start(first);
    options.send(backlog.bytes);
  }

  push(batch: RelayBatch): void {
    const { queuedBytes, send } = this.#options;
    if (this.#state === 'flowing' && queuedBytes() > MAX_QUEUED_BYTES) this.#state = 'dropping';
    if (this.#state === 'flowing') send(batch.bytes);
    else for (const packet of batch.packets) this.#pushOne(packet);
  }

  #pushOne(packet: RelayPacket): void {
    if (this.#state !== 'flowing' && packet.isStart && this.#options.queuedBytes() <= RESUME_BYTES) this.#start(packet);
    if (this.#state === 'flowing') this.#options.send(packet.bytes);
    else if (this.#state === 'dropping' && !packet.isHeader) this.#options.dropped();
  }

  /** With the headers before it: those that came meanwhile were left out. */
  #start(packet: RelayPacket): void {
    this.#state = 'flowing';
    const headers = this.#options.headers(packet.timestampMs);
    if (headers.length > 0) this.#options.send(headers);
  }
}
