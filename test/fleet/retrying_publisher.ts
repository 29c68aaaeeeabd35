/**
 * Publishes as an encoder does that a person has left alone: when its connection goes, it waits and connects again, to
 * the next address, as a load balancer would send it to another server.
 */
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import type { TestSource } from '../one_machine/test_source.ts';

export interface RetryingPublisherOptions {
  /** Tried in turn, from the first on. */
  readonly ports: readonly number[];
  readonly key: string;
  readonly source: TestSource;
  /** Between a lost connection and the next one, ms; OBS waits for 2 s. */
  readonly retryMs?: number;
}

export class RetryingPublisher {
  /** What it was told when it was refused. */
  readonly refusals: string[] = [];
  readonly #options: RetryingPublisherOptions;
  readonly #running: Promise<void>;
  readonly #first = Promise.withResolvers<void>();
  #current: PacedPublisher | undefined;
  #stopped = false;
  #wake: () => void = () => undefined;
  #ports: readonly number[];
  #attempt = 0;
  #accepted = 0;

  constructor(options: RetryingPublisherOptions) {
    this.#options = options;
    this.#ports = options.ports;
    this.#running = this.#run();
  }

  /** How often a server has accepted it. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Resolves when a server has accepted it for the first time. */
  get publishing(): Promise<void> {
    return this.#first.promise;
  }

  /** From now on these are tried, the second of them next. */
  retarget(ports: readonly number[]): void {
    this.#ports = ports;
    this.#attempt = 0;
  }

  /** Cuts its connection, as a network does. */
  async reset(): Promise<void> {
    await this.#current?.reset();
  }

  /** Goes away with a reset and does not come back. */
  async stop(): Promise<void> {
    await this.#end((publisher) => publisher.reset());
  }

  /** Says goodbye and does not come back. */
  async sayGoodbye(): Promise<void> {
    await this.#end((publisher) => publisher.sayGoodbye());
  }

  async #end(leave: (publisher: PacedPublisher) => Promise<void>): Promise<void> {
    this.#stopped = true;
    this.#wake();
    if (this.#current !== undefined) await leave(this.#current);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { key, source, retryMs = 2000 } = this.#options;
    for (; !this.#stopped; this.#attempt += 1) {
      const port = this.#ports[this.#attempt % this.#ports.length] ?? 0;
      try {
        const publisher = await PacedPublisher.start({ port, key, source });
        this.#current = publisher;
        this.#accepted += 1;
        this.#first.resolve();
        if (this.#stopped) await publisher.reset();
        await publisher.rtmp.closed;
      } catch (error) {
        this.refusals.push(error instanceof Error ? error.message : String(error));
      }
      if (this.#stopped) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, retryMs);
      });
    }
  }
}
