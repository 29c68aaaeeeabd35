/**
 * Lets all who ask for the same thing at the same time wait for one answer. Nobody's leaving ends it for the others,
 * because nobody's signal reaches it.
 */
export class SingleFlight<Value> {
  readonly #flights = new Map<string, Promise<Value>>();

  /** Starts `work`, or joins the one that runs under `key`. */
  run(key: string, work: () => Promise<Value>): Promise<Value> {
    const running = this.#flights.get(key);
    if (running !== undefined) return running;
    const flight = work().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  get size(): number {
    return this.#flights.size;
  }
}
