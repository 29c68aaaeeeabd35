/**
 * Tells the registry every few seconds what this server is and serves, and at once when something changed that others
 * wait for. One at a time: what is asked for meanwhile follows right after.
 */
import type { HeartbeatReply, HeartbeatRequest } from '../../contracts/registry.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import type { Logger } from '../logger.ts';

/** ms */
export const HEARTBEAT_MS = 3000;

export interface HeartbeatsOptions {
  readonly serverId: string;
  readonly control: Pick<Control, 'heartbeat'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly compose: () => Omit<HeartbeatRequest, 'serverId' | 'seq'>;
  readonly onReply: (reply: HeartbeatReply) => void;
}

export class Heartbeats {
  readonly #options: HeartbeatsOptions;
  readonly #stop: () => void;
  /** Begins at the clock, so that it rises across restarts under the same server id. */
  #seq: number;
  #underWay = false;
  #again = false;
  #stopped = false;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
    this.#seq = Math.floor(options.clock.wallMs());
    this.#stop = options.clock.every(HEARTBEAT_MS, () => {
      // One that is late is no reason for two in a row.
      if (!this.#underWay) this.soon();
    });
  }

  /** One now, or as soon as the one under way is answered. */
  soon(): void {
    if (this.#stopped) return;
    if (this.#underWay) this.#again = true;
    else void this.#beat();
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
  }

  async #beat(): Promise<void> {
    const { serverId, control, logger, compose, onReply } = this.#options;
    this.#underWay = true;
    this.#again = false;
    this.#seq += 1;
    try {
      onReply(await control.heartbeat({ serverId, seq: this.#seq, ...compose() }));
    } catch (error) {
      logger.warn({ err: error }, 'heartbeat failed; the streams go on');
    } finally {
      this.#underWay = false;
      if (this.#again) this.soon();
    }
  }
}
