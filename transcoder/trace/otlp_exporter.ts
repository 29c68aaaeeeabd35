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
  readonly clock: Pick<Clock, 'after' | 'every'>;
  readonly logger: Logger;
  /** For one request, ms. */
  readonly timeoutMs?: number;
}

const FLUSH_MS = 2000;
const TIMEOUT_MS = 10_000;
/** A collector that hangs does not hold the program's end up for longer, ms. */
const CLOSE_MS = 2000;
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
  readonly #givingUp = new AbortController();

  constructor(options: OtlpExporterOptions) {
    this.#options = options;
    this.#stop = options.clock.every(FLUSH_MS, () => void this.#flush());
  }

  add(span: FinishedSpan): void {
    this.#queue.push(span);
    // The newest are worth more than the oldest.
    if (this.#queue.length > MAX_QUEUE) this.#queue.shift();
  }

  /** Sends what is left, once, if that does not take long. */
  async close(): Promise<void> {
    this.#stop();
    const cancel = this.#options.clock.after(CLOSE_MS, () => this.#givingUp.abort());
    await this.#underWay;
    await this.#flush();
    cancel();
  }

  async #flush(): Promise<void> {
    if (this.#underWay !== undefined || this.#queue.length === 0) return;
    const batch = this.#queue.splice(0, MAX_BATCH);
    this.#underWay = this.#send(batch);
    await this.#underWay;
    this.#underWay = undefined;
  }

  async #send(batch: readonly FinishedSpan[]): Promise<void> {
    const { url, headers, resource, logger, timeoutMs = TIMEOUT_MS } = this.#options;
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#givingUp.signal]);
    const problem = await post(url, headers, otlpTraceRequest(batch, resource), signal);
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
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly retry: boolean } | undefined> {
  try {
    const reply = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      redirect: 'error',
      signal,
    });
    await reply.body?.cancel();
    return reply.ok ? undefined : { text: `status ${reply.status}`, retry: RETRYABLE.has(reply.status) };
  } catch (error) {
    return { text: reasonOf(error), retry: true };
  }
}

/** Of a failed request: the socket's code, or else what `fetch` calls it. Its messages may hold the URL. */
function reasonOf(error: unknown): string {
  // A time-out also has a code, a number of the DOM's.
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? `the request could not be made (${cause.name})` : 'the request could not be made';
}
