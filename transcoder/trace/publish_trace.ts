/**
 * The trace of a publication, from the publish command to the first segment that viewers can fetch: validate, claim,
 * first segment. It wraps what is there; nobody else knows of it.
 */
import type { Control } from '../control.ts';
import { PublishRefused } from '../ingest/publisher.ts';
import type { AcceptPublisher } from '../ingest/publisher.ts';
import type { SegmentWindow } from '../package/segment_window.ts';
import type { MakeCompanion } from '../stream/open_session.ts';
import type { SessionCompanion } from '../stream/session_companion.ts';
import type { Span, Tracer } from './span.ts';

/** Publications that are let in or refused, each a trace of its own. */
export function traceAccept(tracer: Tracer, accept: AcceptPublisher): AcceptPublisher {
  return async (request, connection, signal) => {
    const span = tracer.start('publish', 'server');
    try {
      return await tracer.within(span, () => accept(request, connection, signal));
    } catch (error) {
      // A refusal's words are for the publisher's screen and hold no secret; other errors may hold anything.
      span.end(error instanceof PublishRefused ? error.code : 'failed');
      throw error;
    }
  };
}

/** The questions to the control plane that belong to a publication. */
export function traceControl(tracer: Tracer, control: Control): Control {
  const asked = async <Reply>(name: string, ask: () => Promise<Reply>): Promise<Reply> => {
    const span = tracer.current?.child(name, 'client');
    try {
      const reply = await ask();
      span?.end();
      return reply;
    } catch (error) {
      span?.end(error instanceof Error ? error.name : 'failed');
      throw error;
    }
  };
  return {
    authorizePublish: (request, signal) => asked('validate', () => control.authorizePublish(request, signal)),
    claim: (request) => asked('claim', () => control.claim(request)),
    heartbeat: (request) => control.heartbeat(request),
    release: (request) => control.release(request),
    notify: (notification) => control.notify(notification),
    finalizeVod: (request) => control.finalizeVod(request),
  };
}

/** Ends the trace with the first segment. */
export function traceCompanion(tracer: Tracer): MakeCompanion {
  return ({ streamId, sessionId, epoch }) =>
    new PublishTrace(tracer, () => ({
      'headwater.stream_id': streamId,
      'headwater.session_id': sessionId,
      'headwater.epoch': epoch(),
    }));
}

class PublishTrace implements SessionCompanion {
  readonly name = 'trace';
  readonly #tracer: Tracer;
  readonly #attributes: () => Readonly<Record<string, string | number>>;
  #window: SegmentWindow | undefined;
  #waiting: { readonly publish: Span; readonly segment: Span } | undefined;
  #stopListening: (() => void) | undefined;

  constructor(tracer: Tracer, attributes: () => Readonly<Record<string, string | number>>) {
    this.#tracer = tracer;
    this.#attributes = attributes;
  }

  /** Called within the trace of the publication. */
  publisherArrived(): void {
    const publish = this.#tracer.current;
    if (publish === undefined) return;
    this.#waiting = { publish, segment: publish.child('first_segment') };
    this.#listen();
  }

  windowOpened(window: SegmentWindow): void {
    this.#window = window;
    this.#listen();
  }

  publisherLeft(): void {
    this.#end('the publisher left before the first segment');
  }

  async ended(): Promise<void> {
    this.#end('the session ended before the first segment');
  }

  #listen(): void {
    if (this.#window === undefined || this.#waiting === undefined || this.#stopListening !== undefined) return;
    this.#stopListening = this.#window.onSegment(({ gap, hold }) => {
      // What stands in for a picture is not the publisher's.
      if (!gap && !hold) this.#end();
    });
  }

  #end(error?: string): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.publish.set(this.#attributes());
    waiting?.segment.end(error);
    waiting?.publish.end(error);
  }
}
