/**
 * Waits for something that shows itself only by being asked for, with a deadline: for what comes as an event, wait for
 * the event instead.
 */

const PERIOD_MS = 50;

/**
 * @param look gives undefined or false for "not yet"
 * @returns what `look` gave in the end
 * @throws Error that says what did not come
 */
export async function eventually<Found>(
  what: string,
  withinMs: number,
  look: () => Found | undefined | false | Promise<Found | undefined | false>,
): Promise<Found> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadlineMs) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
  }
}
