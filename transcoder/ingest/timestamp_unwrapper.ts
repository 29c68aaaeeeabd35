/**
 * Turns RTMP's 32-bit timestamps, which roll over after 49.7 days, into ones that go on rising (RTMP 1.0 section 5.3.1
 * asks for serial number arithmetic, RFC 1982).
 */
const CYCLE = 2 ** 32;
const HALF_CYCLE = 2 ** 31;

/** One for all tracks of a connection, so that one that lags may stand before the roll-over while another is past it. */
export class TimestampUnwrapper {
  #last = 0;

  /** @param timestamp 32 bits, ms */
  unwrap(timestamp: number): number {
    const unwrapped = this.peek(timestamp);
    this.#last = unwrapped;
    return unwrapped;
  }

  /** The same without moving on: for metadata, whose timestamp is often 0. */
  peek(timestamp: number): number {
    const candidate = this.#last - (this.#last % CYCLE) + timestamp;
    if (candidate - this.#last < -HALF_CYCLE) return candidate + CYCLE;
    if (candidate - this.#last > HALF_CYCLE && candidate >= CYCLE) return candidate - CYCLE;
    return candidate;
  }
}
