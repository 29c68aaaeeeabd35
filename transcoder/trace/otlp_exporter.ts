/**
 * Sends finished spans to an OpenTelemetry collector, in batches and beside everything else: a collector that is slow or
 * away costs a bounded queue and one line in the log.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { otlpTraceRequest } from './otlp_json.ts';
import type { FinishedSpan } from './span.ts';

export interface OtlpExporterOptions {
  readonly url: URL;
  /** May hold a token. */
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
  readonly clock: Pick<Clock, 'every'>;
  readonly logger: Logger;
}

const FLUSH_MS = 2000;
const TIMEOUT_MS = 10_000;
const MAX_BATCH = 512;
const MAX_QUEUE = 2048;
/** Answers after which the same batch may be sent again (OTLP specification, "Retryable Response Codes"). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export class OtlpExporter {
  readonly #options: OtlpExporterOptions;
  readonly #stop: () => void;
  #queue: FinishedSpan[] = [];
  #underWay: Promise<void> | undefined;
  #isFailing = false;

  constructor(options: OtlpExporterOptions) {
    this.#options = options;
    this.#stop = options.clock.every(FLUSH_MS, () => void this.#flush());
  }

  add(span: FinishedSpan): void {
    this.#queue.push(span);
    // The newest are worth more than the oldest.
    if (this.#queue.length > MAX_QUEUE) this.#queue.shift();
  }

  /** Sends what is left, once. */
  async close(): Promise<void> {
    this.#stop();
    await this.#underWay;
    await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#underWay !== undefined || this.#queue.length === 0) return;
    const batch = this.#queue.splice(0, MAX_BATCH);
    this.#underWay = this.#send(batch);
    await this.#underWay;
    this.#underWay = undefined;
  }

  async #send(batch: readonly FinishedSpan[]): Promise<void> {
    const { url, headers, resource, logger } = this.#options;
    const problem = await post(url, headers, otlpTraceRequest(batch, resource));
    if (problem?.retry === true) this.#queue = [...batch, ...this.#queue].slice(-MAX_QUEUE);
    if ((problem !== undefined) === this.#isFailing) return;
    this.#isFailing = problem !== undefined;
    if (problem === undefined) logger.info({}, 'traces are taken again');
    else logger.warn({ problem: problem.text }, 'traces are not taken');
  }
}

/** @returns what went wrong, without the URL and the headers */
async function post(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<{ readonly text: string; readonly retry: boolean } | undefined> {
  try {
    const reply = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await reply.body?.cancel();
    return reply.ok ? undefined : { text: `status ${reply.status}`, retry: RETRYABLE.has(reply.status) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer in time';
    return { text: code, retry: true };
  }
}
