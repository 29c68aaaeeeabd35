/**
 * A publisher that does what OBS does when its connection breaks: waits two seconds and tries again, each time half as
 * long again, until it is told to stop.
 */
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import type { PacedPublisherOptions } from '../one_machine/paced_publisher.ts';

/** Measured on OBS 29: 2.0, 3.1, 4.7, 7.2, 11 s. */
const FIRST_PAUSE_MS = 2000;
const GROWTH = 1.5;

export class StubbornPublisher {
  readonly #options: PacedPublisherOptions;
  readonly #running: Promise<void>;
  #publisher: PacedPublisher | undefined;
  #stopped = false;
  #wake: () => void = () => undefined;
  #connections = 0;
  #refusals: string[] = [];

  private constructor(options: PacedPublisherOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  static start(options: PacedPublisherOptions): StubbornPublisher {
    return new StubbornPublisher(options);
  }

  /** Connections that were let in so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Why it was turned away, in order. */
  get refusals(): readonly string[] {
    return this.#refusals;
  }

  /** The connection breaks; it comes back by itself. */
  async reset(): Promise<void> {
    await this.#publisher?.reset();
  }

  /** Says goodbye and does not come back. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#publisher?.sayGoodbye();
    await this.#running;
  }

  async #run(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#stopped) {
      try {
        this.#publisher = await PacedPublisher.start(this.#options);
        this.#connections += 1;
        pauseMs = FIRST_PAUSE_MS;
        await this.#publisher.rtmp.closed;
      } catch (error) {
        this.#refusals.push(error instanceof Error ? error.message : String(error));
      }
      this.#publisher = undefined;
      if (this.#stopped) return;
      await this.#pause(pauseMs);
      pauseMs *= GROWTH;
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
