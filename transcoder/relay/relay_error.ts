/**
 * Why a relay does not run: a target that may not be used, or one that did not take the stream. Messages hold neither
 * URLs nor what the target wrote: both may repeat a key.
 */

/** Classes by which failures are counted. */
export const RELAY_FAILURES = [
  'address',
  'name',
  'connect',
  'tls',
  'timeout',
  'protocol',
  'rejected',
  'closed',
  'stalled',
  'encoder',
  'internal',
] as const;
export type RelayFailureClass = (typeof RELAY_FAILURES)[number];

/** A target that is not used, whatever happens: its URL or key is no such thing. */
export class RelayRefused extends Error {
  override readonly name = 'RelayRefused';
}

/** One attempt, or one connection, that came to nothing. */
export class RelayFailure extends Error {
  override readonly name = 'RelayFailure';
  readonly failureClass: RelayFailureClass;

  /** @param message one line for logs and events, in our own words */
  constructor(failureClass: RelayFailureClass, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.failureClass = failureClass;
  }
}
